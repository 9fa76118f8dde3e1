//! A job is cancelled wherever it is, and nothing of it goes on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_schemas::result::Status;
use glovebox_tests::Fleet;
use glovebox_tests::fleet::{gate, python};

#[tokio::test]
async fn a_running_job_is_stopped() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let mut job = python("print('ready')\nwhile True: pass");
    job.stream = true;
    fleet.client.submit(&job).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    let [inmate] = runner.warden().unwrap().leaves().unwrap()[..] else {
        panic!("one process is the job");
    };

    let said = fleet.glovebox(&["cancel", job.id.as_str()]).await.unwrap();
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(said.stdout, "cancelled; it was running\n");
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!((result.status, result.limit), (Status::Cancelled, None));
    assert_eq!(result.stdout, "ready\n");
    assert!(!inmate.is_alive());

    let late = fleet.glovebox(&["cancel", job.id.as_str()]).await.unwrap();
    assert_eq!(late.stdout, "not cancelled; it was done\n");
    fleet.run(&python("")).await.unwrap();
    fleet.stop_settled(runner).await.unwrap();
    assert_eq!(fleet.result(&job.id).await.unwrap(), result);
}

#[tokio::test]
async fn a_queued_job_is_never_started() {
    let fleet = Fleet::new().await.unwrap();
    let job = gate();
    fleet.client.submit(&job).await.unwrap();
    let said = fleet.glovebox(&["cancel", job.id.as_str()]).await.unwrap();
    assert_eq!(said.stdout, "cancelled; it was queued\n");
    // Nobody has to take it from the queue for that.
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!(result.status, Status::Cancelled);
    assert_eq!(fleet.state(&job.id).await.unwrap()["state"], "done");

    let runner = fleet.runner(1).await.unwrap();
    fleet.run(&python("")).await.unwrap();
    fleet.stop_settled(runner).await.unwrap();
    assert_eq!(fleet.starts(&job.id).await.unwrap(), 0);
    assert_eq!(fleet.result(&job.id).await.unwrap(), result);
}

#[tokio::test]
async fn a_neighbour_is_not_touched() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(2).await.unwrap();
    let (meant, other) = (gate(), gate());
    for job in [&meant, &other] {
        fleet.client.submit(job).await.unwrap();
        fleet.started(&job.id, 1).await.unwrap();
    }
    fleet.client.cancel(&meant.id).await.unwrap();
    assert_eq!(
        fleet.result(&meant.id).await.unwrap().status,
        Status::Cancelled
    );

    assert_eq!(fleet.stored(&other.id).await.unwrap(), None);
    runner.release().unwrap();
    assert_eq!(
        fleet.result(&other.id).await.unwrap().status,
        Status::Succeeded
    );
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_job_that_waits_for_a_slot_of_its_runner_is_never_started() {
    let fleet = Fleet::new().await.unwrap();
    // Each lane has a delivery of its own, and both share the one slot.
    let lanes = ["--slots", "1", "--lane", "default", "--lane", "other"];
    let runner = glovebox_tests::Runner::spawn(&fleet.services, &lanes).unwrap();
    runner.says("consuming").await.unwrap();
    let running = gate();
    fleet.client.submit(&running).await.unwrap();
    fleet.started(&running.id, 1).await.unwrap();
    let mut waiting = gate();
    waiting.lane = "other".to_owned();
    fleet.client.submit(&waiting).await.unwrap();
    glovebox_tests::fleet::eventually("it is taken from the queue", async || {
        Ok(fleet.waiting("other").await? == 0)
    })
    .await
    .unwrap();

    fleet.client.cancel(&waiting.id).await.unwrap();
    // It does not wait for the slot only to be told.
    let result = fleet.result(&waiting.id).await.unwrap();
    assert_eq!(result.status, Status::Cancelled);
    runner.release().unwrap();
    fleet.result(&running.id).await.unwrap();
    fleet.stop_settled(runner).await.unwrap();
    assert_eq!(fleet.starts(&waiting.id).await.unwrap(), 0);
}
