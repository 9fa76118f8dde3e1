//! Redis is away, and work goes on: results wait in the spool, in order, bounded, and over the runner's own death.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::names::done_channel;
use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::fleet::{eventually, gate, python};
use glovebox_tests::relay::{Door, Relay};

use glovebox_tests::{Fleet, How, Runner, Services};
use nix::sys::signal::Signal;

/// A fleet whose runner reaches Redis through a relay, with a job that waits to be released.
struct Cut {
    fleet: Fleet,
    relay: Relay,
    services: Services,
    spool: tempfile::TempDir,
    /// Of the runner: tests share a Redis.
    name: String,
}

impl Cut {
    async fn new() -> Cut {
        let fleet = Fleet::new().await.unwrap();
        let relay = Relay::start(&fleet.services.redis_url).unwrap();
        let services = Services {
            redis_url: relay.url().to_owned(),
            ..fleet.services.clone()
        };
        let spool = tempfile::tempdir().unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(spool.path(), open).unwrap();
        Cut {
            fleet,
            relay,
            services,
            spool,
            name: format!("spools-{}", JobId::new_v7()),
        }
    }

    fn runner(&self, arguments: &[&str]) -> Runner {
        self.runner_called(&self.name, arguments)
    }

    fn runner_called(&self, name: &str, arguments: &[&str]) -> Runner {
        let how = How {
            arguments,
            name: Some(name),
            spool: Some(self.spool.path()),
            ..How::default()
        };
        Runner::start(&self.services, how).unwrap()
    }

    /// A runner with one slot and a job in it that runs, while `jobs` wait behind it; then Redis is out of its reach.
    async fn away(&self, arguments: &[&str], jobs: &[Job]) -> Runner {
        let arguments = [&["--slots", "1"], arguments].concat();
        let runner = self.runner(&arguments);
        runner.says("consuming").await.unwrap();
        let first = gate();
        self.fleet.client.submit(&first).await.unwrap();
        self.fleet.started(&first.id, 1).await.unwrap();
        for job in jobs {
            self.fleet.client.submit(job).await.unwrap();
        }
        self.relay.door(Door::Shut);
        self.relay.cut();
        runner.says("Redis is away").await.unwrap();
        runner.release().unwrap();
        runner
    }

    /// What the runner has in files.
    fn results(&self) -> Vec<JobResult> {
        results_in(&self.spool.path().join(&self.name))
    }

    /// Waits until that many results are in files.
    async fn spooled(&self, many: usize) {
        eventually("results are spooled", async || {
            Ok(self.results().len() == many)
        })
        .await
        .unwrap();
    }
}

fn results_in(folder: &Path) -> Vec<JobResult> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "json"))
        .collect();
    files.sort();
    let result = |path| -> Option<JobResult> {
        let document: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        serde_json::from_value(document.get("result")?.clone()).ok()
    };
    files.into_iter().filter_map(result).collect()
}

fn jobs(many: usize) -> Vec<Job> {
    (0..many).map(|n| python(&format!("print({n})"))).collect()
}

#[tokio::test]
async fn results_wait_in_memory_and_files_and_are_stored_in_order() {
    let cut = Cut::new().await;
    let jobs = jobs(12);
    // Room for the first two in memory.
    let runner = cut.away(&["--spool-memory", "3000"], &jobs).await;
    let last = &jobs[jobs.len() - 1].id;
    eventually("the last one is in a file", async || {
        Ok(cut.results().iter().any(|result| result.id == *last))
    })
    .await
    .unwrap();
    assert!((1..jobs.len()).contains(&cut.results().len()));
    assert_eq!(cut.fleet.waiting("default").await.unwrap(), 0);
    for job in &jobs {
        assert_eq!(cut.fleet.stored(&job.id).await.unwrap(), None);
    }

    let client = redis::Client::open(&*cut.fleet.services.redis_url).unwrap();
    let mut listening = client.get_async_pubsub().await.unwrap();
    for job in &jobs {
        listening.subscribe(done_channel(&job.id)).await.unwrap();
    }
    cut.relay.mend();
    let mut stored = Vec::new();
    let mut messages = listening.on_message();
    while stored.len() < jobs.len() {
        let message = tokio::time::timeout(Duration::from_secs(60), messages.next()).await;
        stored.push(message.unwrap().unwrap().get_channel_name().to_owned());
    }
    let mut finished = Vec::new();
    for (n, job) in jobs.iter().enumerate() {
        let result = cut.fleet.result(&job.id).await.unwrap();
        assert_eq!(result.stdout, format!("{n}\n"));
        finished.push((result.times.finished_at, done_channel(&job.id)));
    }
    finished.sort();
    let finished: Vec<_> = finished.into_iter().map(|(_, channel)| channel).collect();
    assert_eq!(stored, finished);
    cut.fleet.stop_settled(runner).await.unwrap();
    assert_eq!(cut.results(), []);
}

