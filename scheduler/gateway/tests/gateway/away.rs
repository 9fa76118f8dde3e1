//! The servers behind a gateway are away: what it says then, and that it is well again by itself.

use std::sync::Arc;

use glovebox_gateway::{Config, Queue};
use glovebox_scheduler::Client;
use glovebox_schemas::job::JobId;
use glovebox_tests::fleet::{Fleet, eventually};
use glovebox_tests::http::{Http, Reply};
use glovebox_tests::{Redis, Services};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::common::{hello, id, listen};

/// Nobody listens there.
const NO_RABBITMQ: &str = "amqp://guest:secret@127.0.0.1:1/%2f";

async fn gateway(amqp: &str, redis: &str) -> Http {
    let client = Client::new(amqp, redis);
    listen(
        Arc::new(Queue::new(client)),
        Config::default(),
        CancellationToken::new(),
    )
    .await
}

fn is_unavailable(reply: &Reply) {
    assert_eq!(
        (reply.status, reply.problem().unwrap().as_str()),
        (503, "unavailable"),
        "{reply:?}"
    );
    assert!(reply.header("retry-after").parse::<u32>().unwrap() > 0);
    // Where the servers are, and as whom one logs in, is no caller's business.
    assert!(
        !reply.text().contains("127.0.0.1") && !reply.text().contains("secret"),
        "{reply:?}"
    );
}

#[tokio::test]
async fn without_rabbitmq_nothing_is_taken_and_what_there_is_is_told() {
    let redis_url = Services::shared_redis().unwrap();
    let http = gateway(NO_RABBITMQ, &redis_url).await;
    is_unavailable(&http.post("/v1/jobs", &hello()).await.unwrap());
    is_unavailable(&http.post("/v1/jobs?wait=10s", &hello()).await.unwrap());
    is_unavailable(&http.get("/readyz").await.unwrap());
    let batch = http
        .post("/v1/jobs:batch", &serde_json::json!({ "jobs": [hello()] }))
        .await
        .unwrap();
    assert_eq!(batch.json::<Value>().unwrap()["jobs"][0]["status"], 503);
    let sandbox = serde_json::json!({ "language": "python3", "code": "print(1)" });
    let sandbox = http.post("/v1/sandbox/run", &sandbox).await.unwrap();
    assert_eq!(
        (sandbox.status, &sandbox.json::<Value>().unwrap()["code"]),
        (503, &(-503).into())
    );
    for (path, status) in [
        ("/healthz", 200),
        ("/health", 200),
        ("/v1/languages", 200),
        ("/v1/jobs/a", 404),
    ] {
        assert_eq!(http.get(path).await.unwrap().status, status, "{path}");
    }
}

#[tokio::test]
async fn while_redis_is_away_everything_is_503_and_afterwards_as_before() {
    let redis = Redis::start().unwrap();
    let services = Services {
        amqp_url: Services::isolated_vhost().unwrap(),
        redis_url: redis.url().to_owned(),
    };
    let fleet = Fleet::on(services.clone()).await.unwrap();
    let http = gateway(&services.amqp_url, redis.url()).await;
    let taken: Value = http
        .post("/v1/jobs", &hello())
        .await
        .unwrap()
        .json()
        .unwrap();
    let path = format!("/v1/jobs/{}", id(&taken));
    assert_eq!(http.get("/readyz").await.unwrap().status, 200);
    drop(fleet);

    redis.kill().unwrap();
    for path in [
        path.as_str(),
        &format!("{path}?wait=1s"),
        "/readyz",
        "/v1/languages",
        &format!("{path}/events"),
    ] {
        is_unavailable(&http.get(path).await.unwrap());
    }
    is_unavailable(&http.post("/v1/jobs", &hello()).await.unwrap());
    is_unavailable(&http.delete(&path).await.unwrap());

    redis.restart().unwrap();
    eventually("it is ready again", async || {
        Ok(http.get("/readyz").await?.status == 200)
    })
    .await
    .unwrap();
    assert_eq!(http.post("/v1/jobs", &hello()).await.unwrap().status, 202);
    let unknown = http
        .get(&format!("/v1/jobs/{}", JobId::new_v7()))
        .await
        .unwrap();
    assert_eq!(unknown.status, 404);
}
