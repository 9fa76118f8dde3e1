//! How much is too much.

use glovebox_gateway::Config;
use glovebox_schemas::names::JOBS_EXCHANGE;
use hyper::Method;
use lapin::options::{QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::common::{Gateway, hello, id, succeeded};

#[tokio::test]
async fn a_body_that_is_too_large_is_413_however_it_comes() {
    let config = Config {
        max_body: 1000,
        max_batch_body: 2000,
        ..Config::default()
    };
    let gateway = Gateway::with(config).await;
    let json = gateway.http.with("content-type", "application/json");
    for (path, bytes) in [
        ("/v1/jobs", 1001),
        ("/v1/jobs", 10_000_000),
        ("/v1/jobs:batch", 2001),
    ] {
        let refused = json
            .send(Method::POST, path, " ".repeat(bytes))
            .await
            .unwrap();
        assert_eq!(
            (refused.status, refused.problem().unwrap().as_str()),
            (413, "too_large")
        );
    }
    let sandbox = json
        .send(Method::POST, "/v1/sandbox/run", " ".repeat(1001))
        .await
        .unwrap();
    assert_eq!(sandbox.status, 413);
    // Without a length.
    let metrics = gateway.http.get("/metrics").await.unwrap();
    assert_eq!(metrics.status, 200);
    let answer = raw(
        &gateway,
        "POST /v1/jobs HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n7d0\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

/// Sends a head and two thousand spaces, and reads to the end of the answer's head.
async fn raw(gateway: &Gateway, head: &str) -> String {
    let mut stream = TcpStream::connect(gateway.http.place()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(" ".repeat(2000).as_bytes()).await.unwrap();
    stream.write_all(b"\r\n0\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut buffer = [0; 1024];
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "it was closed without an answer");
        answer.extend(&buffer[..read]);
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn bodies_that_do_not_fit_into_memory_together_are_429() {
    let config = Config {
        max_body: 100_000,
        max_bodies: 50_000,
        ..Config::default()
    };
    let gateway = Gateway::with(config).await;
    let json = gateway.http.with("content-type", "application/json");
    let refused = json
        .send(Method::POST, "/v1/jobs", " ".repeat(60_000))
        .await
        .unwrap();
    assert_eq!(
        (refused.status, refused.problem().unwrap().as_str()),
        (429, "limited")
    );
    assert_eq!(
        gateway
            .http
            .post("/v1/jobs", &hello())
            .await
            .unwrap()
            .status,
        202
    );
}

#[tokio::test]
async fn who_finds_no_place_to_wait_is_429_and_nothing_is_queued() {
    let config = Config {
        max_waiters: 1,
        ..Config::default()
    };
    let gateway = Gateway::with(config).await;
    let taken: Value = gateway
        .http
        .post("/v1/jobs", &hello())
        .await
        .unwrap()
        .json()
        .unwrap();
    let id = id(&taken);
    gateway.queued().await.unwrap();
    let mut events = gateway
        .http
        .stream(&format!("/v1/jobs/{id}/events"))
        .await
        .unwrap();
    events.next().await.unwrap().unwrap();

    let refused = gateway
        .http
        .post("/v1/jobs?wait=1s", &hello())
        .await
        .unwrap();
    assert_eq!(
        (refused.status, refused.problem().unwrap().as_str()),
        (429, "limited")
    );
    assert_eq!(refused.header("retry-after"), "1");
    assert!(gateway.queued().await.is_none());
    assert_eq!(
        gateway
            .http
            .post("/v1/jobs", &hello())
            .await
            .unwrap()
            .status,
        202
    );

    gateway.end(&succeeded(&id)).await;
    events.rest().await.unwrap();
    glovebox_tests::fleet::eventually("its place is free again", async || {
        Ok(gateway
            .http
            .get(&format!("/v1/jobs/{id}?wait=1s"))
            .await?
            .status
            == 200)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_queue_that_is_full_is_429() {
    let gateway = Gateway::start().await;
    let mut full = FieldTable::default();
    full.insert("x-max-length".into(), AMQPValue::LongLongInt(0));
    full.insert(
        "x-overflow".into(),
        AMQPValue::LongString("reject-publish".into()),
    );
    let channel = &gateway.fleet.channel;
    let declared = channel.queue_declare("full".into(), QueueDeclareOptions::default(), full);
    declared.await.unwrap();
    let bound = channel.queue_bind(
        "full".into(),
        JOBS_EXCHANGE.into(),
        "full".into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    bound.await.unwrap();
    let mut job = hello();
    job["lane"] = "full".into();
    let refused = gateway.http.post("/v1/jobs", &job).await.unwrap();
    assert_eq!(
        (refused.status, refused.problem().unwrap().as_str()),
        (429, "limited")
    );
    assert_eq!(refused.header("retry-after"), "5");
}
