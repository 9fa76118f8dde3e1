//! A request that is repeated.

use glovebox_schemas::job::JobId;
use serde_json::{Value, json};

use crate::common::{Gateway, hello, id, succeeded};

#[tokio::test]
async fn the_same_key_and_body_are_the_same_job() {
    let (gateway, [one, two]) = Gateway::with_keys().await;
    let key = JobId::new_v7().to_string();
    let [one, two] = [one, two].map(|http| http.with("idempotency-key", &key));
    let mut ids = Vec::new();
    for http in [&one, &one, &two] {
        let answer = http.post("/v1/jobs", &hello()).await.unwrap();
        assert_eq!(answer.status, 202, "{answer:?}");
        ids.push(id(&answer.json().unwrap()));
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2], "a key is its tenant's own");

    let mut other = hello();
    other["code"] = json!("print('other')");
    let refused = one.post("/v1/jobs", &other).await.unwrap();
    assert_eq!(
        (refused.status, refused.problem().unwrap().as_str()),
        (422, "idempotency_key_reused")
    );
    let refused = one
        .post("/v1/jobs:batch", &json!({ "jobs": [hello()] }))
        .await
        .unwrap();
    assert_eq!(refused.status, 422);

    gateway.end(&succeeded(&ids[0])).await;
    let again = one.post("/v1/jobs?wait=30s", &hello()).await.unwrap();
    assert_eq!(again.status, 200, "{again:?}");
}

#[tokio::test]
async fn a_repeated_batch_is_the_same_jobs() {
    let gateway = Gateway::start().await;
    let http = gateway
        .http
        .with("idempotency-key", JobId::new_v7().as_str());
    let mut named = hello();
    named["id"] = json!(JobId::new_v7().as_str());
    let jobs = json!({ "jobs": [hello(), hello(), named] });
    let mut answers = Vec::new();
    for _ in 0..2 {
        let answer: Value = http
            .post("/v1/jobs:batch", &jobs)
            .await
            .unwrap()
            .json()
            .unwrap();
        let items = answer["jobs"].as_array().unwrap().iter();
        answers.push(items.map(id).collect::<Vec<_>>());
    }
    assert_eq!(answers[0], answers[1]);
    assert_ne!(answers[0][0], answers[0][1]);
    assert_eq!(answers[0][2].as_str(), named["id"]);
}

#[tokio::test]
async fn a_job_that_names_itself_keeps_its_name() {
    let gateway = Gateway::start().await;
    let http = gateway
        .http
        .with("idempotency-key", JobId::new_v7().as_str());
    let mut job = hello();
    job["id"] = json!(JobId::new_v7().as_str());
    let answer: Value = http.post("/v1/jobs", &job).await.unwrap().json().unwrap();
    assert_eq!(answer["id"], job["id"]);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let gateway = Gateway::start().await;
    for bad in ["", " ", "a b", &"x".repeat(256)] {
        let http = gateway.http.with("idempotency-key", bad);
        let refused = http.post("/v1/jobs", &hello()).await.unwrap();
        assert_eq!(
            (refused.status, refused.problem().unwrap().as_str()),
            (400, "invalid_idempotency_key"),
            "{bad:?}"
        );
    }
}
