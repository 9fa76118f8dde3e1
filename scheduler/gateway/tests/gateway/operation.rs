//! What holds for every request, and what a gateway says of itself.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use glovebox_gateway::{Answer, Backend, Config, Look, Problem};
use glovebox_scheduler::Event;
use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::language::Language;
use glovebox_schemas::result::JobResult;
use hyper::Method;
use redis::AsyncCommands as _;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::common::{Gateway, hello, listen};

#[tokio::test]
async fn every_error_is_a_problem_and_every_answer_has_an_id() {
    let gateway = Gateway::start().await;
    let http = &gateway.http;
    for (method, path, status, code) in [
        (Method::GET, "/", 404, "not_found"),
        (Method::GET, "/v1/jobs/", 404, "not_found"),
        (Method::GET, "/v1/jobs/a/b/c", 404, "not_found"),
        (Method::PUT, "/v1/jobs", 405, "method_not_allowed"),
        (Method::POST, "/v1/jobs/a", 405, "method_not_allowed"),
        (Method::PATCH, "/health", 405, "method_not_allowed"),
    ] {
        let refused = http.send(method, path, "").await.unwrap();
        assert_eq!(
            (refused.status, refused.problem().unwrap().as_str()),
            (status, code),
            "{path}"
        );
        assert!(!refused.header("x-request-id").is_empty());
        assert_eq!(
            refused.header("allow").is_empty(),
            status != 405,
            "{refused:?}"
        );
    }
    let named = http
        .with("x-request-id", "mine-1")
        .get("/healthz")
        .await
        .unwrap();
    assert_eq!(named.header("x-request-id"), "mine-1");
    let forged = http
        .with("x-request-id", "a b")
        .get("/healthz")
        .await
        .unwrap();
    assert_ne!(forged.header("x-request-id"), "a b");
}

#[tokio::test]
async fn what_is_counted_has_no_label_of_a_callers_making() {
    let gateway = Gateway::start().await;
    let http = &gateway.http;
    let secret = "secretive";
    http.get(&format!("/v1/jobs/{secret}")).await.unwrap();
    http.get(&format!("/{secret}?{secret}")).await.unwrap();
    http.send(Method::from_bytes(b"SECRETIVE").unwrap(), "/v1/jobs", "")
        .await
        .unwrap();
    http.post("/v1/jobs", &hello()).await.unwrap();
    let metrics = http.get("/metrics").await.unwrap();
    assert!(
        metrics
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    let text = metrics.text();
    assert!(!text.to_lowercase().contains(secret), "{text}");
    for line in [
        "glovebox_gateway_jobs_accepted_total 1",
        "glovebox_gateway_requests_total{method=\"GET\",route=\"/v1/jobs/{id}\",status=\"404\"} 1",
        "glovebox_gateway_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1",
        "glovebox_gateway_requests_total{method=\"other\",route=\"/v1/jobs\",status=\"405\"} 1",
        "glovebox_gateway_waiters 0",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn languages_are_what_the_runners_say() {
    let gateway = Gateway::start().await;
    let ours = JobId::new_v7().to_string();
    let language = |environments: Value| {
        let python = json!({ "name": ours,
            "environments": environments, "network": ["none"] });
        json!([python]).to_string()
    };
    // Two runners: what not both have, a job can't count on.
    let names = [JobId::new_v7(), JobId::new_v7()];
    let mut redis = gateway.fleet.redis.clone();
    for (name, environments) in names.iter().zip([json!(["a", "b"]), json!(["b"])]) {
        let key = glovebox_schemas::names::runner_key(name.as_str());
        let fields = [
            ("languages", language(environments)),
            ("seen_at", "now".to_owned()),
        ];
        let () = redis.hset_multiple(&key, &fields).await.unwrap();
        let now = jiff::Timestamp::now().as_millisecond();
        let () = redis
            .zadd(glovebox_schemas::names::RUNNERS_KEY, name.as_str(), now)
            .await
            .unwrap();
    }
    let told: Value = gateway
        .http
        .get("/v1/languages")
        .await
        .unwrap()
        .json()
        .unwrap();
    for name in &names {
        let () = redis
            .del(glovebox_schemas::names::runner_key(name.as_str()))
            .await
            .unwrap();
        let () = redis
            .zrem(glovebox_schemas::names::RUNNERS_KEY, name.as_str())
            .await
            .unwrap();
    }
    let languages = told["languages"].as_array().unwrap();
    let found = languages.iter().find(|one| one["name"] == ours);
    assert_eq!(found.unwrap()["environments"], json!(["b"]), "{told}");
}

#[tokio::test]
async fn a_panic_ends_its_request_and_nothing_else() {
    let http = listen(
        Arc::new(Panics),
        Config::default(),
        CancellationToken::new(),
    )
    .await;
    let failed = http.get("/v1/jobs/a").await.unwrap();
    assert_eq!(
        (failed.status, failed.problem().unwrap().as_str()),
        (500, "internal")
    );
    assert!(!failed.text().contains("the test"), "{failed:?}");
    assert_eq!(http.get("/healthz").await.unwrap().status, 200);
}

/// A backend that is broken.
struct Panics;

fn broken<T>() -> T {
    panic!("as the test wants it")
}

impl Backend for Panics {
    fn submit(&self, _: Job) -> Answer<'_, ()> {
        broken()
    }
    fn submit_all(&self, _: Vec<Job>) -> BoxFuture<'_, Vec<Result<(), Problem>>> {
        broken()
    }
    fn claim<'a>(&'a self, _: &'a JobId, _: &'a str) -> Answer<'a, bool> {
        broken()
    }
    fn owner<'a>(&'a self, _: &'a JobId) -> Answer<'a, Option<String>> {
        broken()
    }
    fn look<'a>(&'a self, _: &'a JobId) -> Answer<'a, Look> {
        broken()
    }
    fn wait<'a>(&'a self, _: &'a JobId, _: Duration) -> Answer<'a, Option<JobResult>> {
        broken()
    }
    fn follow(&self, _: &JobId, _: Option<String>) -> BoxStream<'static, Result<Event, Problem>> {
        broken()
    }
    fn cancel<'a>(&'a self, _: &'a JobId) -> Answer<'a, bool> {
        broken()
    }
    fn languages(&self) -> Answer<'_, Vec<Language>> {
        broken()
    }
    fn ready(&self) -> Answer<'_, ()> {
        broken()
    }
}
