//! One connection for all waiters of a client.

use std::sync::Arc;
use std::time::Duration;

use glovebox_broker::connect_redis;
use glovebox_scheduler::Client;
use glovebox_schemas::job::JobId;
use glovebox_schemas::names::done_channel;
use glovebox_tests::Redis;
use glovebox_tests::fleet::eventually;
use redis::aio::ConnectionLike;

use crate::common::{NO_RABBITMQ, announce, heard, result_of, store};

const LONG: Duration = Duration::from_secs(30);

/// Connections that listen, and channels that are listened to.
async fn listened_to(redis: &mut impl ConnectionLike) -> (usize, usize) {
    let connections: String = redis::cmd("CLIENT")
        .arg(&["LIST", "TYPE", "pubsub"])
        .query_async(redis)
        .await
        .unwrap();
    let channels: Vec<String> = redis::cmd("PUBSUB")
        .arg(&["CHANNELS", "glovebox:done:*"])
        .query_async(redis)
        .await
        .unwrap();
    (connections.lines().count(), channels.len())
}

async fn becomes(redis: &mut impl ConnectionLike, wanted: (usize, usize)) {
    eventually("as many are listened to as are waited for", async || {
        Ok(listened_to(redis).await == wanted)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn all_waiters_share_one_connection_and_leave_nothing_behind() {
    let server = Redis::start().unwrap();
    let mut redis = connect_redis(server.url()).await.unwrap();
    let client = Arc::new(Client::new(NO_RABBITMQ, server.url()));
    let ids: Vec<JobId> = (0..20).map(|_| JobId::new_v7()).collect();
    let waiting = ids.iter().map(|id| {
        let (client, id) = (Arc::clone(&client), id.clone());
        tokio::spawn(async move { client.wait(&id, LONG).await.unwrap() })
    });
    let waiting: Vec<_> = waiting.collect();
    becomes(&mut redis, (1, ids.len())).await;

    for id in &ids {
        store(&mut redis, id).await;
        announce(&mut redis, id).await;
    }
    for (id, waiting) in ids.iter().zip(waiting) {
        assert_eq!(waiting.await.unwrap(), Some(result_of(id)));
    }
    becomes(&mut redis, (1, 0)).await;
    drop(client);
    becomes(&mut redis, (0, 0)).await;
}

#[tokio::test]
async fn one_who_gives_up_does_not_deafen_another_of_the_same_job() {
    let server = Redis::start().unwrap();
    let mut redis = connect_redis(server.url()).await.unwrap();
    let client = Client::new(NO_RABBITMQ, server.url());
    let id = JobId::new_v7();

    let patient = client.wait(&id, LONG);
    let runner = async {
        heard(&mut redis, &id).await;
        let gave_up = client.wait(&id, Duration::from_millis(50)).await;
        assert_eq!(gave_up.unwrap(), None);
        assert_eq!(listened_to(&mut redis).await, (1, 1));
        // Given up before it was answered, and listened to again at once.
        for _ in 0..20 {
            drop(tokio::time::timeout(Duration::ZERO, client.wait(&id, LONG)).await);
        }
        store(&mut redis, &id).await;
        let heard_by: usize = redis::cmd("PUBLISH")
            .arg(done_channel(&id))
            .arg("succeeded")
            .query_async(&mut redis)
            .await
            .unwrap();
        assert_eq!(heard_by, 1);
    };
    let (waited, ()) = tokio::join!(patient, runner);
    assert_eq!(waited.unwrap(), Some(result_of(&id)));
}

/// The answer to a subscription may be there before the one who asked looks.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_listen_and_give_up() {
    let server = Redis::start().unwrap();
    let mut redis = connect_redis(server.url()).await.unwrap();
    let client = Arc::new(Client::new(NO_RABBITMQ, server.url()));
    let waiting = (0..8).map(|_| {
        let client = Arc::clone(&client);
        tokio::spawn(async move {
            for _ in 0..200 {
                let id = JobId::new_v7();
                let waited = client.wait(&id, Duration::from_millis(2));
                assert_eq!(waited.await.unwrap(), None);
            }
        })
    });
    for one in waiting.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    becomes(&mut redis, (1, 0)).await;
}

/// One that was silent where it should have spoken is not trusted any more.
#[tokio::test]
async fn a_deaf_connection_is_replaced() {
    let server = Redis::start().unwrap();
    let mut redis = connect_redis(server.url()).await.unwrap();
    let client = Client::new(NO_RABBITMQ, server.url());
    let mut connections = Vec::new();
    for _ in 0..2 {
        let id = JobId::new_v7();
        // Nobody tells the waiter: it looks by itself.
        let runner = async {
            heard(&mut redis, &id).await;
            connections.push(connection(&mut redis).await);
            store(&mut redis, &id).await;
        };
        let (waited, ()) = tokio::join!(client.wait(&id, LONG), runner);
        assert_eq!(waited.unwrap(), Some(result_of(&id)));
    }
    assert_ne!(connections[0], connections[1]);
}

/// The only one that listens.
async fn connection(redis: &mut impl ConnectionLike) -> String {
    let list: String = redis::cmd("CLIENT")
        .arg(&["LIST", "TYPE", "pubsub"])
        .query_async(redis)
        .await
        .unwrap();
    list.split(' ').next().unwrap().to_owned()
}
