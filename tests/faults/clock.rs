//! A host whose clock is wrong, or is set while jobs run: durations are right, and nobody loses a job to it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::fleet::gate;
use glovebox_tests::{Fleet, How, Runner};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use crate::common::brief;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What stands between a program and its clock: Debian's package `libfaketime`.
fn library() -> String {
    let machine = std::env::consts::ARCH;
    format!("/usr/lib/{machine}-linux-gnu/faketime/libfaketime.so.1")
}

/// The clock of one runner, which its test sets.
struct Clock {
    folder: TempDir,
}

impl Clock {
    fn new(offset: &str) -> Clock {
        let folder = tempfile::tempdir().unwrap();
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), open).unwrap();
        let clock = Clock { folder };
        clock.set(offset);
        clock
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }

    /// So far from the true time, such as `+1h`.
    fn set(&self, offset: &str) {
        let next = self.folder.path().join("next");
        fs::write(&next, offset).unwrap();
        fs::rename(&next, self.file()).unwrap();
    }

    async fn runner(&self, fleet: &Fleet) -> Runner {
        let (library, file) = (library(), self.file());
        assert!(fs::exists(&library).unwrap(), "apt-get install libfaketime");
        let how = How {
            arguments: &["--slots", "1"],
            variables: &[
                ("LD_PRELOAD", &library),
                ("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap()),
                ("FAKETIME_NO_CACHE", "1"),
                // Nobody sets that one.
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ],
            ..How::default()
        };
        let runner = Runner::start(&fleet.services, how).unwrap();
        runner.says("consuming").await.unwrap();
        runner
    }
}

/// How far the runner's clock was from ours when the job ended, to the minute.
fn ahead(result: &JobResult) -> i64 {
    let finished = result.times.finished_at.unwrap();
    let ahead = finished.duration_since(Timestamp::now());
    (ahead.as_secs() + 30).div_euclid(60)
}

fn durations_are_right(result: &JobResult) {
    assert_eq!(
        (result.status, result.attempt),
        (Status::Succeeded, 1),
        "{result:?}"
    );
    let wall = result.usage.unwrap().wall_ms;
    let times = result.times;
    for ms in [wall, times.setup_ms.unwrap(), times.run_ms.unwrap()] {
        assert!((0.0..60_000.0).contains(&ms), "{result:?}");
    }
    assert!(times.queue_ms.unwrap() >= 0.0, "{result:?}");
}

async fn wrong(offset: &str, minutes: i64) {
    let fleet = Fleet::new().await.unwrap();
    let clock = Clock::new(offset);
    let runner = clock.runner(&fleet).await;
    let job = gate();
    fleet.client.submit(&job).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    // One with the right time, which must not take the job over.
    let other = fleet.runner(1).await.unwrap();
    let body = job.to_wire_json();
    fleet.publish("default", &body, None).await.unwrap();
    fleet.run(&brief()).await.unwrap();
    runner.release().unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    durations_are_right(&result);
    assert_eq!(ahead(&result), minutes, "the clock was right: {result:?}");
    fleet.drained().await.unwrap();
    assert_eq!(fleet.starts(&job.id).await.unwrap(), 1);
    fleet.stop_settled(other).await.unwrap();
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_an_hour_fast() {
    wrong("+1h", HOUR.as_mins()).await;
}

#[tokio::test]
async fn a_clock_that_is_an_hour_slow() {
    wrong("-1h", -HOUR.as_mins()).await;
}

#[tokio::test]
async fn a_clock_that_is_set_while_a_job_runs() {
    let fleet = Fleet::new().await.unwrap();
    let clock = Clock::new("+0");
    let runner = clock.runner(&fleet).await;
    for (offset, minutes) in [("+1h", 60), ("-1h", -60), ("+0", 0)] {
        let job = gate();
        fleet.client.submit(&job).await.unwrap();
        fleet.started(&job.id, 1).await.unwrap();
        clock.set(offset);
        // Heartbeats with the new time have come.
        let key = glovebox_schemas::names::runner_key(&runner.name);
        glovebox_tests::fleet::eventually("a heartbeat", async || {
            let beat = fleet.hash(&key).await?;
            let seen: Timestamp = beat["seen_at"].parse()?;
            let ahead = seen.duration_since(Timestamp::now());
            Ok((ahead.as_secs() + 30).div_euclid(60) == minutes)
        })
        .await
        .unwrap();
        runner.release().unwrap();
        let result = fleet.result(&job.id).await.unwrap();
        durations_are_right(&result);
        assert_eq!(ahead(&result), minutes, "{result:?}");
    }
    assert_eq!(
        runner.log().matches("consuming").count(),
        1,
        "{}",
        runner.log()
    );
    fleet.drained().await.unwrap();
    fleet.stop_settled(runner).await.unwrap();
}
