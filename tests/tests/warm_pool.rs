//! How many cells wait, from which template, and what a job gets when there is none: time is all that it costs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::fs;
use std::time::{Duration, Instant};

use glovebox_tests::processes::Process;
use glovebox_tests::warm::{Line, Start};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_warm");

fn python(code: &str) -> Value {
    json!({"id": "test", "language": "python", "code": code})
}

fn kill(process: Process) {
    process.signal(Signal::SIGKILL).unwrap();
}
#[test]
fn a_template_that_is_killed_is_followed_by_another() {
    let mut line = Line::start(BINARY, Start::Warm);
    for _ in 0..3 {
        line.until_warm();
        let killed = line.template().expect("there is a template");
        kill(killed);
        // The cell that waited already is of use all the same; what comes after it starts cold.
        line.until_warm();
        let cold = (0..20)
            .map(|_| line.run(&python("print(1)")))
            .filter(|answer| !answer.warm);
        let cold = cold.count() + line.until_warm();
        let next = line.template();
        assert!(
            next.is_some() && next != Some(killed),
            "{next:?} after {killed:?}, {cold} were cold"
        );
    }
}

#[test]
fn a_job_outlives_its_template() {
    let mut line = Line::start(BINARY, Start::Warm);
    line.until_warm();
    let (killed, all) = (
        line.template().expect("there is a template"),
        line.process(),
    );
    let code = "
import ctypes, time
ctypes.CDLL(None).prctl(15, b'under way')
time.sleep(1)
print('there')";
    std::thread::scope(|scope| {
        let running = scope.spawn(|| line.run(&python(code)));
        while all.called("under way").unwrap().is_empty() {
            std::thread::yield_now();
        }
        kill(killed);
        let answer = running.join().unwrap();
        let told = (answer.warm, answer.result.stdout.as_str());
        assert_eq!(told, (true, "there\n"), "{:#}", answer.document);
    });
}

/// With it ends all that it has made; nothing else is lost.
#[test]
fn a_nursery_that_is_killed_is_followed_by_another() {
    let mut line = Line::start(BINARY, Start::Warm);
    let there = |line: &Line| {
        let nurses = line.process().called("glovebox-nurse").unwrap();
        (nurses.first().copied(), line.template())
    };
    for _ in 0..3 {
        line.until_warm();
        let (nurse, template) = there(&line);
        kill(nurse.expect("there is a nurse"));
        // Those of the killed are seen until they are reaped: whatever is warm after a cold one is of the next.
        while line.run(&python("print(1)")).warm {}
        line.until_warm();
        let next = there(&line);
        assert!(next.0.is_some() && next.0 != nurse, "{next:?}");
        assert!(next.1.is_some() && next.1 != template, "{next:?}");
    }
}

/// A profile with another section `[warm]`, in a folder for GLOVEBOX_POLICIES.
fn policies(change: impl Fn(String) -> String) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("profiles")).unwrap();
    let shipped = include_str!("../../policies/profiles/python.toml").to_owned();
    let changed = change(shipped.clone());
    assert_ne!(changed, shipped);
    fs::write(dir.path().join("profiles/python.toml"), changed).unwrap();
    dir
}

#[test]
fn a_template_gives_so_many_jobs_and_no_more() {
    let dir = policies(|text| text.replace("forks = 2000", "forks = 3"));
    let variables = [("GLOVEBOX_POLICIES", dir.path().to_str().unwrap())];
    let mut line = Line::with(BINARY, Start::Warm, &variables);
    let mut templates = HashSet::new();
    for _ in 0..12 {
        line.until_warm();
        templates.extend(line.template().map(|one| one.0));
    }
    assert!(templates.len() >= 3, "{templates:?}");
}

