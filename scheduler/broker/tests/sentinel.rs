//! Finding the master through real Sentinels, and following it when it changes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use glovebox_broker::{BrokerError, Redis, connect_redis, subscribe};
use glovebox_tests::{LoneSentinel, MASTER, Redis as Server, Sentinel};
use redis::{RedisError, cmd};
use tokio::time::{Instant, timeout};

const PATIENCE: Duration = Duration::from_secs(60);
/// Nothing listens there, and nothing may: it is below the range of free ports.
const NOBODY: &str = "127.0.0.1:1";

async fn refusal(url: &str) -> BrokerError {
    let error = connect_redis(url).await.err().unwrap();
    let shown = format!("{error}\n{error:?}\n{}", error.hint());
    assert!(!shown.contains("s3cret"), "the password shows: {shown}");
    error
}

fn url(servers: &Sentinel) -> String {
    format!("redis+sentinel://{}/{MASTER}", servers.place())
}

async fn set(redis: &mut Redis, value: &str) -> Result<(), RedisError> {
    cmd("SET").arg("k").arg(value).query_async(redis).await
}

async fn get(server: &Server) -> Option<String> {
    let mut redis = connect_redis(server.url()).await.unwrap();
    cmd("GET").arg("k").query_async(&mut redis).await.unwrap()
}

/// Makes the second the master.
async fn depose_first(servers: &Sentinel, way: &str) {
    match way {
        "killed" => servers.first.kill().unwrap(),
        "frozen" => servers.first.freeze().unwrap(),
        _ => servers.relieve().unwrap(),
    }
    servers.await_master(&servers.second).unwrap();
}

