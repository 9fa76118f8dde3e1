//! Cancelling on a real RabbitMQ and a real Redis.

use crate::common::{hello, next, runner_of, store_result};
use glovebox_broker::connect_redis;
use glovebox_scheduler::{Client, Phase};
use glovebox_schemas::control::Cancel;
use glovebox_schemas::names::{CONTROL_EXCHANGE, cancel_key};
use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::Services;
use lapin::options::{QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;

#[tokio::test]
async fn cancelling_tells_every_runner_and_leaves_a_mark() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
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
