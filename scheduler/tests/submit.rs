//! Submitting and cancelling on a real RabbitMQ and a real Redis.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use glovebox_broker::{connect_amqp, connect_redis, declare};
use glovebox_scheduler::{Client, ClientError, Phase, SubmitError, Submitted};
use glovebox_schemas::control::Cancel;
use glovebox_schemas::job::Job;
use glovebox_schemas::names::{
    CONTROL_EXCHANGE, ENQUEUED_AT_HEADER, cancel_key, queue, result_key,
};
use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::{Rabbit, Services};
use lapin::message::BasicGetMessage;
use lapin::options::{BasicGetOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection};

const HEARTBEAT: Duration = Duration::from_secs(5);

/// What a runner does first. The connection must be kept.
async fn runner_of(amqp_url: &str, lane: &str) -> (Connection, Channel) {
    let connection = connect_amqp(amqp_url, "test runner", HEARTBEAT)
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, &[lane]).await.unwrap();
    (connection, channel)
}

async fn next(channel: &Channel, queue: &str) -> Option<BasicGetMessage> {
    let options = BasicGetOptions { no_ack: true };
    channel.basic_get(queue.into(), options).await.unwrap()
}

fn hello() -> Job {
    let mut job = Job::new("python");
    job.code = Some("print('hello')".to_owned());
    job
}

async fn store_result(redis_url: &str, result: &JobResult) {
    let mut redis = connect_redis(redis_url).await.unwrap();
    let () = redis::cmd("SET")
        .arg(result_key(&result.id))
        .arg(result.to_json())
        .query_async(&mut redis)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_job_arrives_as_it_was_sent() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url, "default").await;
    let client = Client::new(&services.amqp_url, &services.redis_url);
    let job = hello();
    assert_eq!(client.state(&job.id).await.unwrap(), None);

    assert_eq!(client.submit(&job).await.unwrap(), Submitted::Queued);

    assert_eq!(
        client.state(&job.id).await.unwrap().unwrap().phase,
        Phase::Queued
    );
    let message = next(&channel, &queue("default")).await.unwrap();
    assert_eq!(Job::parse(&message.data).unwrap(), job);
    let properties = &message.properties;
    assert_eq!(
        properties.message_id().as_ref().unwrap().as_str(),
        job.id.as_str()
    );
    assert_eq!(
        properties.content_type().as_ref().unwrap().as_str(),
        "application/json"
    );
    assert_eq!(*properties.delivery_mode(), Some(2));
    let headers = properties.headers().as_ref().unwrap();
    let Some(AMQPValue::LongLongInt(sent_ms)) = headers.inner().get(ENQUEUED_AT_HEADER) else {
        panic!("no time of submission in {headers:?}");
    };
    let seconds = properties.timestamp().unwrap();
    assert_eq!(u64::try_from(*sent_ms / 1000).unwrap(), seconds);
}

#[tokio::test]
async fn a_lane_nobody_serves_is_an_error_even_among_jobs_that_arrive() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url, "default").await;
    let client = Client::new(&services.amqp_url, &services.redis_url);

    let submissions = (0..60).map(|number| {
        let mut job = hello();
        if number % 3 == 0 {
            job.lane = "nobody".to_owned();
        }
        let client = &client;
        async move {
            let outcome = client.submit(&job).await;
            (job, outcome)
        }
    });
    for (job, outcome) in futures_util::future::join_all(submissions).await {
        if job.lane == "nobody" {
            let error = outcome.unwrap_err();
            assert!(matches!(error, SubmitError::NoSuchLane { .. }), "{error:?}");
            assert!(error.hint().contains("glovebox runner --lane nobody"));
            assert_eq!(client.state(&job.id).await.unwrap(), None);
        } else {
            assert_eq!(outcome.unwrap(), Submitted::Queued);
        }
    }
    let mut arrived = 0;
    while next(&channel, &queue("default")).await.is_some() {
        arrived += 1;
    }
    assert_eq!(arrived, 40);
}

