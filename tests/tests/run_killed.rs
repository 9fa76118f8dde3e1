//! What is left of `glovebox run` when it, or a part of it, is killed: nothing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_tests::cli::{Cli, Running};
use glovebox_tests::run::{Outcome, Run};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

fn run(name: &str, program: &str) -> Cli {
    Cli::new(&["run", name]).file(name, program)
}

/// A program that leaves children in sessions of their own, deaf to signals, and a full tmpfs.
const CLINGS: &str = "
import os, signal, sys, time
for n in signal.valid_signals() - {9, 19}: signal.signal(n, signal.SIG_IGN)
r, w = os.pipe()
for _ in range(10):
    if os.fork() == 0:
        os.setsid(); os.write(w, b'x'); time.sleep(600)
for _ in range(10): os.read(r, 1)
open('/dev/shm/x', 'wb').write(b'x' * 1000000)
print('clinging', flush=True)
time.sleep(600)
";

fn clinging() -> Running {
    let mut running = run("clings.py", CLINGS).spawn();
    running.wait_for("clinging\n");
    running
}

fn kill(pid: Pid) {
    kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn a_signal_cancels_the_job() {
    for signal in [Signal::TERM, Signal::INT] {
        let running = clinging();
        running.signal(signal);
        let ended = running.finish();
        assert_eq!(ended.code(), 3, "{signal:?}: {ended}");
        assert_eq!(ended.stdout_text(), "clinging\n");
    }
}

#[test]
fn a_cancelled_job_has_a_result() {
    let run = Run::python("import os, time\nos.write(1, b'x' * 10)\ntime.sleep(600)");
    let running = run.spawn();
    running.wait_for_processes("python3", 1);
    running.signal(Signal::TERM);
    let outcome = Outcome::of(running.finish());
    outcome.expect(json!({"status": "cancelled", "stdout": outcome.result.stdout}));
}

#[test]
fn nothing_is_left_when_the_command_is_killed() {
    let running = clinging();
    running.signal(Signal::KILL);
    let ended = running.finish_killed();
    assert_eq!(ended.code(), 137, "{ended}");
}

#[test]
fn nothing_is_left_when_the_warden_is_killed_and_it_is_said() {
    let running = clinging();
    kill(running.warden());
    let ended = running.finish_killed();
    assert_eq!(ended.code(), 5, "{ended}");
    assert!(ended.stderr().contains("the warden died"), "{ended}");

    let running = Run::python(CLINGS).spawn();
    running.wait_for_processes("python3", 11);
    kill(running.warden());
    let outcome = Outcome::of(running.finish_killed());
    outcome.expect(json!({
        "status": "error", "profile": null, "usage": null, "times": "not started",
        "error": {"code": "warden_died", "message": "the warden died", "hint": "look at the runner's log"},
    }));
}

#[test]
fn nothing_is_left_when_the_worker_is_killed() {
    let running = clinging();
    let warden = running.warden();
    let children = running.children_of(running.pid());
    let worker = children.iter().find(|pid| **pid != warden).unwrap();
    kill(*worker);
    let ended = running.finish_killed();
    assert_eq!(ended.code(), 137, "{ended}");
}

#[test]
fn a_power_cut_ends_the_cells_and_the_next_start_sweeps_their_groups() {
    let mut running = clinging();
    running.cut_power();
    let next = run("a.py", "print('next')").spawn_after(running);
    let ended = next.finish();
    assert_eq!(
        (ended.code(), ended.stdout_text().as_str()),
        (0, "next\n"),
        "{ended}"
    );
}

#[test]
fn a_killed_cell_is_our_failure_and_not_the_jobs() {
    let running = clinging();
    // The cell's init is the only process whose parent is the warden.
    let warden = running.warden();
    let init = running.children_of(warden);
    kill(*init.first().unwrap());
    let ended = running.finish();
    assert_eq!(ended.code(), 5, "{ended}");
    assert!(ended.stderr().contains("the cell vanished"), "{ended}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut running = run("a.py", "for n in range(200000): print(n)")
        .args(&["--limit", "output_bytes=16000000"])
        .spawn();
    running.wait_for("1\n");
    running.close_stdout();
    assert_eq!(running.finish().code(), 0);
}

#[test]
fn the_folder_that_it_runs_in_stays_as_it_was() {
    let mut running = run(
        "a.py",
        "open('new', 'w').write('x'); open('a.py', 'w').write('x'); print('done')",
    )
    .spawn();
    running.wait_for("done");
    let before = running.folder();
    assert_eq!(before, ["a.py"]);
    assert_eq!(running.finish().code(), 0);
}
