//! Lanes: a flood in one keeps nobody of another waiting for more than what runs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_schemas::job::Job;
use glovebox_schemas::names::{BATCH_LANE, HIGH_LANE};
use glovebox_tests::fleet::{eventually, python};
use glovebox_tests::{Fleet, Redis, Runner, Services};
use jiff::Timestamp;

const SLOTS: usize = 2;

fn in_lane(lane: &str) -> Job {
    let mut job = python("import time; time.sleep(0.1)");
    job.lane = lane.to_owned();
    job
}

/// How many of those jobs began in that time.
async fn begun(fleet: &Fleet, jobs: &[Job], from: Timestamp, to: Timestamp) -> usize {
    let mut begun = 0;
    for job in jobs {
        let state = fleet.state(&job.id).await.unwrap();
        let since = state.get("since").and_then(|ms| ms.parse().ok());
        let since = since.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        begun += usize::from(since.is_some_and(|at| from < at && at < to));
    }
    begun
}

#[tokio::test]
async fn a_flood_of_batch_work_delays_an_interactive_job_by_one_run_a_slot_at_most() {
    let redis = Redis::start().unwrap();
    let services = Services {
        amqp_url: Services::isolated_vhost().unwrap(),
        redis_url: redis.url().to_owned(),
    };
    let fleet = Fleet::on(services).await.unwrap();
    // As it serves them if nothing is said: all three, by their weights.
    let runner = Runner::spawn(&fleet.services, &["--slots", &SLOTS.to_string()]).unwrap();
    runner.says("consuming").await.unwrap();
    // Of several tenants, so that many of the flood wait in the runner and not in a queue.
    let flood = (0..240).map(|number| {
        let mut job = in_lane(BATCH_LANE);
        job.tenant = format!("tenant-{}", number % 6);
        job
    });
    let flood: Vec<Job> = flood.collect();
    for job in &flood {
        fleet.client.submit(job).await.unwrap();
    }
    eventually("the flood is under way", async || {
        let done = fleet.stored(&flood[23].id).await?;
        Ok(done.is_some())
    })
    .await
    .unwrap();

    for _ in 0..5 {
        let urgent = in_lane(HIGH_LANE);
        let from = Timestamp::now();
        let result = fleet.run(&urgent).await.unwrap();
        let started = result.times.started_at.unwrap();
        let before = begun(&fleet, &flood, from, started).await;
        assert!(before <= SLOTS, "{before} began before it");
    }
    let left = fleet.waiting("batch.tenant-0").await.unwrap();
    assert!(left > 0, "the flood was over");
}
