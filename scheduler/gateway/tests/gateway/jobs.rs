//! One job: handed over, looked at, waited for, cancelled.

use glovebox_gateway::openapi_document;
use glovebox_schemas::job::JobId;
use glovebox_schemas::names::state_key;
use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::fleet::eventually;
use hyper::Method;
use redis::AsyncCommands as _;
use serde_json::{Value, json};

use crate::common::{Gateway, hello, id, succeeded};

#[tokio::test]
async fn a_job_is_queued_and_found_under_its_location() {
    let gateway = Gateway::start().await;
    let taken = gateway.http.post("/v1/jobs", &hello()).await.unwrap();
    assert_eq!(taken.status, 202, "{taken:?}");
    let answer: Value = taken.json().unwrap();
    assert_eq!(answer["state"], "queued");
    let id = id(&answer);
    let location = taken.header("location").to_owned();
    assert_eq!(location, format!("/v1/jobs/{id}"));

    let job = gateway.queued().await.unwrap();
    assert_eq!((&job.id, job.tenant.as_str()), (&id, "default"));
    let found = gateway.http.get(&location).await.unwrap();
    assert_eq!(found.status, 202);
    assert_eq!(found.json::<Value>().unwrap()["state"], "queued");
    gateway.begin(&id).await;
    let found: Value = gateway.http.get(&location).await.unwrap().json().unwrap();
    assert_eq!(
        (&found["state"], &found["runner"]),
        (&json!("running"), &json!("r"))
    );

    gateway.end(&succeeded(&id)).await;
    // Whoever comes later has it at once, waiting or not.
    for path in [location.clone(), format!("{location}?wait=30s")] {
        let found = gateway.http.get(&path).await.unwrap();
        assert_eq!(found.status, 200);
        assert_eq!(found.json::<JobResult>().unwrap(), succeeded(&id));
    }
}

#[tokio::test]
async fn a_result_is_waited_for_and_only_for_so_long() {
    let gateway = Gateway::start().await;
    let runner = async {
        let mut job = None;
        eventually("it is queued", async || {
            job = gateway.queued().await;
            Ok(job.is_some())
        })
        .await
        .unwrap();
        gateway.end(&succeeded(&job.unwrap().id)).await;
    };
    let job = hello();
    let waiting = gateway.http.post("/v1/jobs?wait=60s", &job);
    let (answer, ()) = tokio::join!(waiting, runner);
    let answer = answer.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json::<JobResult>().unwrap().stdout, "hello\n");

    let late = gateway.http.post("/v1/jobs?wait=50ms", &job).await.unwrap();
    assert_eq!(late.status, 202);
    for bad in ["x", "", "-1", "1h"] {
        let path = format!("/v1/jobs?wait={bad}");
        let refused = gateway.http.post(&path, &job).await.unwrap();
        assert_eq!(
            (refused.status, refused.problem().unwrap().as_str()),
            (400, "invalid_wait")
        );
    }
}

#[tokio::test]
async fn a_job_is_cancelled_once() {
    let gateway = Gateway::start().await;
    let taken: Value = gateway
        .http
        .post("/v1/jobs", &hello())
        .await
        .unwrap()
        .json()
        .unwrap();
    let path = format!("/v1/jobs/{}", id(&taken));
    assert_eq!(gateway.http.delete(&path).await.unwrap().status, 202);
    let found = gateway.http.get(&path).await.unwrap();
    assert_eq!(found.status, 200);
    assert_eq!(found.json::<JobResult>().unwrap().status, Status::Cancelled);
    let again = gateway.http.delete(&path).await.unwrap();
    assert_eq!(
        (again.status, again.problem().unwrap().as_str()),
        (409, "already_done")
    );
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_there_any_more_differ() {
    let gateway = Gateway::start().await;
    for unknown in [
        JobId::new_v7().as_str(),
        "%00",
        "a%20b",
        &"x".repeat(65),
        "%ff",
    ] {
        for path in [
            format!("/v1/jobs/{unknown}"),
            format!("/v1/jobs/{unknown}/events"),
        ] {
            let missing = gateway.http.get(&path).await.unwrap();
            assert_eq!(
                (missing.status, missing.problem().unwrap().as_str()),
                (404, "unknown_job"),
                "{path}"
            );
        }
        let missing = gateway
            .http
            .delete(&format!("/v1/jobs/{unknown}"))
            .await
            .unwrap();
        assert_eq!(missing.status, 404, "{unknown}");
    }
    let taken: Value = gateway
        .http
        .post("/v1/jobs", &hello())
        .await
        .unwrap()
        .json()
        .unwrap();
    let id = id(&taken);
    let mut redis = gateway.fleet.redis.clone();
    let () = redis.hset(state_key(&id), "state", "done").await.unwrap();
    for path in [format!("/v1/jobs/{id}"), format!("/v1/jobs/{id}?wait=1s")] {
        let gone = gateway.http.get(&path).await.unwrap();
        assert_eq!(
            (gone.status, gone.problem().unwrap().as_str()),
            (410, "result_expired")
        );
    }
}

#[tokio::test]
async fn what_is_no_job_is_told_by_the_field() {
    let gateway = Gateway::start().await;
    let wrong = [
        (
            json!({ "langauge": "python", "code": "" }),
            422,
            "unknown_field",
        ),
        (json!({ "language": "python" }), 422, "missing_field"),
        (
            json!({ "language": "python", "code": "", "limits": { "wall_ms": 0 } }),
            422,
            "invalid_value",
        ),
        (
            json!({ "language": "python", "code": "", "id": "a/b" }),
            422,
            "invalid_id",
        ),
        (
            json!({ "language": "python", "code": "", "lane": "nowhere" }),
            422,
            "no_such_lane",
        ),
        (json!([]), 422, "wrong_type"),
    ];
    for (job, status, code) in wrong {
        let refused = gateway.http.post("/v1/jobs", &job).await.unwrap();
        assert_eq!(
            (refused.status, refused.problem().unwrap().as_str()),
            (status, code),
            "{job}"
        );
        let problem: Value = refused.json().unwrap();
        assert!(!problem["hint"].as_str().unwrap().is_empty(), "{problem}");
    }
    let json = gateway.http.with("content-type", "application/json");
    for broken in ["", "{", "{\"code\": \"\u{fffe}\"", "\u{0}"] {
        let refused = json.send(Method::POST, "/v1/jobs", broken).await.unwrap();
        assert_eq!(
            (refused.status, refused.problem().unwrap().as_str()),
            (400, "invalid_json"),
            "{broken}"
        );
    }
    let form = gateway
        .http
        .with("content-type", "application/x-www-form-urlencoded");
    let refused = form.send(Method::POST, "/v1/jobs", "{}").await.unwrap();
    assert_eq!(
        (refused.status, refused.problem().unwrap().as_str()),
        (415, "not_json")
    );
}

#[test]
fn the_checked_in_document_is_what_the_code_says() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../schemas/json/openapi.json"
    );
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        checked_in == openapi_document(),
        "schemas/json/openapi.json is not what the code says: run `cargo run -- schemas`, and read its difference as a \
         change of the contract"
    );
    let document: Value = serde_json::from_str(openapi_document()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["paths"].as_object().unwrap().len(), 14);
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text = document.to_string();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(
            schemas.contains_key(name),
            "{name} is referred to and is not there"
        );
    }
}
