//! DifySandbox's endpoints: their form, with the runner's part played by the test.

use glovebox_gateway::{Config, DifyConfig};
use glovebox_schemas::job::Network;
use glovebox_schemas::result::{ErrorInfo, JobResult, Limit, Status};
use glovebox_tests::fleet::eventually;
use hyper::Method;
use serde_json::{Value, json};

use crate::common::Gateway;

/// Sends a request, and ends its job so.
async fn run(gateway: &Gateway, request: &Value, end: impl FnOnce(&mut JobResult)) -> (u16, Value) {
    let runner = async {
        let mut job = None;
        eventually("it is queued", async || {
            job = gateway.queued().await;
            Ok(job.is_some())
        })
        .await
        .unwrap();
        let mut result = JobResult::new(job.unwrap().id, Status::Succeeded, "r");
        end(&mut result);
        gateway.end(&result).await;
    };
    let (answer, ()) = tokio::join!(gateway.http.post("/v1/sandbox/run", request), runner);
    let answer = answer.unwrap();
    (answer.status, answer.json().unwrap())
}

#[tokio::test]
async fn each_end_of_a_program_is_what_dify_takes_it_for() {
    let gateway = Gateway::start().await;
    let request = json!({ "language": "python3", "code": "x" });
    let failed = |result: &mut JobResult| {
        (result.status, result.exit_code) = (Status::Failed, Some(3));
        (result.stdout, result.stderr) = ("out".to_owned(), "err".to_owned());
    };
    let (status, answer) = run(&gateway, &request, failed).await;
    let data = json!({ "stdout": "out", "stderr": "err", "exit_code": 3, "error": "process exited with code 3\nerr" });
    assert_eq!(
        (status, answer),
        (
            200,
            json!({ "code": 0, "message": "success", "data": data })
        )
    );

    // What is written to stderr is no failure.
    let warned = |result: &mut JobResult| {
        (result.exit_code, result.stderr) = (Some(0), "warning".to_owned())
    };
    let (_, answer) = run(&gateway, &request, warned).await;
    assert_eq!(
        answer["data"],
        json!({ "stdout": "", "stderr": "warning", "exit_code": 0, "error": "" })
    );

    let late = |result: &mut JobResult| {
        (result.status, result.limit) = (Status::LimitExceeded, Some(Limit::WallTime))
    };
    let (_, answer) = run(&gateway, &request, late).await;
    assert_eq!(
        answer["data"]["error"],
        "process exited with code -1\nerror: timeout\n"
    );
    assert_eq!(answer["data"]["exit_code"], -1);

    for (ended, status, code) in [
        (Status::Rejected, 200, -400),
        (Status::Error, 200, -500),
        (Status::Expired, 503, -503),
        (Status::Cancelled, 503, -503),
    ] {
        let info = ErrorInfo {
            code: "c".into(),
            message: "why".into(),
            hint: "mend".into(),
        };
        let end = |result: &mut JobResult| (result.status, result.error) = (ended, Some(info));
        let (got, answer) = run(&gateway, &request, end).await;
        assert_eq!(
            (got, &answer["code"], &answer["data"]),
            (status, &json!(code), &Value::Null),
            "{answer}"
        );
        assert!(
            ended == Status::Expired
                || ended == Status::Cancelled
                || answer["message"] == "why (mend)"
        );
    }
}