#[test]
fn a_job_that_hides_a_module_starts_cold() {
    let mut line = Line::start(BINARY, Start::Warm);
    for (path, warm) in [
        ("enum.py", false),
        ("json/__init__.py", false),
        ("mine.py", true),
    ] {
        let name = path.split(['.', '/']).next().unwrap();
        let code = format!("import {name}\nprint({name}.MINE)");
        let mut job = python(&code);
        job["files"] = json!([{"path": path, "content": "MINE = 1\n"}]);
        let answer = line.run(&job);
        assert_eq!(
            (answer.warm, answer.result.stdout.as_str()),
            (warm, "1\n"),
            "{path}: {:#}",
            answer.document
        );
    }
    // A program looks in its own folder.
    for (path, warm) in [
        ("own/json.py", false),
        ("own/json/deep.py", false),
        ("other/json.py", true),
    ] {
        let program = "import json\nprint(json.__file__)";
        let job = json!({"id": "test", "language": "python", "entrypoint": "own/program.py", "files": [
            {"path": "own/program.py", "content": program},
            {"path": path, "content": "MINE = 1\n"},
        ]});
        assert_eq!(line.run(&job).warm, warm, "{path}");
    }
    for (variable, warm) in [("PYTHONPATH", false), ("LC_ALL", false), ("TOKEN", true)] {
        let mut job = python("print(1)");
        job["env"] = json!({ variable: "/work" });
        assert_eq!(line.run(&job).warm, warm, "{variable}");
    }
}

/// Runs jobs until so many cells wait, and as many again: there are never more.
fn waiting(line: &mut Line, wanted: usize) {
    let (mut least, mut rounds) = (usize::MAX, 0);
    while rounds < 30 {
        line.run(&python("pass"));
        let waiting = line.waiting().len();
        assert!(waiting <= wanted, "{waiting} wait and not {wanted}");
        least = waiting;
        rounds += usize::from(waiting == wanted || rounds > 0);
    }
    // The slot of the last job may not have its next yet.
    assert!(least + 1 >= wanted, "{least} wait and not {wanted}");
}

#[test]
fn as_many_wait_as_are_asked_for_and_the_profile_allows() {
    let slots = ("WARM_SLOTS", "4");
    for (profile, wanted) in [
        ("min = 1", 4),
        ("min = 0\nmax = 2", 2),
        ("min = 2\nmax = 3", 3),
    ] {
        let dir = policies(|text| text.replace("min = 1\n", &format!("{profile} # changed\n")));
        let variables = [slots, ("GLOVEBOX_POLICIES", dir.path().to_str().unwrap())];
        waiting(&mut Line::with(BINARY, Start::Warm, &variables), wanted);
    }
}

/// Until what waits and the template come to this.
fn comes_to(line: &Line, waiting: usize, template: bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let seen = (line.waiting().len(), line.template().is_some());
        if seen == (waiting, template) {
            return;
        }
        assert!(Instant::now() < deadline, "{seen:?}");
        std::thread::yield_now();
    }
}

#[test]
fn what_nobody_asks_for_is_given_up_and_comes_again() {
    for (profile, least, kept) in [("min = 1", 1, true), ("min = 0", 0, false)] {
        let dir = policies(|text| text.replace("min = 1\n", &format!("{profile} # changed\n")));
        let variables = [
            ("WARM_SLOTS", "3"),
            ("WARM_FADES_MS", "2000"),
            ("WARM_FORGOTTEN_MS", "5000"),
            ("GLOVEBOX_POLICIES", dir.path().to_str().unwrap()),
        ];
        let mut line = Line::with(BINARY, Start::Warm, &variables);
        for _ in 0..2 {
            line.until_warm();
            comes_to(&line, 3, true);
            // The template stays for a while longer than what waits.
            comes_to(&line, least, true);
            comes_to(&line, least, kept);
        }
    }
}

/// A template and what waits are within it together; what would be beyond starts cold.
#[test]
fn memory_bounds_what_waits() {
    let mut counts = Vec::new();
    for megabytes in [12, 24, 200] {
        let memory = (megabytes << 20u64).to_string();
        let variables = [("WARM_SLOTS", "4"), ("WARM_MEMORY", memory.as_str())];
        let mut line = Line::with(BINARY, Start::Either, &variables);
        let mut most = 0;
        for at in 0..60 {
            let answer = line.run(&python(&format!("print({at})")));
            assert_eq!(answer.result.stdout, format!("{at}\n"));
            most = most.max(line.waiting().len());
        }
        counts.push(most);
    }
    assert!(counts.is_sorted(), "{counts:?}");
    assert_eq!(counts.last(), Some(&4), "{counts:?}");
    assert!(counts.first() < counts.last(), "{counts:?}");
}
