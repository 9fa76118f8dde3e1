//! Two warm jobs share nothing that either could notice: not in what the first left in their slot, not in their
//! randomness, and not through their template; and one that is lost costs time and nothing else.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use glovebox_tests::probe::{Word, beside, spoke};
use glovebox_tests::warm::{Answer, Line, Start};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_warm");

fn python(code: &str) -> Value {
    json!({"id": "test", "language": "python", "code": code})
}

/// The program, which must come from a template, and what it printed.
fn printed(line: &mut Line, code: &str) -> String {
    let answer = line.run(&python(code));
    assert!(answer.warm, "{:#}", answer.document);
    assert_eq!(answer.result.stderr, "", "{:#}", answer.document);
    answer.result.stdout
}

#[test]
fn the_next_in_the_slot_finds_nothing_of_the_last() {
    let mut line = Line::start(BINARY, Start::Warm);
    let probes = beside("leftovers");
    assert!(probes.len() >= 12, "{}", probes.len());
    for probe in probes {
        let mut run = |word: &str| {
            let content = include_str!("../probes/probe.py");
            let mut job = python(&probe.code);
            job["args"] = json!([word]);
            job["files"] = json!([{"path": "probe.py", "content": content}]);
            let answer = line.run(&job);
            assert!(answer.warm, "{}: {:#}", probe.name, answer.document);
            answer
        };
        run("leave");
        let found = run("look");
        assert_eq!(
            spoke(&found.result),
            Some(Word::Contained),
            "{}: {:#}",
            probe.name,
            found.document
        );
    }
}

#[test]
fn what_is_soiled_is_soiled_for_nobody_else() {
    let soils = fs::read_to_string(folder("warm/soils.py")).unwrap();
    let looks = fs::read_to_string(folder("warm/looks.py")).unwrap();
    let mut line = Line::start(BINARY, Start::Warm);
    let clean = printed(&mut line, &looks);
    for _ in 0..3 {
        assert_eq!(printed(&mut line, &soils), "soiled\n");
        assert_eq!(printed(&mut line, &looks), clean);
    }
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn no_two_jobs_draw_the_same() {
    let code = "
import os, random, secrets, ssl, tempfile, uuid, hashlib, multiprocessing
print(random.random(), random.SystemRandom().random(), random.Random().random())
print(secrets.token_hex(), uuid.uuid4(), uuid.uuid1(), os.urandom(8).hex())
print(ssl.RAND_bytes(8).hex(), tempfile.mktemp(), multiprocessing.current_process().authkey.hex())
";
    let mut line = Line::start(BINARY, Start::Warm);
    let mut seen = HashSet::new();
    for _ in 0..20 {
        for word in printed(&mut line, code).split_whitespace() {
            assert!(seen.insert(word.to_owned()), "{word} twice");
        }
    }
    assert_eq!(seen.len(), 20 * 10);
}

/// The template of this line, whose supervisor's descendants are looked at.
fn template(line: &Line) -> Option<u32> {
    let mut found = descendants(line.pid());
    // Its parent is the init of its cell, and it is no job's: those have one slot's uid, the highest.
    found.retain(|pid| {
        let file =
            |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        file("cmdline").starts_with("/usr/bin/python3") && file("status").contains("NSpid:") && {
            let status = file("status");
            let pids = status
                .lines()
                .find(|line| line.starts_with("NSpid:"))
                .unwrap_or_default();
            // Two levels: the host's, or what the tests run in, and its nursery's.
            pids.split_whitespace().count() == levels() + 2
        }
    });
    found.first().copied()
}

/// How deep the pid namespace of the tests is.
fn levels() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let pids = status
        .lines()
        .find(|line| line.starts_with("NSpid:"))
        .unwrap();
    pids.split_whitespace().count() - 1
}

fn descendants(of: u32) -> Vec<u32> {
    let children = |pid: u32| -> Vec<u32> {
        let path = format!("/proc/{pid}/task/{pid}/children");
        let text = fs::read_to_string(path).unwrap_or_default();
        text.split_whitespace()
            .map(|pid| pid.parse().unwrap())
            .collect()
    };
    let (mut all, mut next) = (Vec::new(), vec![of]);
    while let Some(pid) = next.pop() {
        let more = children(pid);
        all.extend(&more);
        next.extend(more);
    }
    all
}

fn kill(pid: u32) {
    let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

/// Runs jobs until one is warm; how many were not. All succeed.
fn until_warm(line: &mut Line) -> usize {
    for cold in 0..2000 {
        let answer: Answer = line.run(&python("print(1)"));
        assert_eq!(answer.result.stdout, "1\n", "{:#}", answer.document);
        if answer.warm {
            return cold;
        }
    }
    panic!("there is no template any more");
}

#[test]
fn a_template_that_is_killed_is_followed_by_another() {
    let mut line = Line::start(BINARY, Start::Warm);
    for _ in 0..3 {
        until_warm(&mut line);
        let killed = template(&line).expect("there is a template");
        kill(killed);
        // The cell that waited already is of use all the same; what comes after it starts cold.
        until_warm(&mut line);
        let cold = (0..20)
            .map(|_| line.run(&python("print(1)")))
            .filter(|answer| !answer.warm);
        let cold = cold.count() + until_warm(&mut line);
        let next = template(&line);
        assert!(
            next.is_some() && next != Some(killed),
            "{next:?} after {killed}, {cold} were cold"
        );
    }
}

#[test]
fn a_job_outlives_its_template() {
    let mut line = Line::start(BINARY, Start::Warm);
    until_warm(&mut line);
    let (killed, pid) = (template(&line).expect("there is a template"), line.pid());
    let code = "
import ctypes, time
ctypes.CDLL(None).prctl(15, b'under way')
time.sleep(1)
print('there')";
    std::thread::scope(|scope| {
        let running = scope.spawn(|| line.run(&python(code)));
        let is_named = |pid: &u32| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm"));
            name.is_ok_and(|name| name == "under way\n")
        };
        while !descendants(pid).iter().any(is_named) {
            std::thread::yield_now();
        }
        kill(killed);
        let answer = running.join().unwrap();
        let told = (answer.warm, answer.result.stdout.as_str());
        assert_eq!(told, (true, "there\n"), "{:#}", answer.document);
    });
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
        until_warm(&mut line);
        templates.extend(template(&line));
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
