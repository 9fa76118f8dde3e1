//! A bad network between the runner and its servers: nothing is lost or done twice, and connections are made anew
//! only when the old ones are of no use.

use std::time::Duration;

use glovebox_schemas::job::Job;
use glovebox_schemas::result::Status;
use glovebox_tests::fleet::{eventually, gate, python};
use glovebox_tests::relay::{Flow, Relay};
use glovebox_tests::{Fleet, Runner, Services};

use crate::common::{brief, stored};

/// More connections than that would be a storm. A runner has some for each server.
const MOST_CONNECTIONS: usize = 12;

/// A runner that has a bad network, and a client that has none.
struct Far {
    fleet: Fleet,
    rabbit: Relay,
    redis: Relay,
    runner: Runner,
}

impl Far {
    async fn new(slots: &str) -> Self {
        let fleet = Fleet::new().await.unwrap();
        let rabbit = Relay::start(&fleet.services.amqp_url).unwrap();
        let redis = Relay::start(&fleet.services.redis_url).unwrap();
        let services = Services {
            amqp_url: rabbit.url().to_owned(),
            redis_url: redis.url().to_owned(),
        };
        let runner = Runner::spawn(&services, &["--slots", slots]).unwrap();
        runner.says("consuming").await.unwrap();
        Self {
            fleet,
            rabbit,
            redis,
            runner,
        }
    }

    /// A job that waits to be released.
    async fn busy(&self) -> Job {
        let job = gate();
        self.fleet.client.submit(&job).await.unwrap();
        self.fleet.started(&job.id, 1).await.unwrap();
        job
    }

    async fn submit(&self, jobs: usize) -> Vec<Job> {
        let mut sent = Vec::new();
        for _ in 0..jobs {
            let job = brief();
            self.fleet.client.submit(&job).await.unwrap();
            sent.push(job);
        }
        sent
    }

    /// Each has been run once and has its result, and nothing is left to do.
    async fn settled(self, jobs: &[Job]) {
        let Self { fleet, runner, .. } = self;
        let mut results = Vec::new();
        for job in jobs {
            let result = fleet.result(&job.id).await.unwrap();
            assert_eq!((result.status, result.attempt), (Status::Succeeded, 1));
            results.push(result);
        }
        fleet.drained().await.unwrap();
        fleet.stop_settled(runner).await.unwrap();
        for (job, result) in jobs.iter().zip(results) {
            assert_eq!(fleet.starts(&job.id).await.unwrap(), 1);
            assert_eq!(stored(&fleet, job).await, result);
        }
    }
}

/// Loses whatever goes one way between the runner and one of its servers, until the runner has noticed; others wait,
/// and one job ends, meanwhile.
async fn one_way(relay: impl Fn(&Far) -> &Relay, lose: impl Fn(&Relay)) {
    let far = Far::new("1").await;
    let mut jobs = vec![far.busy().await];
    let before = relay(&far).made();
    lose(relay(&far));
    jobs.extend(far.submit(4).await);
    far.runner.release().unwrap();
    eventually("it tries another connection", async || {
        Ok(relay(&far).made() > before)
    })
    .await
    .unwrap();
    relay(&far).mend();
    for job in &jobs {
        far.fleet.result(&job.id).await.unwrap();
    }
    let made = relay(&far).made() - before;
    assert!(made <= MOST_CONNECTIONS, "{made} connections");
    far.settled(&jobs).await;
}

#[tokio::test]
async fn what_the_runner_says_does_not_reach_rabbitmq() {
    one_way(|far| &far.rabbit, |relay| relay.to_server(Flow::Hold)).await;
}

#[tokio::test]
async fn what_rabbitmq_says_does_not_reach_the_runner() {
    one_way(|far| &far.rabbit, |relay| relay.to_client(Flow::Hold)).await;
}

#[tokio::test]
async fn what_the_runner_says_does_not_reach_redis() {
    one_way(|far| &far.redis, |relay| relay.to_server(Flow::Hold)).await;
}

#[tokio::test]
async fn what_redis_says_does_not_reach_the_runner() {
    one_way(|far| &far.redis, |relay| relay.to_client(Flow::Hold)).await;
}

#[tokio::test]
async fn connections_that_neither_end_hears_of_again_are_replaced() {
    let forget = |relay: &Relay| relay.forget();
    tokio::join!(
        one_way(|far| &far.rabbit, forget),
        one_way(|far| &far.redis, forget)
    );
}

#[tokio::test]
async fn resets_in_the_midst_of_everything() {
    let far = Far::new("2").await;
    let gate = far.busy().await;
    for round in 1..=5 {
        let jobs = far.submit(4).await;
        far.redis.reset();
        far.rabbit.reset();
        for job in &jobs {
            far.fleet.result(&job.id).await.unwrap();
        }
        let made = far.rabbit.made().max(far.redis.made());
        assert!(made <= MOST_CONNECTIONS * (round + 1), "{made} connections");
    }
    far.runner.release().unwrap();
    far.settled(&[gate]).await;
}

/// Runs jobs over a network that is merely poor: no connection is given up.
async fn poor(flow: Flow) {
    let far = Far::new("2").await;
    let before = (far.rabbit.made(), far.redis.made());
    far.rabbit.both(flow);
    far.redis.both(flow);
    let mut jobs = far.submit(12).await;
    let mut talkative = python("print('ready' + 'x' * 20_000)");
    talkative.stream = true;
    far.fleet.client.submit(&talkative).await.unwrap();
    jobs.push(talkative);
    for job in &jobs {
        far.fleet.result(&job.id).await.unwrap();
    }
    assert_eq!((far.rabbit.made(), far.redis.made()), before);
    far.settled(&jobs).await;
}

#[tokio::test]
async fn two_hundred_milliseconds_more_each_way() {
    poor(Flow::Delay(Duration::from_millis(200))).await;
}

#[tokio::test]
async fn two_hundred_and_fifty_six_kilobits_a_second() {
    poor(Flow::Trickle(32_000)).await;
}
