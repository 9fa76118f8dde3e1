//! Many jobs in one call: each fares as if it had been sent alone.

use std::collections::BTreeSet;
use std::time::Duration;

use glovebox_broker::connect_redis;
use glovebox_scheduler::{Client, ClientError, Phase, SubmitError, Submitted};
use glovebox_schemas::job::Job;
use glovebox_schemas::names::queue;
use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::fleet::eventually;
use glovebox_tests::relay::{Flow, Relay};
use glovebox_tests::{Rabbit, Redis, Services};
use lapin::Channel;

use crate::common::{arrived, full_lane, hello, is_first_copy, next, runner_of, store_result};

/// More than one batch.
const MANY: usize = 700;

fn hellos(count: usize) -> Vec<Job> {
    (0..count).map(|_| hello()).collect()
}

fn on_lane(lane: &str) -> Job {
    let mut job = hello();
    job.lane = lane.to_owned();
    job
}

/// The ids in the default lane's queue, in their order there.
async fn ids(channel: &Channel) -> Vec<String> {
    let mut ids = Vec::new();
    while let Some(message) = next(channel, &queue("default")).await {
        let id = message.properties.message_id().clone().unwrap();
        ids.push(id.as_str().to_owned());
    }
    ids
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

#[tokio::test]
async fn all_arrive_each_once_and_as_the_first() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
    let client = Client::new(&services.amqp_url, &services.redis_url);
    let jobs = hellos(MANY);

    let outcomes = client.submit_all(&jobs).await;

    assert_eq!(outcomes.len(), MANY);
    for (job, outcome) in jobs.iter().zip(outcomes) {
        assert_eq!(outcome.unwrap(), Submitted::Queued);
        let state = client.state(&job.id).await.unwrap().unwrap();
        assert_eq!(state.phase, Phase::Queued);
    }
    let sent: BTreeSet<String> = jobs.iter().map(|job| job.id.to_string()).collect();
    let first = next(&channel, &queue("default")).await.unwrap();
    assert!(jobs.contains(&Job::parse(&first.data).unwrap()));
    assert_eq!(is_first_copy(&channel).await, Some(true));
    let there: BTreeSet<String> = ids(&channel).await.into_iter().collect();
    assert_eq!(there.len(), MANY - 2);
    assert!(there.is_subset(&sent));
}

#[tokio::test]
async fn none_is_nothing() {
    let client = Client::new("amqp://127.0.0.1:1/%2f", "redis://127.0.0.1:1/0");

    assert!(client.submit_all([]).await.is_empty());
}

#[tokio::test]
async fn each_has_its_own_outcome_whatever_became_of_its_neighbours() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
    full_lane(&channel).await;
    let client = Client::new(&services.amqp_url, &services.redis_url);
    let mut jobs = Vec::new();
    for number in 0..MANY {
        let mut job = match number % 7 {
            1 | 2 => on_lane("nobody"),
            3 => on_lane("full"),
            _ => hello(),
        };
        match number % 7 {
            4 => job.code = None,
            5 => {
                let result = JobResult::new(job.id.clone(), Status::Succeeded, "r");
                store_result(&services.redis_url, &result).await;
            }
            _ => {}
        }
        jobs.push(job);
    }

    let outcomes = client.submit_all(&jobs).await;

    assert_eq!(outcomes.len(), MANY);
    let mut queued = Vec::new();
    for (number, (job, outcome)) in jobs.iter().zip(outcomes).enumerate() {
        let state = client.state(&job.id).await.unwrap();
        match (number % 7, outcome) {
            (1 | 2, Err(SubmitError::NoSuchLane { id, lane })) => {
                assert_eq!((&id, lane.as_str(), state), (&job.id, "nobody", None));
            }
            (3, Err(SubmitError::QueueFull { id, lane })) => {
                assert_eq!((&id, lane.as_str(), state), (&job.id, "full", None));
            }
            (4, Err(SubmitError::Rejected(rejection))) => {
                assert_eq!((rejection.id, state), (Some(job.id.clone()), None));
            }
            (5, Ok(Submitted::AlreadyDone)) => {}
            (0 | 6, Ok(Submitted::Queued)) => queued.push(job.id.to_string()),
            (_, outcome) => panic!("job {number}: {outcome:?}"),
        }
    }
    assert_eq!(sorted(ids(&channel).await), sorted(queued));
}

#[tokio::test]
async fn of_one_id_in_a_batch_one_copy_is_the_first() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
    let client = Client::new(&services.amqp_url, &services.redis_url);
    let job = hello();
    let nowhere = Job {
        lane: "nobody".to_owned(),
        ..job.clone()
    };

    let outcomes = client.submit_all(&vec![job.clone(), nowhere, job]).await;

    assert!(
        matches!(
            outcomes.as_slice(),
            [
                Ok(Submitted::Queued),
                Err(SubmitError::NoSuchLane { .. }),
                Ok(Submitted::QueuedAgain)
            ]
        ),
        "{outcomes:?}"
    );
    assert_eq!(is_first_copy(&channel).await, Some(true));
    assert_eq!(is_first_copy(&channel).await, Some(false));
    assert_eq!(is_first_copy(&channel).await, None);
}

