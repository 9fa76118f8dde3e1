//! Asking whether a write has reached the replicas.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use glovebox_broker::{Connection, connect_redis};
use glovebox_tests::Sentinel;
use redis::cmd;
use tokio::time::Instant;

const SOON: Duration = Duration::from_millis(300);
const LATE: Duration = Duration::from_secs(60);

async fn write(connection: &mut Connection) {
    let mut set = cmd("SET");
    set.arg("k").arg("v").exec_async(connection).await.unwrap();
}

#[tokio::test]
async fn a_replica_that_is_there_counts_and_one_that_is_frozen_does_not() {
    let servers = Sentinel::start().unwrap();
    servers.kill().unwrap();
    let redis = connect_redis(servers.first.url()).await.unwrap();
    let mut connection = redis.connection().await.unwrap();
    write(&mut connection).await;
    assert_eq!(connection.replicated(1, LATE).await.unwrap(), 1);

    servers.second.freeze().unwrap();
    write(&mut connection).await;
    assert_eq!(connection.replicated(1, SOON).await.unwrap(), 0);

    // Another connection that finds the value there already, and writes nothing, is told the same.
    let mut other = redis.apart().connection().await.unwrap();
    let mut again = cmd("SET");
    again
        .arg(&["k", "v", "NX"])
        .exec_async(&mut other)
        .await
        .unwrap();
    assert_eq!(other.replicated(1, SOON).await.unwrap(), 0);

    servers.second.thaw().unwrap();
    assert_eq!(connection.replicated(1, LATE).await.unwrap(), 1);
    assert_eq!(other.replicated(1, LATE).await.unwrap(), 1);
}

#[tokio::test]
async fn it_never_waits_until_the_connection_counts_as_lost_nor_for_ever() {
    let servers = Sentinel::start().unwrap();
    servers.kill().unwrap();
    let redis = connect_redis(servers.first.url()).await.unwrap();
    let mut connection = redis.connection().await.unwrap();
    servers.second.freeze().unwrap();
    write(&mut connection).await;

    let asked = Instant::now();
    assert_eq!(connection.replicated(1, Duration::ZERO).await.unwrap(), 0);
    assert!(
        asked.elapsed() < Duration::from_secs(4),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(connection.replicated(1, LATE).await.unwrap(), 0);
}

#[tokio::test]
async fn what_is_a_replica_by_now_is_not_asked_twice() {
    let servers = Sentinel::start().unwrap();
    let mut redis = connect_redis(servers.first.url()).await.unwrap();
    let mut connection = redis.connection().await.unwrap();
    let () = cmd("REPLICAOF")
        .arg(&["127.0.0.1", "1"])
        .query_async(&mut connection)
        .await
        .unwrap();

    connection.replicated(1, SOON).await.unwrap_err();
    let mut get = cmd("GET");
    get.arg("k").exec_async(&mut redis).await.unwrap_err();
}
