//! A gateway before a fleet: real runners, live output, and what a job costs nobody else.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use futures_util::StreamExt as _;
use glovebox_broker::subscribe;
use glovebox_schemas::job::Job;
use glovebox_schemas::names::hint_channel;
use glovebox_schemas::result::JobResult;
use glovebox_tests::Fleet;
use glovebox_tests::fleet::GATE;
use glovebox_tests::gateway::Gateway;
use serde_json::{Value, json};

#[tokio::test]
async fn a_job_goes_through_the_queue_and_its_result_comes_back() {
    let fleet = Fleet::new().await.unwrap();
    let _runner = fleet.runner(2).await.unwrap();
    let gateway = Gateway::before(&fleet.services, &[]);
    let job = json!({ "language": "python", "code": "print(6 * 7)" });
    let done = gateway.http.post("/v1/jobs?wait=60s", &job).await.unwrap();
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(done.json::<JobResult>().unwrap().stdout, "42\n");
    let sandbox =
        json!({ "language": "python3", "code": "print(1)", "preload": "", "enable_network": true });
    let answer: Value = gateway
        .http
        .post("/v1/sandbox/run", &sandbox)
        .await
        .unwrap()
        .json()
        .unwrap();
    assert_eq!(answer["data"]["stdout"], "1\n", "{answer}");
    let languages: Value = gateway
        .http
        .get("/v1/languages")
        .await
        .unwrap()
        .json()
        .unwrap();
    let mut languages = languages["languages"].as_array().unwrap().iter();
    let python = languages.find(|one| one["name"] == "python").unwrap();
    assert_eq!(python["source"], "main.py");
}

#[tokio::test]
async fn a_running_jobs_state_and_output_are_heard_at_once() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let gateway = Gateway::before(&fleet.services, &[]);
    let job = json!({ "language": "python", "code": GATE, "stream": true });
    let taken: Value = gateway
        .http
        .post("/v1/jobs", &job)
        .await
        .unwrap()
        .json()
        .unwrap();
    let path = format!("/v1/jobs/{}/events", taken["id"].as_str().unwrap());
    let mut events = gateway.http.stream(&path).await.unwrap();
    let mut said = String::new();
    while !said.contains("ready\n") {
        let event = events.next().await.unwrap().unwrap();
        match event.name.as_str() {
            "output" => said.push_str(event.data["data"].as_str().unwrap()),
            "state" => assert!(said.is_empty()),
            other => panic!("{other} before its end"),
        }
    }
    runner.release().unwrap();
    let rest = events.rest().await.unwrap();
    let (result, outputs) = rest.split_last().unwrap();
    said.extend(outputs.iter().map(|one| one.data["data"].as_str().unwrap()));
    assert_eq!(said, "ready\nreleased\n");
    assert_eq!(result.data["stdout"], "ready\nreleased\n");
    assert_eq!(result.name, "result");
}

#[tokio::test]
async fn a_runner_hints_that_a_job_has_begun_and_that_it_has_written() {
    let fleet = Fleet::new().await.unwrap();
    let _runner = fleet.runner(1).await.unwrap();
    let mut job = Job::new("python");
    job.code = Some("print('hello')".to_owned());
    job.stream = true;
    let channel = hint_channel(&job.id);
    let heard = subscribe(&fleet.services.redis_url, &channel)
        .await
        .unwrap();
    fleet.run(&job).await.unwrap();
    let hints = heard
        .into_on_message()
        .map(|hint| hint.get_payload::<String>().unwrap());
    let hints: Vec<_> = hints.take(2).collect().await;
    assert_eq!(hints, ["running", "output"]);
}
