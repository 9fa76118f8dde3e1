//! `glovebox batch --local`: several cells at once, without any service.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::cli::Cli;
use rustix::process::Signal;
use serde_json::json;

fn job(code: &str) -> String {
    let job = json!({"language": "python", "code": code, "limits": {"wall_ms": 60_000}});
    format!("{job}\n")
}

/// A job that does not end by itself.
fn sleeper() -> String {
    job("import time\ntime.sleep(50)")
}

fn batch(jobs: &str, output: &Path, more: &[&str]) -> Cli {
    let output = output.to_str().unwrap();
    Cli::new(&["batch", "-", "--local", "-o", output])
        .args(more)
        .stdin(jobs)
}

fn results(output: &Path) -> Vec<JobResult> {
    let text = fs::read_to_string(output).unwrap();
    let lines = text.lines();
    lines
        .map(|line| JobResult::from_json(line.as_bytes()).unwrap())
        .collect()
}

fn said(output: &Path) -> Vec<String> {
    results(output).into_iter().map(|one| one.stdout).collect()
}

#[test]
fn results_stand_in_the_order_of_the_lines() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    // The first ends last.
    let mut jobs = job("import time\ntime.sleep(1)\nprint(0)");
    for number in 1..30 {
        jobs += &job(&format!("print({number})"));
    }
    jobs += "{\"language\": \"klingon\", \"code\": \"1\"}\n[]\n";

    let ended = batch(&jobs, &output, &["--slots", "3"]).finish();

    assert_eq!(ended.code(), 3, "{ended}");
    let stderr = ended.stderr();
    assert!(stderr.contains("line 32: "), "{ended}");
    assert!(stderr.contains("30 succeeded, 2 rejected"), "{ended}");
    let mut wanted: Vec<_> = (0..30).map(|number| format!("{number}\n")).collect();
    wanted.extend([String::new(), String::new()]);
    assert_eq!(said(&output), wanted);
}

#[test]
fn as_many_run_at_once_as_there_are_slots_and_a_stop_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    let first = job("print('first')");
    let jobs = format!("{first}{}", sleeper().repeat(5));

    for signal in [Signal::INT, Signal::TERM] {
        let more: &[&str] = match signal {
            Signal::INT => &["--slots", "3"],
            _ => &["--slots", "3", "--resume"],
        };
        let running = batch(&jobs, &output, more).spawn();
        while fs::read(&output).unwrap_or_default().is_empty() {
            std::thread::yield_now();
        }
        running.wait_for_processes("python3", 3);
        running.signal(signal);
        let ended = running.finish();
        assert_eq!(ended.code(), 130, "{ended}");
        assert!(ended.stderr().contains("--local --resume"), "{ended}");
        assert_eq!(said(&output), ["first\n"]);
    }
}

#[test]
fn what_was_killed_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    let mut jobs: String = (0..10).map(|n| job(&format!("print({n})"))).collect();
    let stuck = jobs.clone() + &sleeper();
    let mut running = batch(&stuck, &output, &["--slots", "2"]).spawn();
    while fs::read(&output)
        .unwrap_or_default()
        .split(|b| *b == b'\n')
        .count()
        < 11
    {
        std::thread::yield_now();
    }
    running.cut_power();
    drop(running);
    let mut torn = fs::read(&output).unwrap();
    torn.truncate(torn.len() - 20);
    fs::write(&output, torn).unwrap();

    jobs += &job("print(10)");
    let ended = batch(&jobs, &output, &["--resume"]).finish();

    assert_eq!(ended.code(), 0, "{ended}");
    assert!(ended.stderr().contains("2 jobs in "), "{ended}");
    assert!(ended.stderr().contains("9 before"), "{ended}");
    let wanted: Vec<_> = (0..11).map(|number| format!("{number}\n")).collect();
    assert_eq!(said(&output), wanted);
    assert!(
        results(&output)
            .iter()
            .all(|one| one.status == Status::Succeeded)
    );
}
