//! Cancelling: one final state, wherever the job is and whichever server is there.

use std::time::Duration;

use futures_util::StreamExt as _;
use glovebox_broker::{connect_redis, subscribe};
use glovebox_scheduler::{Client, ClientError, Phase, Submitted};
use glovebox_schemas::control::Cancel;
use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{CONTROL_EXCHANGE, cancel_key, done_channel, state_key};
use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::Services;
use glovebox_tests::relay::{Door, Relay};
use lapin::options::{QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection};
use tokio::time::timeout;

use crate::common::{NO_RABBITMQ, hello, next, runner_of, say, store_result};

const LONG: Duration = Duration::from_secs(20);
const DAY: i64 = 86_400;

/// Somebody who hears what all runners are told, in the queue `ear`. The connection must be kept.
async fn listening(amqp_url: &str) -> (Connection, Channel) {
    let (connection, channel) = runner_of(amqp_url).await;
    let exclusive = QueueDeclareOptions {
        exclusive: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare("ear".into(), exclusive, FieldTable::default())
        .await
        .unwrap();
    let options = QueueBindOptions::default();
    channel
        .queue_bind(
            "ear".into(),
            CONTROL_EXCHANGE.into(),
            "".into(),
            options,
            FieldTable::default(),
        )
        .await
        .unwrap();
    (connection, channel)
}

/// How long the job's mark stays, in seconds; negative if there is none.
async fn mark(redis_url: &str, id: &JobId) -> i64 {
    let mut redis = connect_redis(redis_url).await.unwrap();
    redis::cmd("TTL")
        .arg(cancel_key(id))
        .query_async(&mut redis)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_queued_job_is_done_at_once_and_its_waiter_is_woken() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = listening(&services.amqp_url).await;
    let client = Client::new(&services.amqp_url, &services.redis_url);
    let mut job = hello();
    job.metadata.insert("mine".to_owned(), "kept".to_owned());
    client.submit(&job).await.unwrap();
    let channel_of_it = done_channel(&job.id);
    let mut waiter = subscribe(&services.redis_url, &channel_of_it)
        .await
        .unwrap();

    let cancelled = client.cancel(&job.id).await.unwrap();

    let said = timeout(LONG, waiter.on_message().next()).await.unwrap();
    assert_eq!(said.unwrap().get_payload::<String>().unwrap(), "cancelled");
    let was = cancelled.was.unwrap();
    assert_eq!(was.phase, Phase::Queued);
    assert!(cancelled.untold.is_none() && was.since.is_some());
    let result = client.result(&job.id).await.unwrap().unwrap();
    assert_eq!((result.status, result.attempt), (Status::Cancelled, 1));
    assert_eq!((&result.id, &result.metadata), (&job.id, &job.metadata));
    assert_eq!(result.times.enqueued_at, was.since);
    assert!(result.times.queue_ms.unwrap() >= 0.0 && result.times.finished_at.is_some());
    assert_eq!(
        client.state(&job.id).await.unwrap().unwrap().phase,
        Phase::Done
    );
    assert!(mark(&services.redis_url, &job.id).await > DAY);
    // Nobody runs it, so nobody is told.
    assert!(next(&channel, "ear").await.is_none());

    let late = client.cancel(&job.id).await.unwrap();
    assert_eq!(late.was.unwrap().phase, Phase::Done);
    assert_eq!(client.submit(&job).await.unwrap(), Submitted::AlreadyDone);
    assert_eq!(client.result(&job.id).await.unwrap(), Some(result));
}

#[tokio::test]
async fn a_job_that_was_given_back_keeps_the_history_of_its_attempts() {
    let redis_url = Services::shared_redis().unwrap();
    let client = Client::new(NO_RABBITMQ, &redis_url);
    let job = hello();
    let history =
        r#"[{"attempt":1,"runner":"r","started_at":"2026-01-01T00:00:00Z","ended":"runner_lost"}]"#;
    let fields = ["state", "queued", "attempt", "1", "history", history];
    say(&redis_url, &job.id, &fields).await;

    client.cancel(&job.id).await.unwrap();

    let result = client.result(&job.id).await.unwrap().unwrap();
    assert_eq!(result.attempt, 2);
    assert_eq!(result.earlier_attempts.len(), 1);
    assert_eq!(result.earlier_attempts[0].ended, "runner_lost");
    let mut redis = connect_redis(&redis_url).await.unwrap();
    let mut get = redis::cmd("HGET");
    let get = get.arg(state_key(&job.id)).arg("history");
    let history: Option<String> = get.query_async(&mut redis).await.unwrap();
    assert_eq!(history, None, "it is in the result");
}

#[tokio::test]
async fn a_running_job_is_marked_and_every_runner_is_told() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = listening(&services.amqp_url).await;
    let client = Client::new(&services.amqp_url, &services.redis_url);
    let (running, unknown) = (hello(), hello());
    let fields = ["state", "running", "attempt", "1", "runner", "nobody"];
    say(&services.redis_url, &running.id, &fields).await;

    for (job, phase) in [(&running, Some(Phase::Running)), (&unknown, None)] {
        let cancelled = client.cancel(&job.id).await.unwrap();
        assert_eq!(cancelled.was.map(|was| was.phase), phase);
        assert!(cancelled.untold.is_none(), "{:?}", cancelled.untold);
        let heard = next(&channel, "ear").await.unwrap();
        assert_eq!(
            Cancel::parse(&heard.data).unwrap(),
            Cancel::new(job.id.clone())
        );
        assert!(mark(&services.redis_url, &job.id).await > DAY);
        // Its runner knows how it ended; of an unknown one there may never be anything to say.
        assert_eq!(client.result(&job.id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_running_job_is_marked_while_rabbitmq_is_away() {
    let services = Services::isolated().unwrap();
    let relay = Relay::start(&services.amqp_url).unwrap();
    relay.door(Door::Mute);
    for amqp_url in [NO_RABBITMQ, relay.url()] {
        let client = Client::new(amqp_url, &services.redis_url);
        let client = client.confirm_within(Duration::from_secs(1));
        let job = hello();
        say(&services.redis_url, &job.id, &["state", "running"]).await;

        let cancelled = client.cancel(&job.id).await.unwrap();

        assert_eq!(cancelled.was.unwrap().phase, Phase::Running);
        let untold = cancelled.untold.unwrap();
        assert!(matches!(untold, ClientError::Broker(_)), "{untold:?}");
        assert!(mark(&services.redis_url, &job.id).await > DAY);
    }
}

#[tokio::test]
async fn what_is_done_stays_as_it_is() {
    let redis_url = Services::shared_redis().unwrap();
    let client = Client::new(NO_RABBITMQ, &redis_url);
    let (done, expired) = (hello(), hello());
    let result = JobResult::new(done.id.clone(), Status::Succeeded, "r");
    store_result(&redis_url, &result).await;
    say(&redis_url, &expired.id, &["state", "done"]).await;

    for job in [&done, &expired] {
        let cancelled = client.cancel(&job.id).await.unwrap();
        assert_eq!(cancelled.was.unwrap().phase, Phase::Done);
        assert!(mark(&redis_url, &job.id).await < 0);
    }
    assert_eq!(client.result(&done.id).await.unwrap(), Some(result));
    let expired = client.result(&expired.id).await;
    assert!(
        matches!(expired, Err(ClientError::ResultExpired { .. })),
        "{expired:?}"
    );
}
