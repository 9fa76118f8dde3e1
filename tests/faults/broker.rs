//! RabbitMQ dies, freezes, throws the runner out or takes no messages: jobs go on, their results are stored, and the
//! runner consumes again by itself.

use std::time::{Duration, Instant};

use glovebox_scheduler::Client;
use glovebox_schemas::job::Job;
use glovebox_schemas::names::{DEFAULT_LANE, queue};
use glovebox_schemas::result::Status;
use glovebox_tests::fleet::gate;
use glovebox_tests::relay::{Door, Relay};
use glovebox_tests::{Fleet, Rabbit, Runner, Services};
use lapin::options::QueueDeleteOptions;

use crate::common::{brief, stored};

/// How long a runner may be without its consumer after the broker has thrown it out.
const CONSUMES_WITHIN: Duration = Duration::from_secs(5);

/// A runner with two slots, and a job in one of them that waits to be released.
struct Busy {
    fleet: Fleet,
    runner: Runner,
    job: Job,
    /// The line of its log after it began to consume.
    line: usize,
}

impl Busy {
    async fn on(services: Services) -> Self {
        let fleet = Fleet::on(services).await.unwrap();
        let runner = fleet.runner(2).await.unwrap();
        let line = runner.says_from(0, "consuming").await.unwrap();
        let job = gate();
        fleet.client.submit(&job).await.unwrap();
        fleet.started(&job.id, 1).await.unwrap();
        Self {
            fleet,
            runner,
            job,
            line,
        }
    }

    async fn consumes_again(&self) {
        let since = Instant::now();
        self.runner.says_from(self.line, "consuming").await.unwrap();
        let took = since.elapsed();
        assert!(took < CONSUMES_WITHIN, "{took:?}\n{}", self.runner.log());
    }

    /// The job that ran meanwhile was not harmed and not repeated, and others are served.
    async fn goes_on(self) {
        let after = Fleet::on(self.fleet.services.clone()).await.unwrap();
        // Behind the message that came again.
        after.run(&brief()).await.unwrap();
        self.runner.release().unwrap();
        let result = after.result(&self.job.id).await.unwrap();
        assert_eq!((result.status, result.attempt), (Status::Succeeded, 1));
        after.stop_settled(self.runner).await.unwrap();
        assert_eq!(after.starts(&self.job.id).await.unwrap(), 1);
        assert_eq!(stored(&after, &self.job).await, result);
    }
}

/// On a broker that is this test's own.
async fn busy_on(rabbit: &Rabbit) -> Busy {
    Busy::on(Services {
        amqp_url: rabbit.vhost().unwrap(),
        redis_url: Services::shared_redis().unwrap(),
    })
    .await
}

#[tokio::test]
async fn a_frozen_broker_is_noticed_and_waited_for() {
    let rabbit = Rabbit::start().unwrap();
    let busy = busy_on(&rabbit).await;
    rabbit.freeze().unwrap();
    // Two to three heartbeats. Its result needs no broker.
    busy.runner.says("no connection").await.unwrap();
    busy.runner.release().unwrap();
    let result = busy.fleet.result(&busy.job.id).await.unwrap();
    rabbit.thaw().unwrap();
    busy.consumes_again().await;
    let after = Fleet::on(busy.fleet.services.clone()).await.unwrap();
    after.run(&brief()).await.unwrap();
    after.stop_settled(busy.runner).await.unwrap();
    assert_eq!(after.starts(&busy.job.id).await.unwrap(), 1);
    assert_eq!(stored(&after, &busy.job).await, result);
}

#[tokio::test]
async fn a_broker_that_is_away_for_long_is_not_given_up_nor_stormed() {
    let direct = Services::isolated().unwrap();
    let relay = Relay::start(&direct.amqp_url).unwrap();
    let busy = Busy::on(Services {
        amqp_url: relay.url().to_owned(),
        ..direct
    })
    .await;
    let before = relay.made();
    relay.door(Door::Shut);
    relay.reset();
    let since = Instant::now();
    // Far past the point where the delay is the longest.
    let mut line = busy.line;
    for _ in 0..8 {
        line = busy.runner.says_from(line, "no connection").await.unwrap();
    }
    let (attempts, seconds) = (relay.made() - before, since.elapsed().as_secs());
    assert!(attempts <= 12, "{attempts} attempts in {seconds} s");
    relay.mend();
    busy.runner.says_from(line, "consuming").await.unwrap();
    busy.goes_on().await;
}

#[tokio::test]
async fn connections_that_the_broker_closes_are_made_again() {
    let busy = Busy::on(Services::isolated().unwrap()).await;
    busy.fleet.services.close_connections().unwrap();
    busy.consumes_again().await;
    busy.goes_on().await;
}

#[tokio::test]
async fn a_channel_that_the_broker_closes_for_an_ack_that_is_late_is_made_again() {
    let rabbit = Rabbit::start_with(&["consumer_timeout = 1000"]).unwrap();
    // How often it looks; no line of its configuration says so.
    let tick = "application:set_env(rabbit, channel_tick_interval, 500)";
    rabbit.erl(tick).unwrap();
    let busy = busy_on(&rabbit).await;
    busy.runner.says_from(busy.line, "consuming").await.unwrap();
    busy.goes_on().await;
}

#[tokio::test]
async fn a_queue_that_is_deleted_is_declared_again() {
    let busy = Busy::on(Services::isolated().unwrap()).await;
    let options = QueueDeleteOptions::default();
    let name = queue(DEFAULT_LANE);
    let deleted = busy.fleet.channel.queue_delete(name.into(), options);
    deleted.await.unwrap();
    busy.consumes_again().await;
    busy.goes_on().await;
}

#[tokio::test]
async fn acks_and_results_go_on_while_the_broker_has_no_memory() {
    let rabbit = Rabbit::start().unwrap();
    let busy = busy_on(&rabbit).await;
    let Busy {
        fleet, runner, job, ..
    } = busy;
    let behind = brief();
    fleet.client.submit(&behind).await.unwrap();
    fleet.result(&behind.id).await.unwrap();
    rabbit.raise_alarm().unwrap();
    let client = Client::new(&fleet.services.amqp_url, &fleet.services.redis_url)
        .confirm_within(Duration::from_secs(3));
    let refused = client.submit(&brief()).await.unwrap_err();
    assert!(!matches!(
        refused,
        glovebox_scheduler::SubmitError::Rejected(_)
    ));
    runner.release().unwrap();
    fleet.result(&job.id).await.unwrap();
    fleet.stop_settled(runner).await.unwrap();

    rabbit.clear_alarm().unwrap();
    let next = fleet.runner(1).await.unwrap();
    let after = Fleet::on(fleet.services.clone()).await.unwrap();
    after.run(&brief()).await.unwrap();
    after.stop_settled(next).await.unwrap();
}
