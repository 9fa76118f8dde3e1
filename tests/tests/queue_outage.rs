//! Servers that go away and come back: nothing is lost, nothing is run twice, and a runner resumes unaided.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use glovebox_schemas::job::Job;
use glovebox_schemas::result::Status;
use glovebox_tests::fleet::{gate, python};
use glovebox_tests::{Fleet, Rabbit, Redis, Runner, Services};

/// A Redis to be harmed, and a runner on it with a job that waits to be released.
async fn busy_on_own_redis() -> (Redis, Fleet, Runner, Job) {
    let redis = Redis::start().unwrap();
    let services = Services {
        amqp_url: Services::isolated_vhost().unwrap(),
        redis_url: redis.url().to_owned(),
    };
    let fleet = Fleet::on(services).await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let job = gate();
    fleet.client.submit(&job).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    (redis, fleet, runner, job)
}

#[tokio::test]
async fn a_result_waits_until_redis_is_back() {
    let (redis, fleet, runner, job) = busy_on_own_redis().await;
    redis.kill().unwrap();
    runner.release().unwrap();
    runner.says("Redis is away").await.unwrap();

    redis.restart().unwrap();
    // The client that saw it go was told; a new one is not.
    let after = Fleet::on(fleet.services.clone()).await.unwrap();
    let result = after.result(&job.id).await.unwrap();
    assert_eq!((result.status, result.attempt), (Status::Succeeded, 1));
    assert_eq!(result.stdout, "ready\nreleased\n");
    assert_eq!(after.run(&python("print(2)")).await.unwrap().stdout, "2\n");
    after.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_job_is_not_acknowledged_before_its_result_is_stored() {
    let (redis, fleet, mut runner, job) = busy_on_own_redis().await;
    redis.kill().unwrap();
    runner.release().unwrap();
    runner.says("Redis is away").await.unwrap();
    runner
        .supervisor()
        .signal(nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    runner.ended().await.unwrap();

    redis.restart().unwrap();
    let after = Fleet::on(fleet.services.clone()).await.unwrap();
    let next = after.runner(1).await.unwrap();
    after.started(&job.id, 1).await.unwrap();
    next.release().unwrap();
    // This Redis keeps nothing: it has forgotten the first attempt.
    let result = after.result(&job.id).await.unwrap();
    assert_eq!((result.status, result.attempt), (Status::Succeeded, 1));
    after.stop_settled(next).await.unwrap();
}

#[tokio::test]
async fn a_frozen_redis_is_waited_for() {
    let (redis, fleet, runner, job) = busy_on_own_redis().await;
    redis.freeze().unwrap();
    runner.release().unwrap();
    runner.says("Redis is away").await.unwrap();
    redis.thaw().unwrap();

    let after = Fleet::on(fleet.services.clone()).await.unwrap();
    let result = after.result(&job.id).await.unwrap();
    assert_eq!((result.status, result.attempt), (Status::Succeeded, 1));
    assert_eq!(after.starts(&job.id).await.unwrap(), 1);
    after.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn the_second_signal_ends_a_runner_whose_redis_is_away() {
    let (redis, fleet, mut runner, job) = busy_on_own_redis().await;
    redis.kill().unwrap();
    runner.release().unwrap();
    runner.says("Redis is away").await.unwrap();
    runner.terminate().unwrap();
    runner.says("nothing new is taken").await.unwrap();
    runner.terminate().unwrap();
    runner.ended().await.unwrap();

    assert_eq!(fleet.waiting("default").await.unwrap(), 1);
    redis.restart().unwrap();
    let after = Fleet::on(fleet.services.clone()).await.unwrap();
    let next = after.runner(1).await.unwrap();
    after.started(&job.id, 1).await.unwrap();
    next.release().unwrap();
    after.result(&job.id).await.unwrap();
    after.stop_settled(next).await.unwrap();
}

/// A RabbitMQ to be harmed, and a runner on it that has run a job.
async fn served_on_own_rabbit(slots: u16) -> (Rabbit, Fleet, Runner) {
    let rabbit = Rabbit::start().unwrap();
    let services = Services {
        amqp_url: rabbit.vhost().unwrap(),
        redis_url: Services::shared_redis().unwrap(),
    };
    let fleet = Fleet::on(services).await.unwrap();
    let runner = fleet.runner(slots).await.unwrap();
    fleet.run(&python("")).await.unwrap();
    // RabbitMQ 3.10 forgets a quorum queue if it is killed within a second of its declaration, and
    // nothing tells when it does not any more.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    (rabbit, fleet, runner)
}

#[tokio::test]
async fn a_runner_resumes_when_rabbitmq_is_back() {
    let (rabbit, fleet, runner) = served_on_own_rabbit(1).await;
    let consuming = runner.says_from(0, "consuming").await.unwrap();
    let (amid, waiting) = (gate(), python("print(3)"));
    for job in [&amid, &waiting] {
        fleet.client.submit(job).await.unwrap();
    }
    fleet.started(&amid.id, 1).await.unwrap();

    rabbit.kill().unwrap();
    runner.says("no connection").await.unwrap();
    // Its result needs no RabbitMQ; its message comes again, and is recognised.
    runner.release().unwrap();
    let result = fleet.result(&amid.id).await.unwrap();
    assert_eq!((result.status, result.attempt), (Status::Succeeded, 1));
    rabbit.restart().unwrap();
    runner.says_from(consuming, "consuming").await.unwrap();

    assert_eq!(fleet.result(&waiting.id).await.unwrap().stdout, "3\n");
    let after = Fleet::on(fleet.services.clone()).await.unwrap();
    assert_eq!(after.run(&python("print(4)")).await.unwrap().stdout, "4\n");
    after.stop_settled(runner).await.unwrap();
    assert_eq!(fleet.starts(&amid.id).await.unwrap(), 1);
    assert_eq!(fleet.result(&amid.id).await.unwrap(), result);
}

#[tokio::test]
async fn a_job_that_outlives_an_outage_of_rabbitmq_is_run_once() {
    let (rabbit, fleet, runner) = served_on_own_rabbit(2).await;
    let consuming = runner.says_from(0, "consuming").await.unwrap();
    let job = gate();
    fleet.client.submit(&job).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    rabbit.kill().unwrap();
    rabbit.restart().unwrap();
    runner.says_from(consuming, "consuming").await.unwrap();
    let after = Fleet::on(fleet.services.clone()).await.unwrap();
    // Behind the message that came again.
    after.run(&python("")).await.unwrap();
    runner.release().unwrap();
    after.result(&job.id).await.unwrap();
    after.stop_settled(runner).await.unwrap();
    assert_eq!(after.starts(&job.id).await.unwrap(), 1);
}
