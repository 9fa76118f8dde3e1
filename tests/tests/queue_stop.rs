//! However a runner stops, each job has one result, and nothing is left of the runner.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use glovebox_schemas::job::Job;
use glovebox_schemas::names::MAX_ATTEMPTS;
use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::fleet::{eventually, gate, python};
use glovebox_tests::processes::{Process, cgroups_of};
use glovebox_tests::relay::{Door, Relay};
use glovebox_tests::{Fleet, Runner, Services};
use nix::sys::signal::Signal;

/// A runner with a job that waits to be released.
async fn busy(fleet: &Fleet) -> (Runner, Job) {
    let runner = fleet.runner(1).await.unwrap();
    let job = gate();
    fleet.client.submit(&job).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    (runner, job)
}

/// The job must come to `runner` for the second time; lets it go on and gives its result.
async fn second_attempt(fleet: &Fleet, runner: &Runner, job: &Job) -> JobResult {
    fleet.started(&job.id, 2).await.unwrap();
    assert_eq!(fleet.stored(&job.id).await.unwrap(), None);
    runner.release().unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!(result.status, Status::Succeeded, "{result:?}");
    assert_eq!((result.attempt, &result.runner), (2, &runner.name));
    assert_eq!(result.stdout, "ready\nreleased\n");
    result
}

#[tokio::test]
async fn the_first_signal_lets_the_running_job_end_and_takes_no_other() {
    let fleet = Fleet::new().await.unwrap();
    let (mut runner, job) = busy(&fleet).await;
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(python(""));
        fleet
            .client
            .submit(&others[others.len() - 1])
            .await
            .unwrap();
    }

    runner.terminate().unwrap();
    runner.says("nothing new is taken").await.unwrap();
    runner.release().unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!(result.status, Status::Succeeded);
    assert_eq!(result.stdout, "ready\nreleased\n");
    assert_eq!(runner.ended().await.unwrap(), 0, "{}", runner.log());

    assert_eq!(fleet.waiting("default").await.unwrap(), 3);
    for other in &others {
        assert_eq!(fleet.state(&other.id).await.unwrap()["state"], "queued");
    }
    let next = fleet.runner(1).await.unwrap();
    for other in &others {
        let result = fleet.result(&other.id).await.unwrap();
        assert_eq!((result.attempt, &result.runner), (1, &next.name));
    }
    fleet.stop_settled(next).await.unwrap();
    assert_eq!(fleet.starts(&job.id).await.unwrap(), 1);
}

#[tokio::test]
async fn a_job_that_waits_for_a_slot_is_not_started_after_the_signal() {
    let fleet = Fleet::new().await.unwrap();
    let lanes = ["--slots", "1", "--lane", "default", "--lane", "other"];
    let mut runner = Runner::spawn(&fleet.services, &lanes).unwrap();
    runner.says("consuming").await.unwrap();
    let running = gate();
    fleet.client.submit(&running).await.unwrap();
    fleet.started(&running.id, 1).await.unwrap();
    let mut waiting = python("print('ready')");
    waiting.stream = true;
    waiting.lane = "other".to_owned();
    fleet.client.submit(&waiting).await.unwrap();
    eventually("it is taken from the queue", async || {
        Ok(fleet.waiting("other").await? == 0)
    })
    .await
    .unwrap();

    runner.terminate().unwrap();
    runner.says("nothing new is taken").await.unwrap();
    runner.release().unwrap();
    assert_eq!(runner.ended().await.unwrap(), 0, "{}", runner.log());
    assert_eq!(fleet.starts(&waiting.id).await.unwrap(), 0);
    assert_eq!(fleet.waiting("other").await.unwrap(), 1);
}

#[tokio::test]
async fn the_second_signal_gives_the_running_job_back() {
    let fleet = Fleet::new().await.unwrap();
    let (mut runner, job) = busy(&fleet).await;
    let next = fleet.runner(1).await.unwrap();
    runner.terminate().unwrap();
    runner.says("nothing new is taken").await.unwrap();
    runner.terminate().unwrap();
    runner.says("not waiting any longer").await.unwrap();

    second_attempt(&fleet, &next, &job).await;
    assert_eq!(runner.ended().await.unwrap(), 0, "{}", runner.log());
    fleet.stop_settled(next).await.unwrap();
}

#[tokio::test]
async fn past_the_drain_the_running_job_is_given_back() {
    let fleet = Fleet::new().await.unwrap();
    let arguments = ["--slots", "1", "--drain", "0"];
    let mut runner = Runner::spawn(&fleet.services, &arguments).unwrap();
    runner.says("consuming").await.unwrap();
    let job = gate();
    fleet.client.submit(&job).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    runner.terminate().unwrap();
    assert_eq!(runner.ended().await.unwrap(), 0, "{}", runner.log());

    let next = fleet.runner(1).await.unwrap();
    second_attempt(&fleet, &next, &job).await;
    fleet.stop_settled(next).await.unwrap();
}

