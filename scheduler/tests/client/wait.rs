//! Waiting for results.

use std::time::{Duration, Instant};

use glovebox_broker::connect_redis;
use glovebox_scheduler::{Client, ClientError};
use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{result_key, state_key};
use glovebox_tests::Services;

use crate::common::{NO_RABBITMQ, announce, heard, result_of, store};

const LONG: Duration = Duration::from_secs(30);

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
