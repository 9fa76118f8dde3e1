//! Jobs on their whole way: client, RabbitMQ, runner, cell, Redis, client.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_schemas::job::Job;
use glovebox_schemas::names::{RESULT_TTL_SECONDS, result_key};
use glovebox_schemas::result::{JobResult, Limit, Status};
use glovebox_tests::fleet::{Fleet, gate, glovebox, python};
use glovebox_tests::{Runner, Services};

/// A title, what tells the job from others, and what must become of it.
type Case = (
    &'static str,
    Job,
    Status,
    Option<i32>,
    Option<Limit>,
    Option<&'static str>,
);

fn cases() -> Vec<Case> {
    let mut endless = python("while True: pass");
    endless.limits.wall_ms = Some(1_000);
    let mut hoard = python("hoard = []\nwhile True: hoard.append(bytearray(10**7))");
    hoard.limits.memory_bytes = Some(64 << 20);
    let mut forks = python("import os\nwhile True: os.fork()");
    forks.limits.processes = Some(16);
    let mut flood = python("while True: print('x' * 1000)");
    flood.limits.output_bytes = Some(64 << 10);
    let ptrace = python("import ctypes\nctypes.CDLL(None).ptrace(0, 0, 0, 0)");
    let exceeded = |title, job, limit| (title, job, Status::LimitExceeded, None, Some(limit), None);
    let ended = |title, code, status, exit| (title, python(code), status, Some(exit), None, None);
    vec![
        ended("hello", "print('hello')", Status::Succeeded, 0),
        ended("exit 3", "raise SystemExit(3)", Status::Failed, 3),
        ended("raise", "raise ValueError('no')", Status::Failed, 1),
        exceeded("endless loop", endless, Limit::WallTime),
        exceeded("memory bomb", hoard, Limit::Memory),
        exceeded("fork bomb", forks, Limit::Processes),
        exceeded("output flood", flood, Limit::Output),
        ("ptrace", ptrace, Status::Denied, None, None, Some("ptrace")),
    ]
}

