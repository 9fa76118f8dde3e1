//! Jobs of strangers on one runner: one after the other in the same slot, and two at the same time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_arch = "x86_64")]

use glovebox_schemas::result::Status;
use glovebox_tests::fleet::{Fleet, python};
use glovebox_tests::probe::{Word, beside, spoke};
use glovebox_tests::run::Run;
use serde_json::json;

/// Lays its secret wherever another job could look, says so, and stays until it is released.
const NEIGHBOUR: &str = "
import fcntl, os, signal, socket, sys
secret = sys.argv[1].encode()
for folder in ('/work', '/tmp', '/dev/shm'): open(f'{folder}/secret', 'wb').write(secret)
open('/dev/shm/neighbour', 'wb').write(secret)
sockets = [socket.socket(socket.AF_UNIX) for _ in range(2)]
for one, address in zip(sockets, ('\\0neighbour', '/tmp/neighbour')): one.bind(address); one.listen(); one.setblocking(False)
locked = open('/work/secret', 'a'); fcntl.lockf(locked, fcntl.LOCK_EX)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
print('ready', flush=True)
signal.sigwait({signal.SIGUSR1})
for one in sockets:
    try: one.accept(); print('somebody came')
    except BlockingIOError: pass
intact = all(open(f'{folder}/secret', 'rb').read() == secret for folder in ('/work', '/tmp', '/dev/shm'))
print('untouched' if intact else 'changed')
";

#[tokio::test]
async fn a_job_meets_nothing_of_the_one_before_it() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let mut broken = Vec::new();
    for probe in beside("leftovers") {
        for turn in ["leave", "look"] {
            let mut job = probe.queued();
            job.args = vec![turn.to_owned()];
            let result = fleet.run(&job).await.unwrap();
            // Whoever tries to leave that is ended.
            if turn == "leave" && probe.name == "key.py" {
                assert_eq!(result.status, Status::Denied, "{result:?}");
                continue;
            }
            for fault in probe.broken(&result, "secret") {
                broken.push(format!("{}, {turn}: {fault}", probe.name));
            }
        }
    }
    fleet.stop_settled(runner).await.unwrap();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Leaves what the probe leaves, and becomes the one that looks, in the same cell.
const SAME_CELL: &str = "
import os, sys, probe
class Left(BaseException): pass
def left(why): raise Left
probe.contained = left
sys.argv[1:] = ['leave']
kept = {'__name__': '__main__'}
try: exec(CODE, kept)
except Left: pass
os.environ['PYTHONPATH'] = '/work'
os.execv(sys.executable, [sys.executable, '-c', CODE, 'look'])
";

#[test]
fn a_look_within_the_same_cell_finds_what_was_left() {
    for probe in beside("leftovers") {
        // Of one cell these are never seen: time that is gone, and what could not be left at all.
        let unseen = [
            "processor_time.py",
            "marks_on_shared_files.py",
            "ipc.py",
            "key.py",
        ];
        if unseen.contains(&probe.name.as_str()) {
            continue;
        }
        let code = format!("CODE = {}\n{SAME_CELL}", json!(probe.code));
        let helper = include_str!("../probes/probe.py");
        let outcome = Run::python(&code).file("probe.py", helper).result();
        let result = &outcome.result;
        assert_ne!(
            spoke(result),
            Some(Word::Contained),
            "{}: {result:?}",
            probe.name
        );
    }
}

#[tokio::test]
async fn a_job_meets_nothing_of_the_one_beside_it() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(2).await.unwrap();
    let secret = uuid::Uuid::now_v7().simple().to_string();
    let mut neighbour = python(NEIGHBOUR);
    neighbour.stream = true;
    neighbour.args = vec![secret.clone()];
    fleet.client.submit(&neighbour).await.unwrap();
    fleet.started(&neighbour.id, 1).await.unwrap();

    let mut broken = Vec::new();
    for probe in beside("neighbours") {
        let result = fleet.run(&probe.queued()).await.unwrap();
        for fault in probe.broken(&result, &secret) {
            broken.push(format!("{}: {fault}", probe.name));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));

    runner.release().unwrap();
    let result = fleet.result(&neighbour.id).await.unwrap();
    assert_eq!(result.status, Status::Succeeded, "{result:?}");
    assert_eq!(result.stdout, "ready\nuntouched\n");
    fleet.stop_settled(runner).await.unwrap();
}
