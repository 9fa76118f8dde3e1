//! A warm job is what the same job is when it starts cold: every ordinary program, and one for each thing that could
//! tell the two apart, is run both ways, and the result documents are compared.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use glovebox_tests::bait::Bait;
use glovebox_tests::probe::{area, areas};
use glovebox_tests::warm::{Line, Start};
use serde_json::{Value, json};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The Python programs of a folder, by name.
fn programs(name: &str) -> Vec<(String, String)> {
    let mut found: Vec<_> = fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "py"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// What a program's first lines say of its job: `# job: {…}`.
fn job(code: &str) -> Value {
    let mut job = json!({"id": "test", "language": "python", "code": code});
    for line in code.lines() {
        if let Some(more) = line.strip_prefix("# job: ") {
            let more: Value = serde_json::from_str(more).unwrap();
            for (name, value) in more.as_object().unwrap() {
                job[name] = value.clone();
            }
        }
    }
    job
}

/// What is known to differ, and documented with the profile: the number of the process, what its environment was when
/// the template began, and the error for ids that the user namespace does not have.
const OTHERWISE: [&str; 4] = [
    "capabilities/give_away.py",
    "descriptors/auxiliary.py",
    "processes/listed.py",
    "terminal/session.py",
];

/// One slot, with the uid of its jobs.
struct Way {
    line: Line,
    start: Start,
    uid: String,
}

impl Way {
    fn new(start: Start) -> Way {
        let mut line = Line::start(env!("CARGO_BIN_EXE_warm"), start);
        let uid = line
            .run(&job("import os\nprint(os.getuid(), end='')"))
            .result
            .stdout;
        Way { line, start, uid }
    }

    fn run(&mut self, job: &Value) -> Result<Value, String> {
        let answer = self.line.run(job);
        if answer.warm != (self.start == Start::Warm) {
            return Err(format!("warm: {}", answer.warm));
        }
        let text = answer.normalised().to_string().replace(&self.uid, "UID");
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }
}

/// Runs each both ways, and tells of all that differ.
fn compare(jobs: impl Iterator<Item = (String, Value)>) {
    let (mut warm, mut cold) = (Way::new(Start::Warm), Way::new(Start::Cold));
    let mut different = Vec::new();
    for (name, job) in jobs {
        let (one, other) = (warm.run(&job), cold.run(&job));
        if (one == other && one.is_ok()) == OTHERWISE.contains(&name.as_str()) {
            different.push(format!("{name}:\nwarm {one:#?}\ncold {other:#?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// As jobs.
fn jobs(folder: &str) -> impl Iterator<Item = (String, Value)> {
    let programs = programs(folder).into_iter();
    programs.map(|(name, code)| (name, job(&code)))
}

#[test]
fn every_ordinary_program_is_the_same() {
    compare(jobs("ordinary"));
}

#[test]
fn every_probe_is_the_same() {
    let bait = Bait::new();
    let probes = areas()
        .iter()
        .flat_map(|name| area(name))
        .collect::<Vec<_>>();
    let python = probes.iter().filter(|probe| probe.name.ends_with(".py"));
    let jobs = python.map(|probe| {
        let job = probe.job(&bait, false).document();
        (probe.name.clone(), serde_json::from_str(&job).unwrap())
    });
    compare(jobs);
}

#[test]
fn what_could_tell_them_apart_does_not() {
    compare(jobs("warm/same"));
}
