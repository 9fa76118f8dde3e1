//! One id sent twice, cancelled while it ends, or too old when its turn comes: one final state, and the same for all.

use std::time::Duration;

use glovebox_schemas::result::Status;
use glovebox_tests::Fleet;
use glovebox_tests::fleet::{eventually, gate};
use jiff::Timestamp;

use crate::common::{brief, stored};

#[tokio::test]
async fn one_id_at_two_runners_is_run_by_one() {
    let fleet = Fleet::new().await.unwrap();
    let runners = [
        fleet.runner(1).await.unwrap(),
        fleet.runner(1).await.unwrap(),
    ];
    let job = gate();
    let body = job.to_wire_json();
    for _ in 0..2 {
        fleet
            .publish("default", &body, Some(job.id.as_str()))
            .await
            .unwrap();
    }
    fleet.started(&job.id, 1).await.unwrap();
    eventually("both messages are taken", async || {
        Ok(fleet.waiting("default").await? == 0)
    })
    .await
    .unwrap();
    // Whoever has the other message does not sit on its slot.
    fleet.run(&brief()).await.unwrap();
    let state = fleet.state(&job.id).await.unwrap();
    assert_eq!((&*state["state"], &*state["attempt"]), ("running", "1"));
    let running = runners
        .iter()
        .filter(|runner| runner.release().is_ok())
        .map(|runner| &runner.name);
    let running: Vec<_> = running.collect();
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!((result.status, result.attempt), (Status::Succeeded, 1));
    assert_eq!(running, [&result.runner]);
    fleet.drained().await.unwrap();
    assert_eq!(fleet.starts(&job.id).await.unwrap(), 1);
    assert_eq!(stored(&fleet, &job).await, result);
    for runner in runners {
        fleet.stop_settled(runner).await.unwrap();
    }
}

#[tokio::test]
async fn a_cancellation_that_races_the_end_leaves_one_final_state() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let mut ends = Vec::new();
    for round in 0..16 {
        let job = gate();
        fleet.client.submit(&job).await.unwrap();
        fleet.started(&job.id, 1).await.unwrap();
        let cancel = async {
            tokio::time::sleep(Duration::from_millis(round)).await;
            fleet.client.cancel(&job.id).await.unwrap();
        };
        let end = async { runner.release().unwrap() };
        tokio::join!(end, cancel);
        let result = fleet.result(&job.id).await.unwrap();
        assert!(
            matches!(result.status, Status::Succeeded | Status::Cancelled),
            "{result:?}"
        );
        fleet.drained().await.unwrap();
        assert_eq!(runner.warden().unwrap().leaves().unwrap(), []);
        assert_eq!(stored(&fleet, &job).await, result);
        assert_eq!(fleet.state(&job.id).await.unwrap()["state"], "done");
        ends.push(result.status);
    }
    // Else nothing was raced.
    assert!(ends.contains(&Status::Succeeded), "{ends:?}");
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_job_that_expires_while_it_waits_is_not_started() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let before = gate();
    fleet.client.submit(&before).await.unwrap();
    fleet.started(&before.id, 1).await.unwrap();
    let mut job = brief();
    let soon = Timestamp::now() + Duration::from_millis(300);
    job.expires_at = Some(soon);
    fleet.client.submit(&job).await.unwrap();
    eventually("its time is over", async || Ok(Timestamp::now() > soon))
        .await
        .unwrap();
    runner.release().unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!(result.status, Status::Expired, "{result:?}");
    fleet.drained().await.unwrap();
    assert_eq!(fleet.starts(&job.id).await.unwrap(), 0);
    fleet.stop_settled(runner).await.unwrap();
}
