//! A gateway without services: the same answers, from slots of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use glovebox_schemas::job::JobId;
use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::Certificates;
use glovebox_tests::cli::Cli;
use glovebox_tests::fleet::eventually;
use glovebox_tests::gateway::Gateway;
use glovebox_tests::http::Reply;
use rustix::process::Signal;
use serde_json::{Value, json};

fn python(code: &str) -> Value {
    json!({ "language": "python", "code": code })
}

fn id(reply: &Reply) -> String {
    assert_eq!(reply.status, 202, "{reply:?}");
    let answer: Value = reply.json().unwrap();
    answer["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn jobs_run_and_are_told_of() {
    let gateway = Gateway::embedded(&[], &[]);
    let http = &gateway.http;
    let done = http
        .post("/v1/jobs?wait=60s", &python("print(6 * 7)"))
        .await
        .unwrap();
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(done.json::<JobResult>().unwrap().stdout, "42\n");

    let jobs: Vec<_> = (0..20).map(|n| python(&format!("print({n})"))).collect();
    let answer = http
        .post("/v1/jobs:batch", &json!({ "jobs": jobs }))
        .await
        .unwrap();
    let answer: Value = answer.json().unwrap();
    assert_eq!(answer["accepted"], 20);
    for (n, item) in answer["jobs"].as_array().unwrap().iter().enumerate() {
        let path = format!("/v1/jobs/{}?wait=60s", item["id"].as_str().unwrap());
        let result: JobResult = http.get(&path).await.unwrap().json().unwrap();
        assert_eq!(result.stdout, format!("{n}\n"));
    }

    let refused = http
        .post("/v1/jobs", &json!({ "language": "cobol", "code": "" }))
        .await
        .unwrap();
    let path = format!("/v1/jobs/{}?wait=60s", id(&refused));
    let result: JobResult = http.get(&path).await.unwrap().json().unwrap();
    assert_eq!(result.status, Status::Rejected);

    let languages: Value = http.get("/v1/languages").await.unwrap().json().unwrap();
    let names = languages["languages"].as_array().unwrap().iter();
    assert!(
        names.clone().any(|one| one["name"] == "python"),
        "{languages}"
    );
    assert_eq!(http.get("/readyz").await.unwrap().status, 200);
    gateway.process.signal(Signal::TERM);
    assert_eq!(gateway.process.finish().code(), 0);
}

#[tokio::test]
async fn what_a_job_writes_is_heard_while_it_runs_and_it_is_cancelled() {
    let gateway = Gateway::embedded(&[], &[]);
    let http = &gateway.http;
    let mut job = python("import signal\nprint('ready', flush=True)\nsignal.pause()");
    job["stream"] = json!(true);
    let id = id(&http.post("/v1/jobs", &job).await.unwrap());
    let path = format!("/v1/jobs/{id}");
    let mut events = http.stream(&format!("{path}/events")).await.unwrap();
    let mut first = Vec::new();
    loop {
        let event = events.next().await.unwrap().unwrap();
        let is_output = event.name == "output";
        first.push(event);
        if is_output {
            break;
        }
    }
    assert_eq!(first.last().unwrap().data["stream"], "stdout");
    let running: Value = http.get(&path).await.unwrap().json().unwrap();
    assert_eq!(running["state"], "running");
    assert_eq!(http.delete(&path).await.unwrap().status, 202);
    let rest = events.rest().await.unwrap();
    assert_eq!(rest.last().unwrap().data["status"], "cancelled");
    assert_eq!(http.delete(&path).await.unwrap().status, 409);

    // Whoever comes later hears all of it again, or what is left.
    let all = http
        .stream(&format!("{path}/events"))
        .await
        .unwrap()
        .rest()
        .await
        .unwrap();
    let said: String = all
        .iter()
        .filter_map(|one| one.data["data"].as_str())
        .collect();
    assert_eq!(said, "ready\n");
    let last = &all[all.len() - 2].id;
    let after = http
        .with("last-event-id", last)
        .stream(&format!("{path}/events"))
        .await
        .unwrap();
    let after = { after }.rest().await.unwrap();
    assert_eq!(after, all[all.len() - 1..]);
}

#[tokio::test]
async fn a_queued_job_is_cancelled_without_running() {
    let gateway = Gateway::embedded(&[], &[]);
    let http = &gateway.http;
    let forever = python("import signal; signal.pause()");
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(id(&http.post("/v1/jobs", &forever).await.unwrap()));
    }
    for id in ids.iter().rev() {
        assert_eq!(
            http.delete(&format!("/v1/jobs/{id}")).await.unwrap().status,
            202
        );
        let path = format!("/v1/jobs/{id}?wait=60s");
        let result: JobResult = http.get(&path).await.unwrap().json().unwrap();
        assert_eq!(result.status, Status::Cancelled);
    }
}

#[tokio::test]
async fn one_id_runs_once_and_a_key_makes_one() {
    let gateway = Gateway::embedded(&[], &[]);
    let http = gateway.http.with("idempotency-key", "k-1");
    let code = python("import random; print(random.random())");
    let mut said = Vec::new();
    for _ in 0..2 {
        let done = http.post("/v1/jobs?wait=60s", &code).await.unwrap();
        said.push(done.json::<JobResult>().unwrap().stdout);
    }
    assert_eq!(said[0], said[1]);
    let other = http.post("/v1/jobs", &python("print(1)")).await.unwrap();
    assert_eq!(
        (other.status, other.problem().unwrap().as_str()),
        (422, "idempotency_key_reused")
    );
}

