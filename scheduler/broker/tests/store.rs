//! Connecting to a real Redis, and to things that are none.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_broker::{BrokerError, connect_redis, subscribe};
use glovebox_tests::{Redis, Services};
use tokio::net::TcpListener;

async fn refusal(url: &str) -> BrokerError {
    let error = connect_redis(url).await.err().unwrap();
    let shown = format!("{error}\n{error:?}\n{}", error.hint());
    assert!(!shown.contains("s3cret"), "the password shows: {shown}");
    assert!(
        error.hint().contains("Redis") || error.hint().contains("REDIS"),
        "{shown}"
    );
    error
}

#[tokio::test]
async fn rabbitmq_is_not_redis() {
    let services = Services::isolated().unwrap();
    let (_, place) = services.amqp_url.rsplit_once('@').unwrap();
    let (place, _) = place.split_once('/').unwrap();
    let error = refusal(&format!("redis://{place}/0")).await;

    assert!(
        matches!(error, BrokerError::NotTheService { .. }),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        format!("what answers at redis://{place}/0 is not Redis")
    );
}

#[tokio::test]
async fn a_mute_server_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = refusal(&format!(
        "redis://:s3cret@{}/0",
        listener.local_addr().unwrap()
    ))
    .await;

    assert!(matches!(error, BrokerError::Silent { .. }), "{error:?}");
}

#[tokio::test]
async fn nobody_there_is_out_of_reach() {
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let error = refusal(&format!("redis://:s3cret@{free}/0")).await;

    assert!(
        matches!(error, BrokerError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(error.is_temporary());
}

#[tokio::test]
async fn a_wrong_password_is_named_and_not_shown() {
    let redis = Redis::start().unwrap();
    let mut connection = connect_redis(redis.url()).await.unwrap();
    let () = redis::cmd("CONFIG")
        .arg(&["SET", "requirepass", "right"])
        .query_async(&mut connection)
        .await
        .unwrap();

    for user_info in ["", ":s3cret@"] {
        let url = redis
            .url()
            .replace("redis://", &format!("redis://{user_info}"));
        let error = refusal(&url).await;
        assert!(
            matches!(error, BrokerError::Credentials { .. }),
            "{error:?}"
        );
        assert!(matches!(
            subscribe(&url, "c").await,
            Err(BrokerError::Credentials { .. })
        ));
    }
}

#[tokio::test]
async fn a_replica_is_refused_and_its_master_asked_for() {
    let redis = Redis::start().unwrap();
    let mut connection = connect_redis(redis.url()).await.unwrap();
    let () = redis::cmd("REPLICAOF")
        .arg(&["127.0.0.1", "1"])
        .query_async(&mut connection)
        .await
        .unwrap();

    let error = refusal(redis.url()).await;
    assert!(matches!(error, BrokerError::ReadOnly { .. }), "{error:?}");
}

#[tokio::test]
async fn a_user_who_may_not_ask_for_the_role_is_let_in() {
    let redis = Redis::start().unwrap();
    let mut connection = connect_redis(redis.url()).await.unwrap();
    let () = redis::cmd("ACL")
        .arg(&["SETUSER", "u", "on", ">s3cret", "~*", "+@all", "-role"])
        .query_async(&mut connection)
        .await
        .unwrap();

    let url = redis.url().replace("redis://", "redis://u:s3cret@");
    connect_redis(&url).await.unwrap();
}

#[tokio::test]
async fn a_wrong_url_is_an_error_without_the_password() {
    for url in [
        "redis//:s3cret@h",
        "rediss://:s3cret@h/0#insecure",
        "redis://:s3cret@h:port/0",
    ] {
        assert!(
            matches!(refusal(url).await, BrokerError::Url { .. }),
            "{url}"
        );
    }
}