#[tokio::test]
async fn a_full_spool_stops_the_intake_and_nothing_is_lost() {
    let cut = Cut::new().await;
    let jobs = jobs(12);
    let limits = ["--spool-memory", "0", "--spool-disk", "4000"];
    let runner = cut.away(&limits, &jobs).await;
    runner.says("the spool is full").await.unwrap();
    runner.says("nothing new is taken").await.unwrap();
    eventually("the rest stays in the queue", async || {
        Ok(cut.fleet.waiting("default").await? > 0)
    })
    .await
    .unwrap();

    let said = runner.log().lines().count();
    cut.relay.mend();
    runner
        .says_from(said - 1, "taking jobs again")
        .await
        .unwrap();
    for (n, job) in jobs.iter().enumerate() {
        assert_eq!(
            cut.fleet.result(&job.id).await.unwrap().stdout,
            format!("{n}\n")
        );
    }
    cut.fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn what_a_killed_runner_left_is_stored_by_the_next_one_of_its_name() {
    let cut = Cut::new().await;
    let jobs = jobs(3);
    let mut runner = cut.away(&["--spool-memory", "0"], &jobs).await;
    cut.spooled(jobs.len() + 1).await;
    runner.supervisor().signal(Signal::SIGKILL).unwrap();
    runner.ended().await.unwrap();
    cut.relay.mend();

    let left = cut.results();
    let next = cut.runner(&["--slots", "1"]);
    for result in &left {
        assert_eq!(cut.fleet.result(&result.id).await.unwrap(), *result);
    }
    cut.fleet.run(&python("")).await.unwrap();
    cut.fleet.stop_settled(next).await.unwrap();
}

#[tokio::test]
async fn a_result_that_was_left_behind_replaces_no_other() {
    let cut = Cut::new().await;
    let mut runner = cut.away(&["--spool-memory", "0"], &[]).await;
    cut.spooled(1).await;
    let stale = cut.results().remove(0);
    runner.supervisor().signal(Signal::SIGKILL).unwrap();
    runner.ended().await.unwrap();
    cut.relay.mend();
    // With another folder: it knows nothing of what is left.
    let other = cut.fleet.runner(1).await.unwrap();
    cut.fleet.started(&stale.id, 2).await.unwrap();
    other.release().unwrap();
    let result = cut.fleet.result(&stale.id).await.unwrap();
    assert_eq!((&result.runner, result.attempt), (&other.name, 2));
    let before = cut.fleet.stored(&stale.id).await.unwrap();

    let next = cut.runner(&["--slots", "1"]);
    next.says("the first one stands").await.unwrap();
    assert_eq!(cut.fleet.stored(&stale.id).await.unwrap(), before);
    next.says("consuming").await.unwrap();
    cut.fleet.stop_settled(other).await.unwrap();
    cut.fleet.stop_settled(next).await.unwrap();
}

#[tokio::test]
async fn a_runner_of_another_name_takes_over_what_a_killed_one_left() {
    let cut = Cut::new().await;
    let mut runner = cut.away(&["--spool-memory", "0"], &[]).await;
    cut.spooled(1).await;
    let left = cut.results();
    runner.supervisor().signal(Signal::SIGKILL).unwrap();
    runner.ended().await.unwrap();
    cut.relay.mend();

    let other = format!("{}-other", cut.name);
    let next = cut.runner_called(&other, &["--slots", "1"]);
    assert_eq!(cut.fleet.result(&left[0].id).await.unwrap(), left[0]);
    assert!(!cut.spool.path().join(&cut.name).exists());
    cut.fleet.run(&python("")).await.unwrap();
    cut.fleet.stop_settled(next).await.unwrap();
}

#[tokio::test]
async fn what_may_have_run_before_waits_for_redis() {
    let cut = Cut::new().await;
    // Not the only copy of its id, for all that its message tells.
    let unknown = gate();
    let known = python("print('known')");
    let runner = cut.away(&["--spool-memory", "0"], &[]).await;
    let body = unknown.to_wire_json();
    cut.fleet.publish("default", &body, None).await.unwrap();
    cut.fleet.client.submit(&known).await.unwrap();
    cut.spooled(2).await;
    let ids: Vec<_> = cut.results().into_iter().map(|result| result.id).collect();
    assert!(
        ids.contains(&known.id) && !ids.contains(&unknown.id),
        "{ids:?}"
    );

    cut.relay.mend();
    cut.fleet.started(&unknown.id, 1).await.unwrap();
    runner.release().unwrap();
    assert_eq!(
        cut.fleet.result(&unknown.id).await.unwrap().status,
        Status::Succeeded
    );
    cut.fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_result_that_waits_for_redis_keeps_no_slot() {
    let cut = Cut::new().await;
    let mut expired = python("");
    expired.expires_at = Some("2020-01-01T00:00:00Z".parse().unwrap());
    let mut unknown = python("");
    unknown.language = "no-such-language".to_owned();
    let jobs = [expired, unknown, python("print('ran')")];
    let runner = cut.away(&["--spool-memory", "0"], &jobs).await;
    cut.spooled(jobs.len() + 1).await;

    cut.relay.mend();
    let result = cut.fleet.result(&jobs[2].id).await.unwrap();
    assert_eq!(result.stdout, "ran\n");
    eventually("no room is made for what waited", async || {
        Ok(cut.fleet.consumers("default").await? == 1)
    })
    .await
    .unwrap();
    cut.fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_runner_that_stops_while_redis_is_away_leaves_its_results_to_the_next() {
    let cut = Cut::new().await;
    let jobs = jobs(2);
    let mut runner = cut.away(&["--drain", "0"], &jobs).await;
    runner.says("Redis is away").await.unwrap();
    eventually("all are taken", async || {
        Ok(cut.fleet.waiting("default").await? == 0)
    })
    .await
    .unwrap();
    runner.terminate().unwrap();
    assert_eq!(runner.ended().await.unwrap(), 6, "not all is settled");
    let left = cut.results();
    assert!(!left.is_empty());

    cut.relay.mend();
    let next = cut.runner(&["--slots", "1"]);
    for result in &left {
        assert_eq!(cut.fleet.result(&result.id).await.unwrap(), *result);
    }
    for job in &jobs {
        cut.fleet.result(&job.id).await.unwrap();
    }
    cut.fleet.run(&python("")).await.unwrap();
    cut.fleet.stop_settled(next).await.unwrap();
}

#[tokio::test]
async fn a_name_is_one_runners() {
    let cut = Cut::new().await;
    let first = cut.runner(&["--slots", "1"]);
    first.says("consuming").await.unwrap();
    let mut same_folder = cut.runner(&["--slots", "1"]);
    assert_eq!(same_folder.ended().await.unwrap(), 5);
    same_folder
        .says("another runner of this name is running")
        .await
        .unwrap();

    let elsewhere = How {
        name: Some(&cut.name),
        ..How::default()
    };
    let mut second = Runner::start(&cut.services, elsewhere).unwrap();
    assert_eq!(second.ended().await.unwrap(), 2);
    second
        .says("another runner is called spools-")
        .await
        .unwrap();
    cut.fleet.stop_settled(first).await.unwrap();
}
