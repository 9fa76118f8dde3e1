//! A runner that is killed at each stage of a delivery's way: the next one finds out what is left to do.

use glovebox_runner::Stage;
use glovebox_schemas::result::Status;
use glovebox_tests::Fleet;
use glovebox_tests::fleet::eventually;
use glovebox_tests::processes::cgroups_of;
use nix::sys::signal::Signal;

use crate::common::{brief, calling_back, faulty, ordered, stored};

async fn killed_at(stage: Stage) {
    let fleet = Fleet::new().await.unwrap();
    let mut dying = faulty(&fleet.services, &format!("{stage:?}"), "kill").await;
    let warden = dying.warden().unwrap();
    let job = calling_back();
    fleet.client.submit(&job).await.unwrap();
    assert_eq!(dying.ended().await.unwrap(), 128 + 9, "{}", dying.log());
    assert_eq!(cgroups_of(warden), Vec::<std::path::PathBuf>::new());

    let next = fleet.runner(1).await.unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!(result.status, Status::Succeeded, "{result:?}");
    assert_eq!(result.stdout, "ready\n");
    let (runner, attempt) = match position(stage) {
        at if at < position(Stage::Begun) => (&next.name, 1),
        at if at < position(Stage::Stored) => (&next.name, 2),
        _ => (&dying.name, 1),
    };
    assert_eq!((&result.runner, result.attempt), (runner, attempt));
    let lost = result.earlier_attempts.iter();
    let lost: Vec<_> = lost
        .map(|one| (one.attempt, &*one.runner, &*one.ended))
        .collect();
    let expected = (1, &*dying.name, "runner_lost");
    assert_eq!(lost, vec![expected; usize::from(attempt == 2)]);
    // Where the result was there before, its message may still be on its way to the next.
    fleet.drained().await.unwrap();
    fleet.stop_settled(next).await.unwrap();
    assert_eq!(stored(&fleet, &job).await, result);
    // Whoever died, somebody has had the end told; once more than needed only if it died before it could note that.
    assert_eq!(ordered(&fleet).await, [job.id]);
}

/// A task that panics leaves nothing waiting for ever: the runner ends with it.
#[tokio::test]
async fn a_panic_ends_the_runner_and_not_the_job() {
    let fleet = Fleet::new().await.unwrap();
    let mut dying = faulty(&fleet.services, "Ended", "panic").await;
    let job = brief();
    fleet.client.submit(&job).await.unwrap();
    assert_eq!(dying.ended().await.unwrap(), 128 + 6, "{}", dying.log());
    let next = fleet.runner(1).await.unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!((result.status, result.attempt), (Status::Succeeded, 2));
    fleet.stop_settled(next).await.unwrap();
}

/// The whole of it dies, and not by its own hand.
#[tokio::test]
async fn a_supervisor_killed_amid_a_cell_leaves_nothing() {
    let fleet = Fleet::new().await.unwrap();
    let mut dying = faulty(&fleet.services, "Launched", "freeze").await;
    let warden = dying.warden().unwrap();
    let job = brief();
    fleet.client.submit(&job).await.unwrap();
    dying.says("faulty: Launched").await.unwrap();
    dying.supervisor().signal(Signal::SIGKILL).unwrap();
    assert_eq!(dying.ended().await.unwrap(), 128 + 9, "{}", dying.log());
    eventually("the warden is gone", async || Ok(!warden.is_alive()))
        .await
        .unwrap();

    let next = fleet.runner(1).await.unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!((&result.runner, result.attempt), (&next.name, 2));
    assert_eq!(cgroups_of(warden), Vec::<std::path::PathBuf>::new());
    fleet.stop_settled(next).await.unwrap();
}

fn position(stage: Stage) -> Option<usize> {
    Stage::ALL.iter().position(|one| *one == stage)
}

/// One test a stage; a stage without a test does not compile.
macro_rules! killed_at {
    ($($stage:ident => $name:ident,)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                killed_at(Stage::$stage).await;
            }
        )*

        #[test]
        fn every_stage_has_a_test() {
            assert_eq!(Stage::ALL, [$(Stage::$stage),*]);
        }
    };
}

killed_at! {
    Received => killed_before_the_message_is_read,
    Parsed => killed_when_it_is_a_job,
    Placed => killed_with_a_slot,
    Begun => killed_when_it_is_said_to_run,
    Planned => killed_before_its_cell,
    Launched => killed_amid_its_cell,
    Ended => killed_after_its_cell,
    Judged => killed_before_the_result_is_stored,
    Stored => killed_between_result_and_callback,
    CalledBack => killed_between_callback_and_ack,
    Settled => killed_after_the_ack,
}
