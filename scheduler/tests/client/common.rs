//! What the tests of the client share: a lane's queue as a runner makes it, jobs, and looks into both servers.

use std::time::Duration;

use glovebox_broker::{connect_amqp, connect_redis, declare};
use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::names::{FIRST_COPY_HEADER, done_channel, queue, result_key, state_key};
use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::fleet::eventually;
use lapin::message::BasicGetMessage;
use lapin::options::{BasicGetOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection};
use redis::aio::ConnectionLike;

/// Nobody listens there: what is asked of Redis alone needs no RabbitMQ.
pub(crate) const NO_RABBITMQ: &str = "amqp://127.0.0.1:1/%2f";
const HEARTBEAT: Duration = Duration::from_secs(60);

/// What a runner does first: the queue of the default lane is there. The connection must be kept.
pub(crate) async fn runner_of(amqp_url: &str) -> (Connection, Channel) {
    let connection = connect_amqp(amqp_url, "test runner", HEARTBEAT)
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, &["default"]).await.unwrap();
    (connection, channel)
}

/// Takes the next message of a queue.
pub(crate) async fn next(channel: &Channel, queue: &str) -> Option<BasicGetMessage> {
    let options = BasicGetOptions { no_ack: true };
    channel.basic_get(queue.into(), options).await.unwrap()
}

/// Takes the next job of the default lane and tells whether it is marked as the first copy.
pub(crate) async fn is_first_copy(channel: &Channel) -> Option<bool> {
    let message = next(channel, &queue("default")).await?;
    let headers = message.properties.headers().clone().unwrap_or_default();
    let mark = headers.inner().get(FIRST_COPY_HEADER).cloned();
    assert!(
        matches!(mark, None | Some(AMQPValue::Boolean(true))),
        "{mark:?}"
    );
    Some(mark.is_some())
}

/// Waits until that many jobs are in the default lane's queue.
pub(crate) async fn arrived(channel: &Channel, jobs: u32) {
    let passive = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    eventually("the jobs are in their queue", async || {
        let lane = queue("default");
        let asked = channel.queue_declare(lane.into(), passive, FieldTable::default());
        Ok(asked.await?.message_count() >= jobs)
    })
    .await
    .unwrap();
}

/// The lane `full`, whose queue takes nothing: the declared ones have no limit.
pub(crate) async fn full_lane(channel: &Channel) {
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
}

pub(crate) fn hello() -> Job {
    let mut job = Job::new("python");
    job.code = Some("print('hello')".to_owned());
    job
}

/// What a runner does last.
pub(crate) async fn store_result(redis_url: &str, result: &JobResult) {
    let mut redis = connect_redis(redis_url).await.unwrap();
    let () = redis::cmd("SET")
        .arg(result_key(&result.id))
        .arg(result.to_json())
        .query_async(&mut redis)
        .await
        .unwrap();
}

/// Writes fields of a job's state, as a runner or another client would.
pub(crate) async fn say(redis_url: &str, id: &JobId, fields: &[&str]) {
    let mut redis = connect_redis(redis_url).await.unwrap();
    let () = redis::cmd("HSET")
        .arg(state_key(id))
        .arg(fields)
        .query_async(&mut redis)
        .await
        .unwrap();
}

/// Until somebody listens for this job.
pub(crate) async fn heard(redis: &mut impl ConnectionLike, id: &JobId) {
    let channel = done_channel(id);
    eventually("somebody listens", async || {
        let mut count = redis::cmd("PUBSUB");
        let count = count.arg("NUMSUB").arg(&channel);
        let (_, listeners): (String, u32) = count.query_async(redis).await?;
        Ok(listeners > 0)
    })
    .await
    .unwrap();
}

pub(crate) fn result_of(id: &JobId) -> JobResult {
    JobResult::new(id.clone(), Status::Succeeded, "r")
}

pub(crate) async fn store(redis: &mut glovebox_broker::Redis, id: &JobId) {
    let () = redis::cmd("SET")
        .arg(result_key(id))
        .arg(result_of(id).to_json())
        .query_async(redis)
        .await
        .unwrap();
}

pub(crate) async fn announce(redis: &mut glovebox_broker::Redis, id: &JobId) {
    let () = redis::cmd("PUBLISH")
        .arg(done_channel(id))
        .arg("done")
        .query_async(redis)
        .await
        .unwrap();
}