#[tokio::test]
async fn a_wrong_request_is_400_with_their_code() {
    let gateway = Gateway::start().await;
    let json = gateway.http.with("content-type", "application/json");
    for body in [
        "",
        "{",
        "{}",
        "[]",
        r#"{"language": "python3"}"#,
        r#"{"language": "python3", "code": ""}"#,
        r#"{"language": "python3", "code": 1}"#,
        r#"{"language": "ruby", "code": "x"}"#,
        r#"{"language": "python3", "code": "x", "enable_network": "yes"}"#,
    ] {
        let refused = json
            .send(Method::POST, "/v1/sandbox/run", body)
            .await
            .unwrap();
        let answer: Value = refused.json().unwrap();
        assert_eq!(
            (refused.status, &answer["code"], &answer["data"]),
            (400, &json!(-400), &Value::Null),
            "{body}"
        );
    }
    let http = &gateway.http;
    for path in [
        "/v1/sandbox/dependencies",
        "/v1/sandbox/dependencies/refresh",
    ] {
        for query in ["", "?language=nodejs", "?language=", "?x"] {
            let refused = http.get(&format!("{path}{query}")).await.unwrap();
            assert_eq!(
                (refused.status, &refused.json::<Value>().unwrap()["code"]),
                (400, &json!(-400))
            );
        }
    }
    let update = json!({ "language": "nodejs" });
    let refused = http
        .post("/v1/sandbox/dependencies/update", &update)
        .await
        .unwrap();
    assert_eq!(refused.status, 400);
    assert_eq!(http.get("/health").await.unwrap().text(), "\"ok\"");
}

#[tokio::test]
async fn what_is_sent_comes_to_a_job() {
    let dify = DifyConfig {
        timeout: Some(std::time::Duration::from_secs(5)),
        ..DifyConfig::default()
    };
    let gateway = Gateway::with(Config {
        dify,
        ..Config::default()
    })
    .await;
    let form = gateway
        .http
        .with("content-type", "application/x-www-form-urlencoded");
    let requests = [
        json!({ "language": "python3", "code": "a", "preload": "", "enable_network": true, "dependencies": [] }),
        json!({ "language": "python3", "code": "a", "preload": null, "enable_network": null }),
        json!({ "language": "python3", "code": "a", "preload": "b" }),
        json!({ "language": "nodejs", "code": "a", "preload": "b" }),
    ];
    let mut jobs = Vec::new();
    let sent = async {
        for request in &requests {
            tokio::select! {
                answer = gateway.http.post("/v1/sandbox/run", request) => panic!("{answer:?}"),
                job = next(&gateway) => jobs.push(job),
            }
        }
        tokio::select! {
            answer = form.send(Method::POST, "/v1/sandbox/run", "language=python3&code=a%2Bb&enable_network=true") => panic!("{answer:?}"),
            job = next(&gateway) => jobs.push(job),
        }
    };
    sent.await;
    let [plain, none, preload, node, form] = <[_; 5]>::try_from(jobs).unwrap();
    assert_eq!(
        (
            plain.language.as_str(),
            plain.code.as_deref(),
            plain.network
        ),
        ("python", Some("a"), Network::Proxy)
    );
    assert_eq!(plain.limits.wall_ms, Some(5_000));
    assert!(plain.expires_at.is_some());
    assert_eq!(
        (none.network, none.code.as_deref()),
        (Network::None, Some("a"))
    );
    assert_eq!(preload.files.len(), 2);
    assert_eq!(
        (node.language.as_str(), node.code.as_deref()),
        ("nodejs", Some("b\na"))
    );
    assert_eq!(
        (form.code.as_deref(), form.network),
        (Some("a+b"), Network::Proxy)
    );

    // Their clients have gone away, and so must they.
    for job in [plain, none, preload, node, form] {
        eventually("it is cancelled", async || {
            let result = gateway.fleet.client.result(&job.id).await?;
            Ok(result.is_some_and(|result| result.status == Status::Cancelled))
        })
        .await
        .unwrap();
    }
}

async fn next(gateway: &Gateway) -> glovebox_schemas::job::Job {
    loop {
        if let Some(job) = gateway.queued().await {
            return job;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_waits_too_long_hears_what_dify_tries_again_for() {
    let dify = DifyConfig {
        wait: std::time::Duration::from_millis(50),
        ..DifyConfig::default()
    };
    let gateway = Gateway::with(Config {
        dify,
        ..Config::default()
    })
    .await;
    let request = json!({ "language": "python3", "code": "x" });
    let answer = gateway
        .http
        .post("/v1/sandbox/run", &request)
        .await
        .unwrap();
    let said = json!({ "code": -503, "message": "Too many requests", "data": null });
    assert_eq!(
        (answer.status, answer.json::<Value>().unwrap()),
        (503, said)
    );
}
