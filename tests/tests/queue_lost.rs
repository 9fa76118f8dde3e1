//! What can be seen of a runner while it works, once it was killed, and after it stopped in order.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_scheduler::{Client, Condition, RunnerState};
use glovebox_schemas::names::{runner_key, state_key};
use glovebox_schemas::result::Status;
use glovebox_tests::Fleet;
use glovebox_tests::fleet::{eventually, gate, python};
use nix::sys::signal::Signal;

/// The runner of this name, if it is listed.
async fn listed(fleet: &Fleet, name: &str) -> Option<RunnerState> {
    let runners = fleet.client.runners().await.unwrap();
    runners.into_iter().find(|runner| runner.name == name)
}

async fn ask(fleet: &Fleet, command: &str, arguments: &[&str]) -> i64 {
    let mut redis = fleet.redis.clone();
    let mut command = redis::cmd(command);
    let asked = command.arg(arguments).query_async(&mut redis);
    asked.await.unwrap()
}

#[tokio::test]
async fn a_killed_runner_and_its_job_show_as_lost_within_ten_seconds() {
    let fleet = Fleet::new().await.unwrap();
    let mut runner = fleet.runner(2).await.unwrap();
    let job = gate();
    fleet.client.submit(&job).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    eventually("it says that it is busy", async || {
        let listed = listed(&fleet, &runner.name).await;
        Ok(listed.is_some_and(|it| it.busy == Some(1) && it.condition == Condition::Consuming))
    })
    .await
    .unwrap();
    let state = fleet.client.state(&job.id).await.unwrap().unwrap();
    assert_eq!(state.runner.as_ref(), Some(&runner.name));
    assert!(!state.is_lost && state.since.is_some(), "{state:?}");

    runner.supervisor().signal(Signal::SIGKILL).unwrap();
    runner.ended().await.unwrap();
    let left_ms = ask(&fleet, "PTTL", &[&runner_key(&runner.name)]).await;
    assert!((1..10_000).contains(&left_ms), "{left_ms}");
    // Nothing else has to happen, so it need not be waited for.
    ask(&fleet, "PEXPIRE", &[&runner_key(&runner.name), "1"]).await;
    eventually("it is lost", async || {
        let listed = listed(&fleet, &runner.name).await;
        Ok(listed.is_some_and(|it| it.condition == Condition::Lost))
    })
    .await
    .unwrap();

    let state = fleet.client.state(&job.id).await.unwrap().unwrap();
    assert!(state.is_lost, "{state:?}");
    let said = fleet.glovebox(&["result", job.id.as_str()]).await.unwrap();
    let lost = format!("was running on {}, which is lost", runner.name);
    assert!(said.stderr.contains(&lost), "{said:?}");
}

#[tokio::test]
async fn a_runner_that_stops_in_order_is_listed_no_more() {
    let fleet = Fleet::new().await.unwrap();
    let mut runner = fleet.runner(1).await.unwrap();
    eventually("it is there", async || {
        Ok(listed(&fleet, &runner.name).await.is_some())
    })
    .await
    .unwrap();

    runner.stop().await.unwrap();

    assert_eq!(listed(&fleet, &runner.name).await, None);
}

#[tokio::test]
async fn a_running_job_is_cancelled_although_its_owner_does_not_reach_rabbitmq() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let mut job = python("print('ready')\nwhile True: pass");
    job.stream = true;
    fleet.client.submit(&job).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    let owner = Client::new("amqp://127.0.0.1:1/%2f", &fleet.services.redis_url);

    let cancelled = owner.cancel(&job.id).await.unwrap();

    assert!(cancelled.untold.is_some(), "{cancelled:?}");
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!(result.status, Status::Cancelled);
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_job_that_another_runner_has_taken_over_is_ended() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let job = gate();
    fleet.client.submit(&job).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    let other = format!("other-{}", job.id);
    ask(&fleet, "HSET", &[&runner_key(&other), "instance", "living"]).await;
    let state = state_key(&job.id);
    let taken = [&*state, "instance", "living", "runner", &other];

    ask(&fleet, "HSET", &taken).await;

    runner
        .says("another runner has taken it over")
        .await
        .unwrap();
    // Its message comes again, and waits until the other one is lost.
    ask(&fleet, "DEL", &[&runner_key(&other)]).await;
    fleet.started(&job.id, 2).await.unwrap();
    runner.release().unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!((result.status, result.attempt), (Status::Succeeded, 2));
    fleet.stop_settled(runner).await.unwrap();
}