async fn follows_a_master_that_was(way: &str, limit: Duration) {
    let servers = Sentinel::start().unwrap();
    let mut redis = connect_redis(&url(&servers)).await.unwrap();
    set(&mut redis, "one").await.unwrap();
    assert_eq!(get(&servers.first).await.as_deref(), Some("one"));

    depose_first(&servers, way).await;
    // A master that is relieved takes some writes still, and they are lost with it.
    let arrives = async {
        while set(&mut redis, "two").await.is_err()
            || get(&servers.second).await.as_deref() != Some("two")
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(limit, arrives).await.unwrap();
}

#[tokio::test]
async fn it_follows_a_master_that_was_killed() {
    follows_a_master_that_was("killed", PATIENCE).await;
}

#[tokio::test]
async fn it_follows_a_master_that_was_frozen() {
    follows_a_master_that_was("frozen", PATIENCE).await;
}

#[tokio::test]
async fn it_follows_a_master_that_was_relieved() {
    // The Sentinel leaves it a master for ten seconds more.
    follows_a_master_that_was("relieved", Duration::from_secs(8)).await;
}

#[tokio::test]
async fn a_master_that_stays_keeps_its_connection() {
    let (server, sentinel) = (Server::start().unwrap(), LoneSentinel::start().unwrap());
    sentinel.watch(server.port()).unwrap();
    let at = sentinel.place();
    let mut redis = connect_redis(&format!("redis+sentinel://{at}/{MASTER}"))
        .await
        .unwrap();
    let mut number = async || {
        let mut id = cmd("CLIENT");
        id.arg("ID").query_async::<i64>(&mut redis).await.unwrap()
    };
    let first = number().await;

    // Long enough for the Sentinel to be asked again, twice.
    let asked_again = Instant::now() + Duration::from_millis(2500);
    while Instant::now() < asked_again {
        assert_eq!(number().await, first);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_subscription_finds_the_master_too() {
    let servers = Sentinel::start().unwrap();
    let url = url(&servers);
    let mut listening = subscribe(&url, "news").await.unwrap();

    let mut redis = connect_redis(&url).await.unwrap();
    let heard_by: i64 = cmd("PUBLISH")
        .arg(&["news", "it is here"])
        .query_async(&mut redis)
        .await
        .unwrap();
    assert_eq!(heard_by, 1);
    let message = futures_util::StreamExt::next(&mut listening.on_message()).await;
    assert_eq!(
        message.unwrap().get_payload::<String>().unwrap(),
        "it is here"
    );
}

#[tokio::test]
async fn a_dead_sentinel_is_passed_over_and_one_alone_is_named() {
    let (server, sentinel) = (Server::start().unwrap(), LoneSentinel::start().unwrap());
    sentinel.watch(server.port()).unwrap();
    let alive = sentinel.place();
    connect_redis(&format!("redis+sentinel://{NOBODY},{alive}/{MASTER}"))
        .await
        .unwrap();

    let error = refusal(&format!("redis+sentinel://:s3cret@{NOBODY}/{MASTER}")).await;
    assert_eq!(
        error.to_string(),
        format!("no Sentinel of redis+sentinel://{NOBODY}/{MASTER} could be asked for the master")
    );
    assert!(error.is_temporary());
    assert!(matches!(error, BrokerError::NoSentinel { .. }), "{error:?}");
}

#[tokio::test]
async fn a_name_that_no_sentinel_knows_is_named() {
    let sentinel = LoneSentinel::start().unwrap();
    let at = sentinel.place();
    let error = refusal(&format!("redis+sentinel://:s3cret@{at},{NOBODY}/mian")).await;

    assert_eq!(
        error.to_string(),
        format!("the Sentinels of redis+sentinel://{at},{NOBODY}/mian know no master \"mian\"")
    );
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn a_redis_is_not_a_sentinel() {
    let server = Server::start().unwrap();
    let (_, at) = server.url().split_once("//").unwrap();
    let (at, _) = at.split_once('/').unwrap();
    let error = refusal(&format!("redis+sentinel://{at}/{MASTER}")).await;

    let BrokerError::NoSentinel { source, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(
        source.to_string(),
        format!("what answers at redis://{at} is not Redis Sentinel")
    );
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn a_sentinel_that_missed_the_change_misleads_nobody() {
    let master = Server::start().unwrap();
    let replica = Server::replica_of(&master).unwrap();
    let mut hosts = Vec::new();
    let mut sentinels = Vec::new();
    for says in [&replica, &master, &master] {
        let sentinel = LoneSentinel::start().unwrap();
        sentinel.watch(says.port()).unwrap();
        hosts.push(sentinel.place().to_owned());
        sentinels.push(sentinel);
    }

    // One against one, and the wrong one is asked first.
    let mut redis = connect_redis(&format!(
        "redis+sentinel://{},{}/{MASTER}",
        hosts[0], hosts[1]
    ))
    .await
    .unwrap();
    set(&mut redis, "here").await.unwrap();
    assert_eq!(get(&master).await.as_deref(), Some("here"));

    // What most of them say counts: that is what is out of reach.
    master.kill().unwrap();
    replica.kill().unwrap();
    let error = refusal(&format!("redis+sentinel://{}/{MASTER}", hosts.join(","))).await;
    assert_eq!(
        error.to_string(),
        format!("Redis at {} is out of reach", master.url())
    );
}

#[tokio::test]
async fn sentinels_with_a_password_of_their_own_are_given_it() {
    let (server, sentinel) = (Server::start().unwrap(), LoneSentinel::start().unwrap());
    sentinel.watch(server.port()).unwrap();
    let at = sentinel.place();
    let mut redis = redis::Client::open(format!("redis://{at}"))
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    let () = cmd("ACL")
        .arg(&["SETUSER", "default", ">s3cret"])
        .query_async(&mut redis)
        .await
        .unwrap();

    let url = format!("redis+sentinel://{at}/{MASTER}");
    let error = refusal(&url).await;
    assert!(
        error.hint().contains("sentinel_password"),
        "{}",
        error.hint()
    );
    connect_redis(&format!("{url}?sentinel_password=s3cret"))
        .await
        .unwrap();
}
