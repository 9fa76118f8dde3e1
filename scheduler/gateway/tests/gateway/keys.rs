//! Who may ask for what.

use glovebox_gateway::{Config, Keys};
use serde_json::{Value, json};

use crate::common::{Gateway, hello, id};

const PATHS: [&str; 5] = [
    "/v1/languages",
    "/v1/jobs/a",
    "/v1/jobs/a/events",
    "/v1/sandbox/dependencies?language=python3",
    "/v1/sandbox/dependencies/refresh?language=python3",
];

#[tokio::test]
async fn nothing_of_a_job_is_told_without_a_key() {
    let (gateway, [one, _]) = Gateway::with_keys().await;
    let wrong = [
        gateway.http.clone(),
        gateway.http.key("wrong"),
        gateway.http.key(""),
        gateway.http.with("x-api-key", "wrong"),
        gateway.http.with("authorization", "Basic wrong"),
    ];
    for http in &wrong {
        for path in PATHS {
            let refused = http.get(path).await.unwrap();
            assert_eq!(
                (refused.status, refused.problem().unwrap().as_str()),
                (401, "unauthorized"),
                "{path}"
            );
            assert_eq!(refused.header("www-authenticate"), "Bearer");
        }
        for path in [
            "/v1/jobs",
            "/v1/jobs:batch",
            "/v1/sandbox/run",
            "/v1/sandbox/dependencies/update",
        ] {
            // Before anything of the body is looked at.
            assert_eq!(
                http.post(path, &json!("x")).await.unwrap().status,
                401,
                "{path}"
            );
        }
        assert_eq!(http.delete("/v1/jobs/a").await.unwrap().status, 401);
        for path in [
            "/health",
            "/healthz",
            "/readyz",
            "/metrics",
            "/openapi.json",
        ] {
            assert_eq!(http.get(path).await.unwrap().status, 200, "{path}");
        }
    }
    assert_eq!(one.get("/v1/languages").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_key_comes_by_either_header() {
    let keys = Keys::single("a key");
    let gateway = Gateway::with(Config {
        keys,
        ..Config::default()
    })
    .await;
    for http in [
        gateway.http.with("x-api-key", "a key"),
        gateway.http.with("authorization", "bearer a key"),
        gateway.http.key("a key"),
    ] {
        assert_eq!(http.get("/v1/languages").await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_tenant_does_not_see_that_another_has_a_job() {
    let (gateway, [one, two]) = Gateway::with_keys().await;
    let taken: Value = one
        .post("/v1/jobs", &hello())
        .await
        .unwrap()
        .json()
        .unwrap();
    let id = id(&taken);
    assert_eq!(gateway.queued_of("one").await.unwrap().tenant, "one");
    let path = format!("/v1/jobs/{id}");

    let refusals = [
        two.get(&path).await.unwrap(),
        two.get(&format!("{path}?wait=1s")).await.unwrap(),
        two.get(&format!("{path}/events")).await.unwrap(),
        two.delete(&path).await.unwrap(),
    ];
    for refused in refusals {
        assert_eq!(
            (refused.status, refused.problem().unwrap().as_str()),
            (404, "unknown_job")
        );
    }
    assert_eq!(
        one.get(&path).await.unwrap().status,
        202,
        "it was not cancelled"
    );

    let mut stolen = hello();
    stolen["id"] = json!(id.as_str());
    let refused = two.post("/v1/jobs", &stolen).await.unwrap();
    assert_eq!(
        (refused.status, refused.problem().unwrap().as_str()),
        (409, "id_taken")
    );
    assert!(
        gateway.queued_of("one").await.is_none(),
        "nothing was queued under it"
    );
}

#[tokio::test]
async fn a_job_is_its_keys_tenants() {
    let (gateway, [one, _]) = Gateway::with_keys().await;
    let mut job = hello();
    for (tenant, status) in [("one", 202), ("default", 202), ("two", 403), ("three", 403)] {
        job["tenant"] = json!(tenant);
        let answer = one.post("/v1/jobs", &job).await.unwrap();
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 202 {
            assert_eq!(gateway.queued_of("one").await.unwrap().tenant, "one");
        } else {
            assert_eq!(answer.problem().unwrap(), "other_tenant");
        }
    }
}
