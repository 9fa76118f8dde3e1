//! Waiting for results on a real Redis that misbehaves.

use std::time::{Duration, Instant};

use glovebox_broker::connect_redis;
use glovebox_scheduler::{Client, ClientError};
use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{done_channel, result_key, state_key};
use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::{Redis, Services};

use crate::common::{NO_RABBITMQ, heard};

const LONG: Duration = Duration::from_secs(30);

fn result_of(id: &JobId) -> JobResult {
    JobResult::new(id.clone(), Status::Succeeded, "r")
}

async fn store(redis: &mut glovebox_broker::Redis, id: &JobId) {
    let () = redis::cmd("SET")
        .arg(result_key(id))
        .arg(result_of(id).to_json())
        .query_async(redis)
        .await
        .unwrap();
}

async fn announce(redis: &mut glovebox_broker::Redis, id: &JobId) {
    let () = redis::cmd("PUBLISH")
        .arg(done_channel(id))
        .arg("done")
        .query_async(redis)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_result_that_is_there_is_returned_at_once() {
    let redis_url = Services::shared_redis().unwrap();
    let mut redis = connect_redis(&redis_url).await.unwrap();
    let client = Client::new(NO_RABBITMQ, &redis_url);
    let id = JobId::new_v7();
    assert_eq!(client.result(&id).await.unwrap(), None);
    store(&mut redis, &id).await;

    assert_eq!(client.result(&id).await.unwrap(), Some(result_of(&id)));
    assert_eq!(client.wait(&id, LONG).await.unwrap(), Some(result_of(&id)));
}

#[tokio::test]
async fn the_message_wakes_the_waiter() {
    let redis_url = Services::shared_redis().unwrap();
    let mut redis = connect_redis(&redis_url).await.unwrap();
    let client = Client::new(NO_RABBITMQ, &redis_url);
    let id = JobId::new_v7();

    let runner = async {
        heard(&mut redis, &id).await;
        store(&mut redis, &id).await;
        announce(&mut redis, &id).await;
        Instant::now()
    };
    let (waited, announced) = tokio::join!(client.wait(&id, LONG), runner);

    assert_eq!(waited.unwrap(), Some(result_of(&id)));
    assert!(
        announced.elapsed() < Duration::from_millis(500),
        "{:?}",
        announced.elapsed()
    );
}

#[tokio::test]
async fn a_message_that_nobody_sent_is_not_needed() {
    let redis_url = Services::shared_redis().unwrap();
    let mut redis = connect_redis(&redis_url).await.unwrap();
    let client = Client::new(NO_RABBITMQ, &redis_url);
    let id = JobId::new_v7();

    let runner = async {
        heard(&mut redis, &id).await;
        store(&mut redis, &id).await;
    };
    let (waited, ()) = tokio::join!(client.wait(&id, LONG), runner);

    assert_eq!(waited.unwrap(), Some(result_of(&id)));
}

#[tokio::test]
async fn time_that_is_up_is_no_error() {
    let redis_url = Services::shared_redis().unwrap();
    let client = Client::new(NO_RABBITMQ, &redis_url);

    let waited = client
        .wait(&JobId::new_v7(), Duration::from_millis(100))
        .await;

    assert_eq!(waited.unwrap(), None);
}

#[tokio::test]
async fn a_waiter_survives_the_loss_of_its_connection() {
    let redis = Redis::start().unwrap();
    let mut commands = connect_redis(redis.url()).await.unwrap();
    let client = Client::new(NO_RABBITMQ, redis.url());
    let id = JobId::new_v7();

    let runner = async {
        for _ in 0..3 {
            heard(&mut commands, &id).await;
            let killed: u32 = redis::cmd("CLIENT")
                .arg(&["KILL", "TYPE", "pubsub"])
                .query_async(&mut commands)
                .await
                .unwrap();
            assert_eq!(killed, 1);
        }
        // Said while nobody listens: the waiter has to look by itself.
        store(&mut commands, &id).await;
        announce(&mut commands, &id).await;
    };
    let (waited, ()) = tokio::join!(client.wait(&id, LONG), runner);

    assert_eq!(waited.unwrap(), Some(result_of(&id)));
}

#[tokio::test]
async fn a_waiter_survives_a_redis_that_was_away() {
    let redis = Redis::start().unwrap();
    let client = Client::new(NO_RABBITMQ, redis.url());
    let id = JobId::new_v7();
    let mut commands = connect_redis(redis.url()).await.unwrap();

    let operator = async {
        heard(&mut commands, &id).await;
        redis.kill().unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        redis.restart().unwrap();
        let mut commands = connect_redis(redis.url()).await.unwrap();
        store(&mut commands, &id).await;
    };
    let (waited, ()) = tokio::join!(client.wait(&id, LONG), operator);

    assert_eq!(waited.unwrap(), Some(result_of(&id)));
}

#[tokio::test]
async fn a_redis_that_stays_away_is_an_error_when_time_is_up() {
    let redis = Redis::start().unwrap();
    let client = Client::new(NO_RABBITMQ, redis.url());
    let id = JobId::new_v7();
    let mut commands = connect_redis(redis.url()).await.unwrap();

    let operator = async {
        heard(&mut commands, &id).await;
        redis.kill().unwrap();
    };
    let (waited, ()) = tokio::join!(client.wait(&id, Duration::from_secs(4)), operator);

    let error = waited.unwrap_err();
    assert!(error.is_temporary(), "{error:?}");
    let at_once = Client::new(NO_RABBITMQ, redis.url()).wait(&id, LONG).await;
    assert!(
        matches!(at_once, Err(ClientError::Broker(_))),
        "{at_once:?}"
    );
}

#[tokio::test]
async fn a_result_that_expired_is_not_called_unknown() {
    let redis_url = Services::shared_redis().unwrap();
    let mut redis = connect_redis(&redis_url).await.unwrap();
    let client = Client::new(NO_RABBITMQ, &redis_url);
    let id = JobId::new_v7();
    let () = redis::cmd("HSET")
        .arg(state_key(&id))
        .arg(&["state", "done", "attempt", "2", "runner", "r"])
        .query_async(&mut redis)
        .await
        .unwrap();

    for outcome in [client.result(&id).await, client.wait(&id, LONG).await] {
        assert!(
            matches!(outcome, Err(ClientError::ResultExpired { .. })),
            "{outcome:?}"
        );
    }
    let state = client.state(&id).await.unwrap().unwrap();
    assert_eq!(
        (state.attempt, state.runner.as_deref()),
        (Some(2), Some("r"))
    );
}

#[tokio::test]
async fn what_is_no_result_is_an_error() {
    let redis_url = Services::shared_redis().unwrap();
    let mut redis = connect_redis(&redis_url).await.unwrap();
    let client = Client::new(NO_RABBITMQ, &redis_url);
    let id = JobId::new_v7();
    let () = redis::cmd("SET")
        .arg(result_key(&id))
        .arg("{")
        .query_async(&mut redis)
        .await
        .unwrap();

    let outcome = client.result(&id).await;

    assert!(
        matches!(outcome, Err(ClientError::UnreadableResult { .. })),
        "{outcome:?}"
    );
}