/// Kills the one that `which` picks, then sees that the job is run again and that nothing is left.
async fn killed(which: impl Fn(&Runner) -> Process, exit_code: i32) {
    let fleet = Fleet::new().await.unwrap();
    let (mut runner, job) = busy(&fleet).await;
    let warden = runner.warden().unwrap();
    let inmates = warden.leaves().unwrap();
    assert!(!cgroups_of(warden).is_empty());

    which(&runner).signal(Signal::SIGKILL).unwrap();
    let code = runner.ended().await.unwrap();
    assert_eq!(code, exit_code, "{}", runner.log());
    // Its log closes a moment before a process is gone.
    eventually("nothing of it runs", async || {
        Ok(!warden.is_alive() && inmates.iter().all(|inmate| !inmate.is_alive()))
    })
    .await
    .unwrap();

    let next = fleet.runner(1).await.unwrap();
    assert_eq!(cgroups_of(warden), Vec::<std::path::PathBuf>::new());
    let result = second_attempt(&fleet, &next, &job).await;
    fleet.stop_settled(next).await.unwrap();
    assert_eq!(fleet.starts(&job.id).await.unwrap(), 2);
    assert_eq!(fleet.result(&job.id).await.unwrap(), result);
}

#[tokio::test]
async fn a_killed_supervisor_takes_everything_with_it() {
    killed(Runner::supervisor, 128 + 9).await;
}

#[tokio::test]
async fn a_killed_worker_takes_everything_with_it() {
    killed(|runner| runner.worker().unwrap(), 128 + 9).await;
}

#[tokio::test]
async fn a_killed_warden_is_replaced_and_its_job_tried_again() {
    let fleet = Fleet::new().await.unwrap();
    let (runner, job) = busy(&fleet).await;
    let warden = runner.warden().unwrap();
    let inmates = warden.leaves().unwrap();
    warden.signal(Signal::SIGKILL).unwrap();

    let result = second_attempt(&fleet, &runner, &job).await;
    assert!(!warden.is_alive());
    assert!(inmates.iter().all(|inmate| !inmate.is_alive()));
    assert_ne!(runner.warden().unwrap(), warden);
    fleet.stop_settled(runner).await.unwrap();
    assert_eq!(fleet.result(&job.id).await.unwrap(), result);

    let mut next = fleet.runner(1).await.unwrap();
    assert_eq!(cgroups_of(warden), Vec::<std::path::PathBuf>::new());
    next.stop().await.unwrap();
}

#[tokio::test]
async fn a_clean_stop_leaves_no_cgroup() {
    let fleet = Fleet::new().await.unwrap();
    let mut runner = fleet.runner(2).await.unwrap();
    let warden = runner.warden().unwrap();
    fleet.run(&python("")).await.unwrap();
    assert!(!cgroups_of(warden).is_empty());
    runner.stop().await.unwrap();
    assert_eq!(cgroups_of(warden), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn a_job_that_kills_every_runner_has_a_result_and_is_a_dead_letter() {
    let fleet = Fleet::new().await.unwrap();
    let job = gate();
    fleet.client.submit(&job).await.unwrap();
    for attempt in 1..=MAX_ATTEMPTS as usize {
        let mut runner = fleet.runner(1).await.unwrap();
        fleet.started(&job.id, attempt).await.unwrap();
        runner.worker().unwrap().signal(Signal::SIGKILL).unwrap();
        runner.ended().await.unwrap();
    }
    let runner = fleet.runner(1).await.unwrap();
    assert_eq!(fleet.dead_letter().await.unwrap(), job.to_wire_json());
    fleet.run(&python("")).await.unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    let ended: Vec<_> = result
        .earlier_attempts
        .iter()
        .map(|one| &*one.ended)
        .collect();
    assert_eq!(
        (result.status, ended),
        (Status::Error, vec!["runner_lost"; 4])
    );
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn what_runs_when_rabbitmq_is_away_is_ended_in_order_all_the_same() {
    for door in [Door::Shut, Door::Mute] {
        stops_without_rabbitmq(door).await;
    }
}

async fn stops_without_rabbitmq(door: Door) {
    let fleet = Fleet::new().await.unwrap();
    let relay = Relay::start(&fleet.services.amqp_url).unwrap();
    let services = Services {
        amqp_url: relay.url().to_owned(),
        ..fleet.services.clone()
    };
    let mut runner = Runner::spawn(&services, &["--slots", "1"]).unwrap();
    let job = gate();
    fleet.client.submit(&job).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    relay.door(door);
    let before = relay.made();
    relay.cut();
    eventually("it connects anew", async || Ok(relay.made() > before))
        .await
        .unwrap();

    runner.terminate().unwrap();
    runner.says("nothing new is taken").await.unwrap();
    runner.release().unwrap();
    let released = Instant::now();
    let result = fleet.result(&job.id).await.unwrap();

    assert_eq!((result.status, result.attempt), (Status::Succeeded, 1));
    assert_eq!(runner.ended().await.unwrap(), 0, "{}", runner.log());
    // It waits for no server that does not answer: a connection has 30 s.
    assert!(released.elapsed() < Duration::from_secs(10));
    let next = fleet.runner(1).await.unwrap();
    fleet.run(&python("")).await.unwrap();
    fleet.stop_settled(next).await.unwrap();
    assert_eq!(fleet.starts(&job.id).await.unwrap(), 1);
}
