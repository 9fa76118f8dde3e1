//! A dozen runners at once: they do not come back in one instant, and the backlog drains.

use std::time::{Duration, Instant};

use glovebox_schemas::job::Job;
use glovebox_schemas::result::Status;
use glovebox_tests::fleet::eventually;
use glovebox_tests::relay::{Door, Relay};
use glovebox_tests::{Fleet, Runner, Services};

use crate::common::brief;

const RUNNERS: usize = 12;
const JOBS: usize = 60;

/// Starts them all, then waits for all.
async fn herd(services: &Services) -> Vec<Runner> {
    let start = |_| Runner::spawn(services, &["--slots", "1"]).unwrap();
    let runners: Vec<_> = (0..RUNNERS).map(start).collect();
    for runner in &runners {
        runner.says("consuming").await.unwrap();
    }
    runners
}

async fn backlog(fleet: &Fleet) -> Vec<Job> {
    let jobs: Vec<_> = (0..JOBS).map(|_| brief()).collect();
    for job in &jobs {
        fleet.client.submit(job).await.unwrap();
    }
    jobs
}

/// Each was done once, at the first attempt.
async fn done(fleet: &Fleet, jobs: &[Job]) {
    for job in jobs {
        let result = fleet.result(&job.id).await.unwrap();
        assert_eq!(
            (result.status, result.attempt),
            (Status::Succeeded, 1),
            "{result:?}"
        );
        assert_eq!(fleet.starts(&job.id).await.unwrap(), 1);
    }
    fleet.drained().await.unwrap();
}

/// The most arrivals in any 50 ms.
fn crowd(arrivals: &[Instant]) -> usize {
    let near = |first: &Instant| {
        let last = *first + Duration::from_millis(50);
        let group = arrivals.iter().filter(|at| (first..=&last).contains(at));
        group.count()
    };
    arrivals.iter().map(near).max().unwrap_or(0)
}

#[tokio::test]
async fn runners_that_lost_the_broker_do_not_come_back_in_one_instant() {
    let fleet = Fleet::new().await.unwrap();
    let relay = Relay::start(&fleet.services.amqp_url).unwrap();
    let services = Services {
        amqp_url: relay.url().to_owned(),
        ..fleet.services.clone()
    };
    let runners = herd(&services).await;
    relay.door(Door::Shut);
    let before = relay.made();
    relay.reset();
    let jobs = backlog(&fleet).await;
    // All have tried at once, and then again, each in its own time.
    eventually("each has tried again three times", async || {
        Ok(relay.made() >= before + 4 * RUNNERS)
    })
    .await
    .unwrap();
    let arrivals = relay.arrivals();
    let crowd = crowd(&arrivals[before + RUNNERS..]);
    assert!(
        crowd <= RUNNERS * 2 / 3,
        "{crowd} of {RUNNERS} in one instant"
    );
    relay.mend();
    done(&fleet, &jobs).await;
    for mut runner in runners {
        runner.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_fleet_that_is_restarted_loses_and_repeats_nothing() {
    let fleet = Fleet::new().await.unwrap();
    let old = herd(&fleet.services).await;
    let jobs = backlog(&fleet).await;
    for runner in &old {
        runner.terminate().unwrap();
    }
    let new = herd(&fleet.services).await;
    for mut runner in old {
        assert_eq!(runner.ended().await.unwrap(), 0, "{}", runner.log());
    }
    done(&fleet, &jobs).await;
    for mut runner in new {
        runner.stop().await.unwrap();
    }
}
