//! Jobs that do their worst: the runner's heartbeats come, its connections stand, and its other jobs are served.

use std::time::Duration;

use glovebox_schemas::job::Job;
use glovebox_schemas::names::runner_key;
use glovebox_schemas::result::Status;
use glovebox_tests::Fleet;
use glovebox_tests::fleet::python;

use crate::common::brief;

const FORK_BOMB: &str = "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass";
const FLOOD: &str = "while True: print('x' * 100_000)";
const FROZEN: &str = "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)";
const SPIN: &str = "import threading\nfor _ in range(20): threading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start()";

/// The lease is longer, and two beats may be late on a busy machine.
const BEATS_WITHIN: Duration = Duration::from_millis(4_000);

fn hostile(code: &str) -> Job {
    let mut job = python(code);
    job.limits.wall_ms = Some(2_000);
    job.limits.output_bytes = Some(16 << 20);
    job
}

/// Looks at the heartbeat for as long as it is let, and gives the longest time in which there was no new one.
async fn longest_silence(fleet: &Fleet, key: &str) -> Duration {
    let mut longest = Duration::ZERO;
    let (mut seen, mut since) = (String::new(), tokio::time::Instant::now());
    loop {
        let beat = fleet.hash(key).await.unwrap();
        let now = beat.get("seen_at").expect("a heartbeat").clone();
        if now != seen {
            (seen, since) = (now, tokio::time::Instant::now());
        }
        longest = longest.max(since.elapsed());
        assert!(longest < BEATS_WITHIN, "no heartbeat for {longest:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn heartbeats_and_acks_never_miss() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(4).await.unwrap();
    let key = runner_key(&runner.name);
    fleet.run(&brief()).await.unwrap();
    let worst = [FORK_BOMB, FLOOD, FROZEN, SPIN, FORK_BOMB, FLOOD].map(hostile);
    let work = async {
        for job in &worst {
            fleet.client.submit(job).await.unwrap();
            let good = fleet.run(&brief()).await.unwrap();
            assert_eq!((good.status, good.attempt), (Status::Succeeded, 1));
        }
        for job in &worst {
            let result = fleet.result(&job.id).await.unwrap();
            assert_eq!(
                (result.status, result.attempt),
                (Status::LimitExceeded, 1),
                "{result:?}"
            );
        }
        fleet.drained().await.unwrap();
    };
    tokio::select! {
        () = work => {}
        longest = longest_silence(&fleet, &key) => panic!("{longest:?}"),
    }
    assert_eq!(
        runner.log().matches("consuming").count(),
        1,
        "{}",
        runner.log()
    );
    fleet.stop_settled(runner).await.unwrap();
}
