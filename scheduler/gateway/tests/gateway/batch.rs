//! Many jobs in one request.

use std::collections::HashSet;

use hyper::Method;
use serde_json::{Value, json};

use crate::common::{Gateway, hello};

#[tokio::test]
async fn each_job_of_a_batch_has_its_own_answer_in_its_place() {
    let gateway = Gateway::start().await;
    let mut named = hello();
    named["id"] = json!(uuid());
    let nowhere = json!({ "language": "python", "code": "", "lane": "nowhere" });
    let jobs = json!({ "jobs": [named, { "language": "python" }, hello(), nowhere, 1] });
    let answer = gateway.http.post("/v1/jobs:batch", &jobs).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer: Value = answer.json().unwrap();
    assert_eq!(answer["accepted"], 2);
    let items = answer["jobs"].as_array().unwrap();
    let statuses: Vec<_> = items
        .iter()
        .map(|item| item["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [202, 422, 202, 422, 422]);
    assert_eq!(items[0]["id"], named["id"]);
    let codes: Vec<_> = items
        .iter()
        .map(|item| item["problem"]["code"].as_str())
        .collect();
    let expected = [
        None,
        Some("missing_field"),
        None,
        Some("no_such_lane"),
        Some("wrong_type"),
    ];
    assert_eq!(codes, expected);

    let mut queued = HashSet::new();
    while let Some(job) = gateway.queued().await {
        queued.insert(job.id.to_string());
    }
    let taken = [&items[0], &items[2]].map(|item| item["id"].as_str().unwrap().to_owned());
    assert_eq!(queued, HashSet::from(taken));
}

#[tokio::test]
async fn what_is_no_batch_is_refused_whole() {
    let gateway = Gateway::start().await;
    let json = gateway.http.with("content-type", "application/json");
    for (body, status) in [
        ("", 400),
        ("{\"jobs\": [", 400),
        ("[]", 422),
        ("{}", 422),
        ("{\"jobs\": {}}", 422),
        ("{\"jobs\": [], \"more\": 1}", 422),
    ] {
        let refused = json
            .send(Method::POST, "/v1/jobs:batch", body)
            .await
            .unwrap();
        assert_eq!(
            (refused.status, refused.problem().unwrap().as_str()),
            (status, "invalid_batch"),
            "{body}"
        );
    }
    let many = format!("{{\"jobs\": [{}1]}}", "1,".repeat(10_000));
    let refused = json
        .send(Method::POST, "/v1/jobs:batch", many)
        .await
        .unwrap();
    assert_eq!(
        (refused.status, refused.problem().unwrap().as_str()),
        (422, "too_many")
    );
    let empty = gateway
        .http
        .post("/v1/jobs:batch", &json!({ "jobs": [] }))
        .await
        .unwrap();
    assert_eq!(
        empty.json::<Value>().unwrap(),
        json!({ "accepted": 0, "jobs": [] })
    );
}

fn uuid() -> String {
    glovebox_schemas::job::JobId::new_v7().to_string()
}
