//! Interpreters that are started ahead of their jobs: what a job is charged for, what starts cold all the same, and that
//! each is of use to one job only.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use glovebox_tests::processes::Process;
use glovebox_tests::warm::{Line, Start};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_warm");

fn node(code: &str) -> Value {
    json!({"id": "test", "language": "nodejs", "code": code})
}

fn line(start: Start) -> Line {
    Line::with(BINARY, start, &[("WARM_LANGUAGE", "nodejs")])
}

/// Whose program is this one; of a process that waits.
fn is_node(process: &Process) -> bool {
    let program = fs::read_link(format!("/proc/{}/exe", process.0)).unwrap_or_default();
    program == Path::new("/usr/bin/node")
}

#[test]
fn what_came_before_the_job_is_not_charged_to_it() {
    let code = "const { user, system } = process.cpuUsage();
                console.log((user + system) / 1000, process.uptime() * 1000)";
    for (start, is_less) in [(Start::Warm, true), (Start::Cold, false)] {
        let answer = line(start).run(&node(code));
        let said: Vec<f64> = answer
            .result
            .stdout
            .split_whitespace()
            .map(|number| number.parse().unwrap())
            .collect();
        let usage = &answer.document["usage"];
        let number = |name: &str| usage[name].as_f64().unwrap();
        let cpu = number("cpu_user_ms") + number("cpu_system_ms");
        assert_eq!(cpu < said[0], is_less, "{start:?}: {cpu} of {said:?}");
        assert_eq!(
            number("wall_ms") < said[1],
            is_less,
            "{start:?}: {usage} of {said:?}"
        );
    }
}

#[test]
fn no_two_jobs_share_anything() {
    let mut line = line(Start::Warm);
    let code = "console.log(globalThis.left, require('fs').readdirSync('/tmp').length);
                globalThis.left = 1;
                require('fs').writeFileSync('/tmp/left', '');
                console.log(Math.random(), crypto.randomUUID(), require('crypto').randomBytes(8).toString('hex'));
                console.log(require('fs').readFileSync('/proc/self/maps', 'latin1').split('\\n')[1]);
                console.log(require('fs').readFileSync('/proc/self/auxv').toString('hex'))";
    let mut seen = HashSet::new();
    for _ in 0..8 {
        let answer = line.run(&node(code));
        assert!(answer.warm, "{:#}", answer.document);
        let (first, rest) = answer.result.stdout.split_once('\n').unwrap();
        assert_eq!(first, "undefined 0");
        let mut words = rest.split_whitespace();
        for word in words.by_ref().take(3) {
            assert!(seen.insert(word.to_owned()), "{word} twice");
        }
        let auxiliary = words.next_back().unwrap();
        assert!(seen.insert(auxiliary.to_owned()), "the same addresses");
    }
}

#[test]
fn a_job_with_a_variable_that_is_read_at_the_start_starts_cold() {
    let mut line = line(Start::Warm);
    for (variable, warm) in [
        ("NODE_OPTIONS", false),
        ("NODE_PATH", false),
        ("LD_LIBRARY_PATH", false),
        ("TZ", false),
        ("HOME", true),
        ("TOKEN", true),
    ] {
        let mut job = node("console.log(1)");
        job["env"] = json!({variable: ""});
        assert_eq!(line.run(&job).warm, warm, "{variable}");
    }
}

/// The place of the program that the interpreter was started with may be another file's.
#[test]
fn a_job_whose_other_file_is_called_like_a_program_starts_cold() {
    let mut line = line(Start::Warm);
    for (other, warm) in [("main.js", false), ("other.js", true)] {
        let mut job = node(&format!("console.log(require('/work/{other}'))"));
        job["entrypoint"] = "app.js".into();
        job["files"] = json!([{"path": other, "content": "module.exports = 'found'"}]);
        let answer = line.run(&job);
        let told = (answer.warm, answer.result.stdout.as_str());
        assert_eq!(told, (warm, "found\n"), "{other}: {:#}", answer.document);
    }
}

/// It would be over its limit before it begins, and is to be told so.
#[test]
fn a_job_with_less_than_what_waits_starts_cold() {
    let mut line = line(Start::Warm);
    for (limit, value) in [("processes", 3), ("memory_bytes", 1 << 20)] {
        let mut job = node("console.log(1)");
        job["limits"] = json!({limit: value, "wall_ms": 1000});
        let answer = line.run(&job);
        assert!(
            !answer.warm && answer.result.stdout.is_empty(),
            "{limit}: {:#}",
            answer.document
        );
    }
}

#[test]
fn one_that_is_killed_while_it_waits_costs_no_job() {
    let mut line = line(Start::Warm);
    for _ in 0..4 {
        for process in line.waiting() {
            process.signal(Signal::SIGKILL).unwrap();
        }
        let answer = line.run(&node("console.log(1)"));
        assert_eq!(answer.result.stdout, "1\n", "{:#}", answer.document);
    }
}

#[test]
fn interpreters_that_do_not_come_to_wait_are_told_of() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("profiles")).unwrap();
    let shipped = include_str!("../../policies/profiles/nodejs.toml");
    let changed = shipped.replace("preload = [", "preload = [\"nothing\", ");
    assert_ne!(changed, shipped);
    fs::write(dir.path().join("profiles/nodejs.toml"), changed).unwrap();
    let variables = [
        ("GLOVEBOX_POLICIES", dir.path().to_str().unwrap()),
        ("WARM_LANGUAGE", "nodejs"),
    ];
    let mut line = Line::with(BINARY, Start::Either, &variables);
    let answer = line.run(&node("console.log(1)"));
    let told = (answer.warm, answer.result.stdout.as_str());
    assert_eq!(told, (false, "1\n"), "{:#}", answer.document);
    let told = line.told();
    assert!(told.contains("do not come to wait"), "{told}");
}

/// A number of a slot is only a place: a job takes what is ready for it, wherever that is, and leaves the rest alone.
#[test]
fn what_is_ready_is_used_in_any_slot() {
    let variables = [("WARM_LANGUAGE", "all"), ("WARM_SLOTS", "2")];
    let mut line = Line::with(BINARY, Start::Warm, &variables);
    let python = json!({"id": "test", "language": "python", "code": "print(1)"});
    let javascript = node("console.log(1)");
    let waits = |line: &mut Line| {
        line.run(&javascript);
        loop {
            let both = line.waiting();
            let python: Vec<_> = both.iter().filter(|one| !is_node(one)).collect();
            if let (2, [one]) = (both.len(), python.as_slice()) {
                return one.0;
            }
            std::thread::yield_now();
        }
    };
    line.run(&python);
    let first = waits(&mut line);
    // By turns in both places.
    assert_eq!([waits(&mut line), waits(&mut line)], [first; 2]);
}
