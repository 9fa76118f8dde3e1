//! Publishing to a RabbitMQ that misbehaves: each job is in its queue, or its sender knows that it may not be.

use std::time::{Duration, Instant};

use crate::common::{arrived, hello, is_first_copy, next, runner_of};
use futures_util::future::join_all;
use glovebox_scheduler::{Client, ClientError, Phase, SubmitError, Submitted};
use glovebox_schemas::names::queue;
use glovebox_tests::fleet::eventually;
use glovebox_tests::relay::{Door, Flow, Relay};
use glovebox_tests::{Rabbit, Services};

/// A broker behind a bad network, and what its lane's queue is looked at with.
async fn behind_a_relay() -> (Services, Relay, (lapin::Connection, lapin::Channel)) {
    let services = Services::isolated().unwrap();
    let relay = Relay::start(&services.amqp_url).unwrap();
    let runner = runner_of(&services.amqp_url).await;
    (services, relay, runner)
}

fn is_temporary(outcome: &Result<Submitted, SubmitError>) -> bool {
    matches!(outcome, Err(SubmitError::Client(error)) if error.is_temporary())
}

#[tokio::test]
async fn a_message_whose_confirm_was_lost_comes_again_and_not_as_the_first() {
    let (services, relay, (_connection, channel)) = behind_a_relay().await;
    let client = Client::new(relay.url(), &services.redis_url);
    client.submit(&hello()).await.unwrap();
    assert_eq!(is_first_copy(&channel).await, Some(true));
    let job = hello();

    relay.to_client(Flow::Hold);
    let network = async {
        arrived(&channel, 1).await;
        relay.cut();
        // Only then, or the confirm that is held comes through after all.
        eventually("it connects again", async || Ok(relay.made() == 2))
            .await
            .unwrap();
        relay.mend();
    };
    let (outcome, ()) = tokio::join!(client.submit(&job), network);

    assert_eq!(outcome.unwrap(), Submitted::Queued);
    assert_eq!(is_first_copy(&channel).await, Some(true));
    assert_eq!(is_first_copy(&channel).await, Some(false));
    assert_eq!(is_first_copy(&channel).await, None);
}

#[tokio::test]
async fn a_connection_that_was_lost_while_idle_costs_nothing() {
    let (services, relay, (_connection, channel)) = behind_a_relay().await;
    let client = Client::new(relay.url(), &services.redis_url);
    for sent in 1..=3 {
        client.submit(&hello()).await.unwrap();
        assert_eq!(relay.made(), sent);
        relay.cut();
        eventually("it is cut", async || Ok(relay.open() == 0))
            .await
            .unwrap();
    }
    arrived(&channel, 3).await;
}

#[tokio::test]
async fn many_at_once_share_one_connection_and_one_failure() {
    let (services, relay, (_connection, channel)) = behind_a_relay().await;
    let client = Client::new(relay.url(), &services.redis_url);
    let jobs: Vec<_> = (0..50).map(|_| hello()).collect();

    relay.door(Door::Shut);
    let outcomes = join_all(jobs.iter().map(|job| client.submit(job))).await;
    assert!(outcomes.iter().all(is_temporary), "{outcomes:?}");
    // The attempt, and perhaps the question whether it is TLS that is wanted there.
    assert!((1..=2).contains(&relay.made()), "{}", relay.made());
    // One after the other they share it for a moment.
    for job in &jobs[..30] {
        assert!(is_temporary(&client.submit(job).await));
    }
    assert!(relay.made() < 30, "{} connections", relay.made());
    // Nothing was sent, so nothing is said to be queued.
    assert_eq!(client.state(&jobs[0].id).await.unwrap(), None);

    relay.mend();
    eventually("it connects again", async || {
        Ok(!is_temporary(&client.submit(&jobs[0]).await))
    })
    .await
    .unwrap();
    let before = relay.made();
    for outcome in join_all(jobs[1..].iter().map(|job| client.submit(job))).await {
        outcome.unwrap();
    }
    assert_eq!(relay.made(), before);
    arrived(&channel, 50).await;
}

