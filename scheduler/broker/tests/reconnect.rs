//! What a handle on Redis does when its connection is lost, or its server no master any more.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use glovebox_broker::{BrokerError, Connection, Redis, connect_redis};
use glovebox_tests::Redis as Server;
use redis::aio::ConnectionLike;
use redis::{RedisError, Script, cmd};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

async fn ping(redis: &mut Redis) -> Result<String, RedisError> {
    cmd("PING").query_async(redis).await
}

/// The server's number of the connection.
async fn number(connection: &mut impl ConnectionLike) -> i64 {
    cmd("CLIENT")
        .arg("ID")
        .query_async(connection)
        .await
        .unwrap()
}

async fn eventually_answers(redis: &mut Redis) {
    let answers = async {
        while ping(redis).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, answers).await.unwrap();
}

#[tokio::test]
async fn it_comes_back_when_the_server_does() {
    let server = Server::start().unwrap();
    let mut redis = connect_redis(server.url()).await.unwrap();

    server.kill().unwrap();
    ping(&mut redis).await.unwrap_err();
    let error = ping(&mut redis).await.unwrap_err();
    assert!(
        matches!(
            BrokerError::behind(&error),
            Some(BrokerError::Unreachable { .. })
        ),
        "{error:?}"
    );
    server.restart().unwrap();
    eventually_answers(&mut redis).await;
}

#[tokio::test]
async fn one_command_fails_when_the_server_closes_the_connection() {
    let server = Server::start().unwrap();
    let mut redis = connect_redis(server.url()).await.unwrap();
    let mut other = connect_redis(server.url()).await.unwrap();
    let id = number(&mut redis).await;
    let () = cmd("CLIENT")
        .arg("KILL")
        .arg("ID")
        .arg(id)
        .query_async(&mut other)
        .await
        .unwrap();

    ping(&mut redis).await.unwrap_err();
    ping(&mut redis).await.unwrap();
}

#[tokio::test]
async fn a_frozen_server_is_noticed_and_its_late_answers_are_not_taken() {
    let server = Server::start().unwrap();
    let mut redis = connect_redis(server.url()).await.unwrap();
    let before = number(&mut redis).await;

    server.freeze().unwrap();
    let asked = Instant::now();
    let error = ping(&mut redis).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert!(
        asked.elapsed() >= Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
    server.thaw().unwrap();

    eventually_answers(&mut redis).await;
    assert_ne!(number(&mut redis).await, before);
}

#[tokio::test]
async fn a_hundred_at_once_make_one_attempt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let redis = Redis::lazy(&format!("redis://{}", listener.local_addr().unwrap())).unwrap();
    let mut asking = JoinSet::new();
    for _ in 0..100 {
        let mut redis = redis.clone();
        asking.spawn(async move { ping(&mut redis).await.unwrap_err() });
    }

    let mut attempts = 0;
    loop {
        tokio::select! {
            biased;
            accepted = listener.accept() => {
                let (mut stream, _) = accepted.unwrap();
                // The other kind only asks whether TLS is spoken here.
                attempts += u32::from(stream.read_u8().await.unwrap() == b'*');
            }
            Some(outcome) = asking.join_next() => outcome.map(drop).unwrap(),
        }
        if asking.is_empty() {
            break;
        }
    }
    assert_eq!(attempts, 1);
}

#[tokio::test]
async fn a_hundred_at_once_get_one_connection() {
    let server = Server::start().unwrap();
    let redis = Redis::lazy(server.url()).unwrap();
    let mut asking = JoinSet::new();
    for _ in 0..100 {
        let mut redis = redis.clone();
        asking.spawn(async move { number(&mut redis).await });
    }
    let mut numbers = asking.join_all().await;
    numbers.dedup();

    assert_eq!(numbers.len(), 1, "{numbers:?}");
}

/// Writes to a server that has become a replica, in every way there is to write.
async fn write(way: &str, redis: &mut Redis) -> Result<(), RedisError> {
    match way {
        "command" => cmd("SET").arg(&["k", "v"]).query_async(redis).await,
        "pipeline" => {
            let mut commands = redis::pipe();
            commands.get("k").ignore().set("k", "v").ignore();
            commands.query_async(redis).await
        }
        "transaction" => {
            let mut commands = redis::pipe();
            commands.atomic().get("k").ignore().set("k", "v").ignore();
            commands.query_async(redis).await
        }
        _ => {
            let script = Script::new("return redis.call('SET', KEYS[1], 'v')");
            script.key("k").invoke_async(redis).await
        }
    }
}

#[tokio::test]
async fn a_master_that_became_a_replica_is_given_up_until_there_is_one() {
    let server = Server::start().unwrap();
    let mut admin = redis::Client::open(server.url())
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    for way in ["command", "pipeline", "transaction", "script"] {
        let mut redis = connect_redis(server.url()).await.unwrap();
        let () = cmd("REPLICAOF")
            .arg(&["127.0.0.1", "1"])
            .query_async(&mut admin)
            .await
            .unwrap();
        write(way, &mut redis).await.unwrap_err();
        // A replica would answer this one.
        let error = ping(&mut redis).await.unwrap_err();
        assert!(
            matches!(
                BrokerError::behind(&error),
                Some(BrokerError::ReadOnly { .. })
            ),
            "{way}: {error:?}"
        );

        let () = cmd("REPLICAOF")
            .arg(&["NO", "ONE"])
            .query_async(&mut admin)
            .await
            .unwrap();
        eventually_answers(&mut redis).await;
        write(way, &mut redis).await.unwrap();
    }
}

#[tokio::test]
async fn an_ordinary_refusal_keeps_the_connection() {
    let server = Server::start().unwrap();
    let mut redis = connect_redis(server.url()).await.unwrap();
    let before = number(&mut redis).await;
    let _: RedisError = cmd("NO-SUCH").exec_async(&mut redis).await.unwrap_err();

    assert_eq!(number(&mut redis).await, before);
}

#[tokio::test]
async fn commands_that_belong_together_stay_on_one_connection() {
    let server = Server::start().unwrap();
    let mut redis = connect_redis(server.url()).await.unwrap();
    let shared = number(&mut redis).await;

    let mut connection: Connection = redis.connection().await.unwrap();
    assert_eq!(number(&mut connection).await, shared);
    connection.forget();
    assert_ne!(number(&mut redis).await, shared, "it was forgotten");
    assert_eq!(number(&mut connection).await, shared, "it stays what it is");

    let mut apart = redis.apart();
    assert_ne!(number(&mut apart).await, number(&mut redis).await);
}
