//! `glovebox batch` through RabbitMQ, a runner and Redis.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::cli::Cli;
use glovebox_tests::fleet::{eventually, glovebox};
use glovebox_tests::{Fleet, Services, glovebox_bin};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// One batch's files.
struct Files {
    _folder: TempDir,
    jobs: PathBuf,
    results: PathBuf,
}

impl Files {
    fn new(lines: &[String]) -> Files {
        let folder = tempfile::tempdir().unwrap();
        let (jobs, results) = (folder.path().join("jobs"), folder.path().join("results"));
        fs::write(&jobs, lines.concat()).unwrap();
        Files {
            _folder: folder,
            jobs,
            results,
        }
    }

    fn words<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let text = |path: &'a Path| path.to_str().unwrap();
        let mut words = vec!["batch", text(&self.jobs), "-o", text(&self.results)];
        words.extend(more);
        words
    }

    fn start(&self, services: &Services, more: &[&str]) -> Child {
        Command::new(glovebox_bin().unwrap())
            .args(self.words(more))
            .env("GLOVEBOX_AMQP_URL", &services.amqp_url)
            .env("GLOVEBOX_REDIS_URL", &services.redis_url)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    fn lines(&self) -> usize {
        let text = fs::read(&self.results).unwrap_or_default();
        text.iter().filter(|byte| **byte == b'\n').count()
    }

    async fn has_lines(&self, count: usize) {
        eventually("there are results", async || Ok(self.lines() >= count))
            .await
            .unwrap();
    }

    fn results(&self) -> Vec<JobResult> {
        let text = fs::read_to_string(&self.results).unwrap();
        let lines = text.lines();
        lines
            .map(|line| JobResult::from_json(line.as_bytes()).unwrap())
            .collect()
    }

    /// Every job has printed its number.
    fn are_in_order(&self, jobs: usize) {
        let said: Vec<_> = self.results().into_iter().map(|one| one.stdout).collect();
        let wanted: Vec<_> = (0..jobs).map(|number| format!("{number}\n")).collect();
        assert_eq!(said, wanted);
    }
}

fn job(code: &str) -> String {
    let job = json!({"language": "python", "code": code, "limits": {"wall_ms": 60_000}});
    format!("{job}\n")
}

fn numbered(jobs: usize) -> Vec<String> {
    (0..jobs)
        .map(|number| job(&format!("print({number})")))
        .collect()
}

#[tokio::test]
async fn what_came_of_the_jobs_is_in_their_order_and_summed_up() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(2).await.unwrap();
    let mut lines = Vec::new();
    // Of one problem half of the programs are right, of the other none.
    for number in 0..20 {
        let (problem, exit) = (["halves", "hard"][number / 10], u8::from(number >= 5));
        let code = format!("print({number}); exit({exit})");
        let sample = json!({"language": "python", "code": code, "metadata": {"problem": problem}});
        lines.push(format!("{sample}\n"));
    }
    lines.insert(7, "{\"langauge\": \"python\"}\n".to_owned());
    let files = Files::new(&lines);

    let said = glovebox(&fleet.services, &files.words(&[])).await.unwrap();

    assert_eq!(said.code, Some(3), "{}", said.stderr);
    assert_eq!(said.stdout, "");
    for words in [
        "line 8: unknown field \"langauge\"",
        "21 jobs in ",
        ": 5 succeeded, 15 failed, 1 rejected",
        "pass@1 0.2500 (2 problems)",
        "pass@5 0.4980 (2 problems)",
        "pass@10 0.5000 (2 problems)",
    ] {
        assert!(said.stderr.contains(words), "{words}\n{}", said.stderr);
    }
    let results = files.results();
    assert_eq!(results[7].status, Status::Rejected);
    let ran = results.iter().filter(|one| one.status != Status::Rejected);
    let said: Vec<_> = ran.map(|one| one.stdout.trim().to_owned()).collect();
    let wanted: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(said, wanted);

    // It is all there: a second run is refused, and there is nothing to resume.
    let said = glovebox(&fleet.services, &files.words(&[])).await.unwrap();
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    assert!(said.stderr.contains("--resume"), "{}", said.stderr);
    let said = glovebox(&fleet.services, &files.words(&["--resume"])).await;
    assert!(said.unwrap().stderr.contains("0 jobs in "));
    assert_eq!(files.results().len(), 21);
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_batch_that_was_killed_or_stopped_is_resumed() {
    const JOBS: usize = 300;
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(2).await.unwrap();
    let files = Files::new(&numbered(JOBS));
    let narrow = ["--concurrency", "20"];
    let again = ["--concurrency", "20", "--resume"];

    let mut killed = files.start(&fleet.services, &narrow);
    files.has_lines(40).await;
    killed.kill().await.unwrap();
    let before = files.lines();
    assert!(before < JOBS);

    let stopped = files.start(&fleet.services, &again);
    files.has_lines(before + 40).await;
    let pid = Pid::from_raw(i32::try_from(stopped.id().unwrap()).unwrap());
    kill(pid, Signal::SIGINT).unwrap();
    let ended = stopped.wait_with_output().await.unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("left in the queue"), "{stderr}");
    assert!(stderr.contains("--resume"), "{stderr}");

    let said = glovebox(&fleet.services, &files.words(&again))
        .await
        .unwrap();
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    files.are_in_order(JOBS);
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn stdin_and_stdout_will_do() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let services = fleet.services.clone();
    let ended = tokio::task::spawn_blocking(move || {
        Cli::new(&["batch", "-", "-o", "-"])
            .env("GLOVEBOX_AMQP_URL", &services.amqp_url)
            .env("GLOVEBOX_REDIS_URL", &services.redis_url)
            .stdin(numbered(5).concat())
            .finish()
    });
    let ended = ended.await.unwrap();

    assert_eq!(ended.code(), 0, "{ended}");
    let stdout = ended.stdout_text();
    let results = stdout
        .lines()
        .map(|line| JobResult::from_json(line.as_bytes()).unwrap());
    let said: Vec<_> = results.map(|one| one.stdout).collect();
    assert_eq!(said, ["0\n", "1\n", "2\n", "3\n", "4\n"]);
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_service_that_is_away_is_said() {
    let services = Services {
        amqp_url: "amqp://127.0.0.1:1/%2f".to_owned(),
        redis_url: Services::shared_redis().unwrap(),
    };
    let files = Files::new(&numbered(3));

    let said = glovebox(&services, &files.words(&[])).await.unwrap();

    assert_eq!(said.code, Some(4), "{}", said.stderr);
    assert!(
        said.stderr.contains("line 1: RabbitMQ at"),
        "{}",
        said.stderr
    );
}
