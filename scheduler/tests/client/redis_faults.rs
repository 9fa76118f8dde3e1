//! A Redis that misbehaves while a client waits, submits or cancels.

use std::time::Duration;

use glovebox_broker::connect_redis;
use glovebox_scheduler::{Client, ClientError, SubmitError};
use glovebox_schemas::job::JobId;
use glovebox_tests::fleet::eventually;
use glovebox_tests::relay::{Flow, Relay};
use glovebox_tests::{Redis, Services};

use crate::common::{NO_RABBITMQ, announce, heard, hello, result_of, store};

const LONG: Duration = Duration::from_secs(60);

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
async fn a_waiter_finds_out_that_its_connections_are_half_open() {
    let redis_url = Services::shared_redis().unwrap();
    let mut redis = connect_redis(&redis_url).await.unwrap();
    let relay = Relay::start(&redis_url).unwrap();
    let client = Client::new(NO_RABBITMQ, relay.url());
    let id = JobId::new_v7();

    let network = async {
        heard(&mut redis, &id).await;
        // Its first look may be under way; it is to be cut off while it listens.
        tokio::time::sleep(Duration::from_millis(300)).await;
        relay.forget();
        store(&mut redis, &id).await;
        announce(&mut redis, &id).await;
    };
    let (waited, ()) = tokio::join!(client.wait(&id, LONG), network);

    assert_eq!(waited.unwrap(), Some(result_of(&id)));
}

#[tokio::test]
async fn a_frozen_redis_is_waited_for_and_is_an_error_when_time_is_up() {
    let redis = Redis::start().unwrap();
    let client = Client::new(NO_RABBITMQ, redis.url());
    let impatient = Client::new(NO_RABBITMQ, redis.url());
    let id = JobId::new_v7();
    assert_eq!(impatient.result(&id).await.unwrap(), None);
    let mut commands = connect_redis(redis.url()).await.unwrap();

    let operator = async {
        heard(&mut commands, &id).await;
        redis.freeze().unwrap();
        let error = impatient.wait(&id, Duration::from_secs(2)).await;
        let error = error.unwrap_err();
        assert!(error.to_string().contains("did not answer"), "{error}");
        // Longer than an answer may take.
        tokio::time::sleep(Duration::from_secs(5)).await;
        redis.thaw().unwrap();
        let mut commands = connect_redis(redis.url()).await.unwrap();
        store(&mut commands, &id).await;
    };
    let (waited, ()) = tokio::join!(client.wait(&id, LONG), operator);

    assert_eq!(waited.unwrap(), Some(result_of(&id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiter_survives_a_restart_and_the_loading_of_the_data() {
    let redis = Redis::durable().unwrap();
    loads_slowly(&redis);
    let relay = Relay::start(redis.url()).unwrap();
    let client = Client::new(NO_RABBITMQ, relay.url());
    let id = JobId::new_v7();
    let waiter = tokio::spawn({
        let id = id.clone();
        async move { client.wait(&id, LONG).await }
    });
    let mut commands = connect_redis(redis.url()).await.unwrap();
    heard(&mut commands, &id).await;

    // The result is there, and the waiter has not seen it when the server dies.
    relay.both(Flow::Hold);
    store(&mut commands, &id).await;
    rewrite(&redis).await;
    redis.kill().unwrap();
    relay.mend();
    tokio::task::block_in_place(|| redis.restart()).unwrap();

    assert_eq!(waiter.await.unwrap().unwrap(), Some(result_of(&id)));
}

/// It will answer LOADING for some seconds when it is started again.
fn loads_slowly(redis: &Redis) {
    let filler = "x".repeat(2000);
    for key in 0..30 {
        redis
            .ask(&["SET", &format!("filler-{key}"), &filler])
            .unwrap();
    }
    for (name, value) in [
        ("key-load-delay", "100000"),
        ("loading-process-events-interval-bytes", "1024"),
    ] {
        redis.ask(&["CONFIG", "SET", name, value]).unwrap();
    }
    redis.ask(&["CONFIG", "REWRITE"]).unwrap();
}

/// Only what was rewritten in one piece is loaded slowly.
async fn rewrite(redis: &Redis) {
    redis.ask(&["BGREWRITEAOF"]).unwrap();
    eventually("it has rewritten its file", async || {
        let info = redis.ask(&["INFO", "persistence"])?;
        let info: String = redis::from_redis_value(info)?;
        Ok(info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0"))
    })
    .await
    .unwrap();
}

/// What a submission on this Redis fails of, and its hint.
async fn refusal(redis: &Redis) -> (ClientError, String) {
    let error = Client::new(NO_RABBITMQ, redis.url()).submit(&hello()).await;
    let Err(SubmitError::Client(error)) = error else {
        panic!("{error:?}");
    };
    let hint = error.hint();
    (error, hint)
}

#[tokio::test]
async fn a_redis_that_takes_no_writes_says_why() {
    let redis = Redis::start().unwrap();
    let client = Client::new(NO_RABBITMQ, redis.url());
    let job = hello();
    assert!(client.cancel(&job.id).await.is_ok());

    redis.ask(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let (error, hint) = refusal(&redis).await;
    assert!(
        error.is_temporary() && hint.contains("maxmemory"),
        "{error:?}: {hint}"
    );
    redis.ask(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();

    redis.ask(&["REPLICAOF", "127.0.0.1", "1"]).unwrap();
    // First the server says so, then nothing connects to it any more.
    for _ in 0..2 {
        let error = client.cancel(&job.id).await.unwrap_err();
        assert!(error.is_temporary(), "{error:?}");
        assert!(error.hint().contains("master"), "{}", error.hint());
    }
    let (error, hint) = refusal(&redis).await;
    assert!(
        error.is_temporary() && hint.contains("master"),
        "{error:?}: {hint}"
    );

    redis.ask(&["REPLICAOF", "NO", "ONE"]).unwrap();
    eventually("it is a master again for the client as well", async || {
        Ok(client.cancel(&job.id).await.is_ok())
    })
    .await
    .unwrap();
}
