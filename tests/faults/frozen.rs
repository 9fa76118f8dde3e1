//! A runner that freezes past its lease and wakes up: somebody else has its job by then, and its own attempt counts
//! for nothing.

use glovebox_schemas::job::Job;
use glovebox_schemas::result::Status;
use glovebox_tests::fleet::{eventually, gate};
use glovebox_tests::processes::Process;
use glovebox_tests::{Fleet, Runner};
use nix::sys::signal::Signal;

use crate::common::{brief, stored};

/// A frozen runner whose job another one has started meanwhile.
struct Overtaken {
    fleet: Fleet,
    frozen: Vec<Process>,
    first: Runner,
    second: Runner,
    job: Job,
}

async fn overtaken(freeze: impl Fn(&Runner) -> Vec<Process>) -> Overtaken {
    let fleet = Fleet::new().await.unwrap();
    let first = fleet.runner(1).await.unwrap();
    let mut job = gate();
    // It must not end by itself, however long the other one takes to start it.
    job.limits.wall_ms = Some(600_000);
    fleet.client.submit(&job).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    let frozen = freeze(&first);
    let second = fleet.runner(1).await.unwrap();
    // The broker gives it up after two to three heartbeats, and its lease is over by then.
    fleet.started(&job.id, 2).await.unwrap();
    Overtaken {
        fleet,
        frozen,
        first,
        second,
        job,
    }
}

fn frozen(processes: Vec<Process>) -> Vec<Process> {
    signal(&processes, Signal::SIGSTOP);
    processes
}

fn signal(processes: &[Process], signal: Signal) {
    for process in processes {
        process.signal(signal).unwrap();
    }
}

impl Overtaken {
    /// The stale attempt is killed without anybody's help, the one result stands, and both runners serve.
    async fn settled(self) {
        let Self {
            fleet,
            first,
            second,
            job,
            ..
        } = self;
        let warden = first.warden().unwrap();
        eventually("the stale cell is gone", async || {
            Ok(warden.leaves()?.is_empty())
        })
        .await
        .unwrap();
        let result = stored(&fleet, &job).await;
        assert_eq!((&result.runner, result.attempt), (&second.name, 2));
        fleet.stop_settled(second).await.unwrap();
        assert_eq!(fleet.run(&brief()).await.unwrap().runner, first.name);
        fleet.stop_settled(first).await.unwrap();
        assert_eq!(stored(&fleet, &job).await, result);
        assert_eq!(fleet.starts(&job.id).await.unwrap(), 2);
    }
}

/// A worker that is frozen can't end its cells, and others may begin its jobs: the warden does it alone.
#[tokio::test]
async fn the_warden_ends_the_cells_of_a_frozen_worker() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let mut job = gate();
    job.limits.wall_ms = Some(600_000);
    fleet.client.submit(&job).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    let inmates = runner.warden().unwrap().leaves().unwrap();
    let worker = [runner.worker().unwrap()];
    signal(&worker, Signal::SIGSTOP);
    eventually("its cell is gone", async || {
        Ok(inmates.iter().all(|inmate| !inmate.is_alive()))
    })
    .await
    .unwrap();
    signal(&worker, Signal::SIGCONT);
    fleet.started(&job.id, 2).await.unwrap();
    runner.release().unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!((result.status, result.attempt), (Status::Succeeded, 2));
    let ended = &result.earlier_attempts[0].ended;
    assert_eq!(ended, "given_back");
    fleet.stop_settled(runner).await.unwrap();
}

/// All of it, with the job, as a suspended virtual machine is.
#[tokio::test]
async fn a_runner_that_wakes_up_after_the_result_changes_nothing() {
    let all = |runner: &Runner| {
        let parts = runner.parts().unwrap().into_iter();
        let cells = runner.warden().unwrap().leaves().unwrap();
        frozen(parts.chain(cells).collect())
    };
    let overtaken = overtaken(all).await;
    overtaken.second.release().unwrap();
    overtaken.fleet.result(&overtaken.job.id).await.unwrap();
    signal(&overtaken.frozen, Signal::SIGCONT);
    overtaken.settled().await;
}

/// Its job ends while it is frozen: it wakes up with a result in its hands, and the other one is still at it.
#[tokio::test]
async fn a_worker_that_wakes_up_with_a_stale_result_throws_it_away() {
    let overtaken = overtaken(|runner| {
        let worker = frozen(vec![runner.worker().unwrap()]);
        // At once: the warden ends the cells of a frozen worker before anybody else may begin its jobs.
        runner.release().unwrap();
        worker
    })
    .await;
    signal(&overtaken.frozen, Signal::SIGCONT);
    // It has seen that it was overtaken when it consumes again.
    overtaken
        .first
        .says_from(first_line(&overtaken.first), "consuming")
        .await
        .unwrap();
    assert_eq!(
        overtaken.fleet.stored(&overtaken.job.id).await.unwrap(),
        None
    );
    overtaken.second.release().unwrap();
    overtaken.fleet.result(&overtaken.job.id).await.unwrap();
    overtaken.settled().await;
}

/// The number of the line after the first `consuming`.
fn first_line(runner: &Runner) -> usize {
    let log = runner.log();
    let at = log.lines().position(|line| line.contains("consuming"));
    at.map_or(0, |at| at + 1)
}