#[tokio::test]
async fn a_full_queue_is_an_error_and_leaves_no_state() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url, "default").await;
    // A queue that takes nothing, on a lane's key: the declared ones have no limit.
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(0));
    arguments.insert(
        "x-overflow".into(),
        AMQPValue::LongString("reject-publish".into()),
    );
    channel
        .queue_declare("full".into(), QueueDeclareOptions::default(), arguments)
        .await
        .unwrap();
    channel
        .queue_bind(
            "full".into(),
            "glovebox.jobs".into(),
            "full".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    let client = Client::new(&services.amqp_url, &services.redis_url);
    let mut job = hello();
    job.lane = "full".to_owned();

    let error = client.submit(&job).await.unwrap_err();

    assert!(matches!(error, SubmitError::QueueFull { .. }), "{error:?}");
    assert_eq!(client.state(&job.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_job_that_is_done_is_not_sent_again() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url, "default").await;
    let client = Client::new(&services.amqp_url, &services.redis_url);
    let job = hello();
    let result = JobResult::new(job.id.clone(), Status::Succeeded, "r");
    store_result(&services.redis_url, &result).await;

    assert_eq!(client.submit(&job).await.unwrap(), Submitted::AlreadyDone);
    assert!(next(&channel, &queue("default")).await.is_none());
}

#[tokio::test]
async fn a_wrong_job_is_refused_before_anything_is_connected() {
    let client = Client::new("amqp://127.0.0.1:1/%2f", "redis://127.0.0.1:1/0");
    let mut job = hello();
    job.code = None;

    let error = client.submit(&job).await.unwrap_err();

    assert!(matches!(error, SubmitError::Rejected(_)), "{error:?}");
}

#[tokio::test]
async fn a_client_publishes_again_after_the_broker_came_back() {
    let rabbit = Rabbit::start().unwrap();
    let redis_url = Services::shared_redis().unwrap();
    let client = Client::new(rabbit.url(), redis_url);
    let connection_before = runner_of(rabbit.url(), "default").await;
    client.submit(&hello()).await.unwrap();
    // A quorum queue needs a second to be safe from a crash of its only node.
    tokio::time::sleep(Duration::from_millis(1500)).await;

    rabbit.kill().unwrap();
    let error = client.submit(&hello()).await.unwrap_err();
    assert!(
        matches!(&error, SubmitError::Client(ClientError::Broker(broker)) if broker.is_temporary()),
        "{error:?}"
    );

    rabbit.restart().unwrap();
    drop(connection_before);
    assert_eq!(client.submit(&hello()).await.unwrap(), Submitted::Queued);
}

#[tokio::test]
async fn a_frozen_broker_is_given_up_in_time_and_the_job_may_be_sent_again() {
    let rabbit = Rabbit::start().unwrap();
    let redis_url = Services::shared_redis().unwrap();
    let client = Client::new(rabbit.url(), redis_url).confirm_within(Duration::from_secs(1));
    let _runner = runner_of(rabbit.url(), "default").await;
    client.submit(&hello()).await.unwrap();
    let job = hello();

    rabbit.freeze().unwrap();
    let error = client.submit(&job).await.unwrap_err();
    rabbit.thaw().unwrap();

    assert!(
        matches!(
            error,
            SubmitError::Client(ClientError::Unconfirmed { seconds: 1, .. })
        ),
        "{error:?}"
    );
    assert_eq!(client.submit(&job).await.unwrap(), Submitted::Queued);
}

#[tokio::test]
async fn cancelling_tells_every_runner_and_leaves_a_mark() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url, "default").await;
    let exclusive = QueueDeclareOptions {
        exclusive: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare("ear".into(), exclusive, FieldTable::default())
        .await
        .unwrap();
    channel
        .queue_bind(
            "ear".into(),
            CONTROL_EXCHANGE.into(),
            "".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    let client = Client::new(&services.amqp_url, &services.redis_url);
    let job = hello();
    client.submit(&job).await.unwrap();

    let was = client.cancel(&job.id).await.unwrap().unwrap();

    assert_eq!(was.phase, Phase::Queued);
    let heard = next(&channel, "ear").await.unwrap();
    assert_eq!(
        Cancel::parse(&heard.data).unwrap(),
        Cancel::new(job.id.clone())
    );
    let mut redis = connect_redis(&services.redis_url).await.unwrap();
    let seconds_left: i64 = redis::cmd("TTL")
        .arg(cancel_key(&job.id))
        .query_async(&mut redis)
        .await
        .unwrap();
    assert!(seconds_left > 86_000, "{seconds_left}");
}

#[tokio::test]
async fn cancelling_works_without_runners_and_not_after_the_end() {
    let services = Services::isolated().unwrap();
    let client = Client::new(&services.amqp_url, &services.redis_url);
    let (unknown, done) = (hello(), hello());
    let result = JobResult::new(done.id.clone(), Status::Succeeded, "r");
    store_result(&services.redis_url, &result).await;

    assert_eq!(client.cancel(&unknown.id).await.unwrap(), None);
    assert_eq!(
        client.cancel(&done.id).await.unwrap().unwrap().phase,
        Phase::Done
    );
}