/// Writes the job down for the command line.
fn file(folder: &tempfile::TempDir, job: &Job) -> String {
    let path = folder.path().join(format!("{}.json", job.id));
    std::fs::write(&path, job.to_wire_json()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_fleet_says_of_each_job_what_a_single_run_says() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(2).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cases = cases();
    for (title, job, ..) in &cases {
        let said = fleet
            .glovebox(&["submit", "--job", &file(&folder, job)])
            .await
            .unwrap();
        assert_eq!(said.code, Some(0), "{title}: {said:?}");
        assert_eq!(said.stdout.trim_end(), job.id.as_str(), "{title}");
    }

    for (title, job, status, exit_code, limit, denied) in cases {
        let said = fleet
            .glovebox(&["wait", job.id.as_str(), "--timeout", "60"])
            .await
            .unwrap();
        let succeeded = status == Status::Succeeded;
        assert_eq!(said.code, Some(if succeeded { 0 } else { 3 }), "{title}");
        let result = JobResult::from_json(said.stdout.as_bytes()).unwrap();

        let shown = format!("{title}: {result:#?}");
        assert_eq!((result.status, result.limit), (status, limit), "{shown}");
        if exit_code.is_some() {
            assert_eq!(result.exit_code, exit_code, "{shown}");
        }
        let named: Vec<_> = result.denied.iter().map(|d| d.syscall.as_str()).collect();
        assert!(denied.is_none_or(|call| named == [call]), "{shown}");
        assert_eq!(
            (&result.runner, result.attempt),
            (&runner.name, 1),
            "{shown}"
        );
        let times = result.times;
        let enqueued = times.enqueued_at.expect("enqueued_at");
        assert!(
            enqueued <= times.finished_at.expect("finished_at"),
            "{shown}"
        );
        assert!(times.queue_ms.expect("queue_ms") >= 0.0, "{shown}");

        let alone = fleet
            .glovebox(&["run", "--json", "--job", &file(&folder, &job)])
            .await
            .unwrap();
        let alone = JobResult::from_json(alone.stdout.as_bytes()).unwrap();
        assert_eq!(
            (alone.status, alone.limit, alone.denied),
            (result.status, result.limit, result.denied),
            "{title}"
        );
    }
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_job_is_queued_then_running_then_done() {
    let fleet = Fleet::new().await.unwrap();
    let job = gate();
    fleet.client.submit(&job).await.unwrap();
    let state = fleet.state(&job.id).await.unwrap();
    assert_eq!(state["state"], "queued");
    assert!(state["enqueued_at"].parse::<u64>().is_ok());

    let runner = fleet.runner(1).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    let state = fleet.state(&job.id).await.unwrap();
    assert_eq!(state["state"], "running");
    assert_eq!(state["attempt"], "1");
    assert_eq!(state["runner"], runner.name);
    assert!(state["since"].parse::<u64>().is_ok());
    let early = fleet.glovebox(&["result", job.id.as_str()]).await.unwrap();
    assert_eq!(early.code, Some(3));
    let running = format!("running on {} since 2", runner.name);
    assert!(early.stderr.contains(&running), "{early:?}");
    assert!(early.stderr.contains("UTC (attempt 1)"), "{early:?}");

    runner.release().unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!(result.status, Status::Succeeded);
    assert_eq!(fleet.state(&job.id).await.unwrap()["state"], "done");
    let late = fleet.glovebox(&["result", job.id.as_str()]).await.unwrap();
    assert_eq!(late.code, Some(0));
    assert_eq!(
        JobResult::from_json(late.stdout.as_bytes()).unwrap(),
        result
    );

    let mut redis = fleet.redis.clone();
    let mut ttl = redis::cmd("TTL");
    let ttl = ttl.arg(result_key(&job.id));
    let ttl: i64 = ttl.query_async(&mut redis).await.unwrap();
    let most = i64::try_from(RESULT_TTL_SECONDS).unwrap();
    assert!((most - 600..=most).contains(&ttl), "{ttl}");
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn output_is_published_while_the_job_runs() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let mut job = gate();
    job.code = Some(format!(
        "import sys\nprint('to stderr', file=sys.stderr)\n{}",
        job.code.unwrap()
    ));
    fleet.client.submit(&job).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    assert_eq!(fleet.stored(&job.id).await.unwrap(), None);
    runner.release().unwrap();
    let result = fleet.result(&job.id).await.unwrap();

    let chunks = fleet.output(&job.id).await.unwrap();
    let of = |name: &str| -> String {
        let stream = chunks.iter().filter(|(stream, _)| stream == name);
        stream.map(|(_, data)| data.as_str()).collect()
    };
    assert_eq!(of("stdout"), "ready\nreleased\n");
    assert_eq!(of("stderr"), "to stderr\n");
    assert_eq!((result.stdout, result.stderr), (of("stdout"), of("stderr")));
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_client_without_any_code_of_ours_gets_its_result() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let example = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../ops/examples/foreign_client.py"
    );
    let output = tokio::process::Command::new("/usr/bin/python3")
        .arg(example)
        .env("GLOVEBOX_AMQP_URL", &fleet.services.amqp_url)
        .env("GLOVEBOX_REDIS_URL", &fleet.services.redis_url)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();

    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let result = JobResult::from_json(&output.stdout).unwrap();
    assert_eq!(result.status, Status::Succeeded);
    assert_eq!(result.stdout, "42\n");
    assert_eq!(result.runner, runner.name);
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn an_id_sent_again_after_its_end_is_not_run_again() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(2).await.unwrap();
    let mut job = python("print('ready')");
    job.stream = true;
    fleet.run(&job).await.unwrap();
    let first = fleet.stored(&job.id).await.unwrap();

    let again = fleet.glovebox(&["submit", "--job", "-"]).await.unwrap();
    assert_eq!(again.code, Some(2), "nothing on stdin is no job: {again:?}");
    // Past the client, which would not send it.
    let body = job.to_wire_json();
    fleet
        .publish("default", &body, Some(job.id.as_str()))
        .await
        .unwrap();
    fleet.run(&python("print('after it')")).await.unwrap();

    fleet.stop_settled(runner).await.unwrap();
    assert_eq!(fleet.starts(&job.id).await.unwrap(), 1);
    assert_eq!(fleet.stored(&job.id).await.unwrap(), first);
}

#[tokio::test]
async fn an_id_sent_twice_at_once_is_run_once() {
    let fleet = Fleet::new().await.unwrap();
    let job = gate();
    let body = job.to_wire_json();
    for _ in 0..2 {
        fleet
            .publish("default", &body, Some(job.id.as_str()))
            .await
            .unwrap();
    }
    // Behind both: once it has started, both have been looked at.
    let other = gate();
    fleet.client.submit(&other).await.unwrap();
    let runner = fleet.runner(3).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    fleet.started(&other.id, 1).await.unwrap();
    runner.release().unwrap();
    fleet.result(&job.id).await.unwrap();
    fleet.result(&other.id).await.unwrap();
    fleet.stop_settled(runner).await.unwrap();
    assert_eq!(fleet.starts(&job.id).await.unwrap(), 1);
}

#[tokio::test]
async fn each_lane_is_served_by_its_runners_alone() {
    let services = Services::isolated().unwrap();
    let fleet = Fleet::on(services.clone()).await.unwrap();
    let both = Runner::spawn(
        &services,
        &["--slots", "1", "--lane", "fast", "--lane", "slow"],
    );
    let both = both.unwrap();
    both.says("consuming").await.unwrap();
    for lane in ["fast", "slow"] {
        let mut job = python("print('here')");
        job.lane = lane.to_owned();
        let result = fleet.run(&job).await.unwrap();
        assert_eq!((&result.runner, &*result.stdout), (&both.name, "here\n"));
    }

    let elsewhere = python("print('elsewhere')");
    fleet.client.submit(&elsewhere).await.unwrap();
    let mut nowhere = python("");
    nowhere.lane = "nowhere".to_owned();
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &nowhere);
    let said = glovebox(&services, &["submit", "--job", &path])
        .await
        .unwrap();
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.stderr.contains("nowhere"), "{said:?}");
    assert_eq!(fleet.waiting("default").await.unwrap(), 1);

    let other = fleet.runner(1).await.unwrap();
    let result = fleet.result(&elsewhere.id).await.unwrap();
    assert_eq!(result.runner, other.name);
}

#[tokio::test]
async fn further_copies_of_a_job_that_runs_keep_no_other_job_waiting() {
    let fleet = Fleet::new().await.unwrap();
    let mut runner = fleet.runner(2).await.unwrap();
    let job = gate();
    fleet.client.submit(&job).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    for _ in 0..3 {
        let copy = job.to_wire_json();
        fleet.publish("default", &copy, None).await.unwrap();
    }

    let other = fleet.run(&python("print('ran')")).await.unwrap();

    assert_eq!(other.stdout, "ran\n");
    runner.release().unwrap();
    fleet.result(&job.id).await.unwrap();
    runner.stop().await.unwrap();
    assert_eq!(fleet.starts(&job.id).await.unwrap(), 1);
}