#[tokio::test]
async fn a_broker_that_does_not_answer_is_given_up_in_time() {
    let (services, relay, (_connection, channel)) = behind_a_relay().await;
    let client =
        Client::new(relay.url(), &services.redis_url).confirm_within(Duration::from_secs(1));

    relay.door(Door::Mute);
    let begun = Instant::now();
    let outcome = client.submit(&hello()).await;
    assert!(is_temporary(&outcome), "{outcome:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{begun:?}");

    let patient =
        Client::new(relay.url(), &services.redis_url).confirm_within(Duration::from_secs(2));
    relay.mend();
    let mut jobs = vec![hello(), hello()];
    patient.submit(&jobs[0]).await.unwrap();
    relay.both(Flow::Hold);
    let outcome = patient.submit(&jobs[1]).await;
    assert!(
        matches!(
            outcome,
            Err(SubmitError::Client(ClientError::Unconfirmed {
                seconds: 2,
                ..
            }))
        ),
        "{outcome:?}"
    );
    let state = patient.state(&jobs[1].id).await.unwrap();
    assert_eq!(state.unwrap().phase, Phase::Queued, "it may be");

    relay.mend();
    let again = Client::new(relay.url(), &services.redis_url);
    let sent = again.submit(&jobs.remove(1)).await.unwrap();
    assert_eq!(sent, Submitted::QueuedAgain);
    arrived(&channel, 2).await;
}

#[tokio::test]
async fn a_client_publishes_again_after_the_broker_came_back() {
    let rabbit = Rabbit::start().unwrap();
    let redis_url = Services::shared_redis().unwrap();
    let client = Client::new(rabbit.url(), redis_url);
    let connection_before = runner_of(rabbit.url()).await;
    client.submit(&hello()).await.unwrap();
    // A quorum queue needs a second to be safe from a crash of its only node.
    tokio::time::sleep(Duration::from_millis(1500)).await;

    rabbit.kill().unwrap();
    let outcome = client.submit(&hello()).await;
    assert!(is_temporary(&outcome), "{outcome:?}");

    rabbit.restart().unwrap();
    drop(connection_before);
    assert_eq!(client.submit(&hello()).await.unwrap(), Submitted::Queued);
}

#[tokio::test]
async fn an_alarm_is_said_soon_and_passes() {
    let rabbit = Rabbit::start().unwrap();
    let redis_url = Services::shared_redis().unwrap();
    let (_connection, channel) = runner_of(rabbit.url()).await;
    let client = Client::new(rabbit.url(), redis_url);
    // Two at once: each of them needs a channel, which the next ones find.
    let before = [hello(), hello()];
    for outcome in join_all(before.iter().map(|job| client.submit(job))).await {
        outcome.unwrap();
    }

    rabbit.raise_alarm().unwrap();
    let (sent, never_sent) = (hello(), hello());
    for job in [&sent, &never_sent] {
        let begun = Instant::now();
        let error = client.submit(job).await.unwrap_err();
        assert!(
            matches!(error, SubmitError::Client(ClientError::Blocked { .. })),
            "{error:?}"
        );
        assert!(begun.elapsed() < Duration::from_secs(5), "{begun:?}");
    }
    assert_eq!(
        client.state(&sent.id).await.unwrap().unwrap().phase,
        Phase::Queued,
        "it may be"
    );
    assert_eq!(client.state(&never_sent.id).await.unwrap(), None);

    rabbit.clear_alarm().unwrap();
    for job in [&sent, &never_sent] {
        assert_eq!(client.submit(job).await.unwrap(), Submitted::QueuedAgain);
    }
    let mut copies = Vec::new();
    while let Some(message) = next(&channel, &queue("default")).await {
        let id = message.properties.message_id().clone().unwrap();
        copies.push(id.as_str().to_owned());
    }
    let of = |job: &glovebox_schemas::job::Job| {
        copies.iter().filter(|id| **id == job.id.as_str()).count()
    };
    assert!((1..=2).contains(&of(&sent)), "{copies:?}");
    assert_eq!(of(&never_sent), 1, "{copies:?}");
}