#[tokio::test]
async fn a_connection_cut_amid_a_batch_loses_none_and_mistakes_none() {
    let services = Services::isolated().unwrap();
    let relay = Relay::start(&services.amqp_url).unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
    let client = Client::new(relay.url(), &services.redis_url);
    client.submit(&hello()).await.unwrap();
    assert_eq!(is_first_copy(&channel).await, Some(true));
    let jobs: Vec<Job> = (0..200)
        .map(|number| match number % 10 {
            9 => on_lane("nobody"),
            _ => hello(),
        })
        .collect();

    // Some of the confirms get through.
    relay.to_client(Flow::Trickle(2000));
    let network = async {
        arrived(&channel, 100).await;
        relay.cut();
        eventually("it connects again", async || Ok(relay.made() == 2))
            .await
            .unwrap();
        relay.mend();
    };
    let (outcomes, ()) = tokio::join!(client.submit_all(&jobs), network);

    let mut sent = Vec::new();
    for (job, outcome) in jobs.iter().zip(outcomes) {
        match (job.lane.as_str(), outcome) {
            ("nobody", Err(SubmitError::NoSuchLane { .. })) => {}
            ("default", Ok(Submitted::Queued)) => sent.push(job.id.to_string()),
            (lane, outcome) => panic!("a job of {lane}: {outcome:?}"),
        }
    }
    let mut firsts = Vec::new();
    let mut all = Vec::new();
    while let Some(message) = next(&channel, &queue("default")).await {
        let id = message.properties.message_id().clone().unwrap().to_string();
        let headers = message.properties.headers().clone().unwrap_or_default();
        if headers.inner().contains_key("x-first-copy") {
            firsts.push(id.clone());
        }
        all.push(id);
    }
    let once = |ids: Vec<String>| {
        let (before, mut ids) = (ids.len(), sorted(ids));
        ids.dedup();
        (ids.len() == before, ids)
    };
    let (is_once, _) = once(firsts);
    assert!(is_once, "two copies of one job bear the mark of the first");
    assert_eq!(once(all).1, sorted(sent));
}

#[tokio::test]
async fn what_was_not_confirmed_in_time_is_said_job_by_job() {
    let services = Services::isolated().unwrap();
    let relay = Relay::start(&services.amqp_url).unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
    let client =
        Client::new(relay.url(), &services.redis_url).confirm_within(Duration::from_secs(1));
    client.submit(&hello()).await.unwrap();

    relay.to_client(Flow::Hold);
    let mut jobs = hellos(20);
    jobs[7].code = None;
    let outcomes = client.submit_all(&jobs).await;

    for (number, (job, outcome)) in jobs.iter().zip(outcomes).enumerate() {
        match (number, outcome) {
            (7, Err(SubmitError::Rejected(_))) => {}
            (_, Err(SubmitError::Client(ClientError::Unconfirmed { id, .. }))) => {
                assert_eq!(id, job.id);
                let state = client.state(&id).await.unwrap().unwrap();
                assert_eq!(state.phase, Phase::Queued, "it may be");
            }
            (_, outcome) => panic!("job {number}: {outcome:?}"),
        }
    }
    relay.mend();
    arrived(&channel, 20).await;
}

#[tokio::test]
async fn an_alarm_is_said_of_each_and_passes() {
    let rabbit = Rabbit::start().unwrap();
    let redis_url = Services::shared_redis().unwrap();
    let (_connection, _channel) = runner_of(rabbit.url()).await;
    let client = Client::new(rabbit.url(), redis_url);
    client.submit(&hello()).await.unwrap();

    rabbit.raise_alarm().unwrap();
    let jobs = hellos(10);
    for outcome in client.submit_all(&jobs).await {
        assert!(
            matches!(
                outcome,
                Err(SubmitError::Client(ClientError::Blocked { .. }))
            ),
            "{outcome:?}"
        );
    }
    rabbit.clear_alarm().unwrap();
    for outcome in client.submit_all(&jobs).await {
        assert_eq!(outcome.unwrap(), Submitted::QueuedAgain);
    }
}

#[tokio::test]
async fn a_redis_that_has_forgotten_the_script_is_told_it_again() {
    let services = Services::isolated().unwrap();
    let redis = Redis::start().unwrap();
    let (_connection, _channel) = runner_of(&services.amqp_url).await;
    let client = Client::new(&services.amqp_url, redis.url());
    let mut commands = connect_redis(redis.url()).await.unwrap();
    for _ in 0..2 {
        for outcome in client.submit_all(&hellos(3)).await {
            assert_eq!(outcome.unwrap(), Submitted::Queued);
        }
        let () = redis::cmd("SCRIPT")
            .arg("FLUSH")
            .query_async(&mut commands)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_redis_that_is_away_is_said_of_each() {
    let client = Client::new("amqp://127.0.0.1:1/%2f", "redis://127.0.0.1:1/0");

    for outcome in client.submit_all(&hellos(3)).await {
        assert!(
            matches!(outcome, Err(SubmitError::Client(ClientError::Broker(_)))),
            "{outcome:?}"
        );
    }
}