#[tokio::test]
async fn a_gateway_that_stops_tells_its_waiters_and_leaves_nothing() {
    let gateway = Gateway::embedded(&[], &[]);
    let forever = python("import signal; signal.pause()");
    let waiting = gateway.http.post("/v1/jobs?wait=60s", &forever);
    let stopping = async {
        eventually("it waits", async || {
            let metrics = gateway.http.get("/metrics").await?.text();
            Ok(metrics.contains("glovebox_gateway_waiters 1"))
        })
        .await
        .unwrap();
        gateway.process.signal(Signal::TERM);
    };
    let (waited, ()) = tokio::join!(waiting, stopping);
    assert_eq!(waited.unwrap().status, 202);
    assert_eq!(gateway.process.finish().code(), 0);
}

#[test]
fn without_a_key_it_listens_on_loopback_only() {
    let open = ["gateway", "--embedded", "--listen", "0.0.0.0:0"];
    let refused = Cli::new(&open).finish();
    assert_eq!(refused.code(), 2, "{refused}");
    assert!(refused.stderr().contains("GLOVEBOX_API_KEY"), "{refused}");
    for (file, content) in [
        ("none.toml", ""),
        (
            "bad.toml",
            "[[key]]\nname = \"a\"\ntenant = \"t\"\nsha256 = \"secret\"\n",
        ),
    ] {
        let args = [&open[..], &["--keys", file]].concat();
        let refused = Cli::new(&args).file(file, content).finish();
        assert_eq!(refused.code(), 2, "{refused}");
        assert!(
            refused.stderr().contains(file) && !refused.stderr().contains("secret"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn the_keys_that_are_printed_are_let_in_and_the_single_one_as_well() {
    let made = Cli::new(&["gateway", "key", "new", "--tenant", "acme"]).finish();
    assert_eq!(made.code(), 0, "{made}");
    let lines = String::from_utf8(made.stdout().to_vec()).unwrap();
    let key = made.stderr().trim().rsplit(' ').next().unwrap().to_owned();
    assert!(key.starts_with("gbx_") && !lines.contains(&key), "{made}");
    let args = [
        "gateway",
        "--embedded",
        "--listen",
        "127.0.0.1:0",
        "--keys",
        "keys.toml",
    ];
    let started = Cli::new(&args)
        .file("keys.toml", lines)
        .env("GLOVEBOX_API_KEY", "dify-sandbox");
    let mut gateway = Gateway::of(started.spawn());
    let [acme, single, nobody] =
        [key.as_str(), "dify-sandbox", "x"].map(|key| gateway.http.key(key));
    let job = id(&acme.post("/v1/jobs", &python("print(1)")).await.unwrap());
    let path = format!("/v1/jobs/{job}?wait=60s");
    assert_eq!(acme.get(&path).await.unwrap().status, 200);
    assert_eq!(single.get(&path).await.unwrap().status, 404);
    assert_eq!(nobody.get(&path).await.unwrap().status, 401);
    let taken = json!({ "id": job, "language": "python", "code": "" });
    assert_eq!(single.post("/v1/jobs", &taken).await.unwrap().status, 409);
    let unknown = format!("/v1/jobs/{}", JobId::new_v7());
    assert_eq!(single.get(&unknown).await.unwrap().status, 404);
    gateway.process.close_stdout();
    gateway.process.signal(Signal::TERM);
    let ended = gateway.process.finish();
    assert!(
        !ended.stderr().contains(&key) && !ended.stderr().contains("dify-sandbox"),
        "{ended}"
    );
}

#[test]
fn tls_is_spoken_and_nothing_else_then() {
    let certificates = Certificates::new().unwrap();
    let [pem, key] = ["server.pem", "server.key"].map(|name| certificates.dir().join(name));
    let tls = [
        "--tls-cert",
        pem.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    let gateway = Gateway::embedded(&tls, &[]);
    assert!(
        gateway.url.starts_with("https://127.0.0.1:"),
        "{}",
        gateway.url
    );
    let get = "import ssl, sys, urllib.request
context = ssl.create_default_context(cafile=sys.argv[2])
print(urllib.request.urlopen(sys.argv[1] + '/healthz', context=context).read().decode())";
    let authority = certificates.authority();
    let fetch = |url: &str| {
        let python = Command::new("/usr/bin/python3")
            .args(["-c", get, url])
            .arg(&authority)
            .output();
        python.unwrap()
    };
    let said = fetch(&gateway.url);
    assert_eq!(
        String::from_utf8_lossy(&said.stdout).trim(),
        "ok",
        "{said:?}"
    );
    assert!(
        !fetch(&gateway.url.replace("https", "http"))
            .status
            .success()
    );

    let swapped = [
        "gateway",
        "--embedded",
        "--tls-cert",
        key.to_str().unwrap(),
        "--tls-key",
        pem.to_str().unwrap(),
    ];
    let refused = Cli::new(&swapped).finish();
    assert_eq!(refused.code(), 2, "{refused}");
    assert!(
        refused.stderr().contains("server.key has no certificate"),
        "{refused}"
    );
}
