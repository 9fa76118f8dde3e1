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

const BINARY: &str = env!("CARGO_BIN_EXE_warm");
const PYTHON: &str = "python";
const NODE: &str = "nodejs";

/// The programs of a folder in this language, by name.
fn programs(name: &str, language: &str) -> Vec<(String, String)> {
    let endings: &[&str] = match language {
        PYTHON => &["py"],
        _ => &["js", "mjs"],
    };
    let mut found: Vec<_> = fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|found| endings.iter().any(|one| found == *one))
        })
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// What a program's first lines say of its job: `# job: {…}`, or after `//`.
fn job(name: &str, language: &str, code: &str) -> Value {
    let mut job = json!({"id": "test", "language": language, "code": code});
    if name.ends_with(".mjs") {
        job["entrypoint"] = "main.mjs".into();
    }
    for line in code.lines() {
        let more = line.strip_prefix("# job: ");
        if let Some(more) = more.or(line.strip_prefix("// job: ")) {
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
    fn new(start: Start, language: &str) -> Way {
        let mut line = Line::with(BINARY, start, &[("WARM_LANGUAGE", language)]);
        let ask = match language {
            PYTHON => "import os\nprint(os.getuid(), end='')",
            _ => "process.stdout.write(String(process.getuid()))",
        };
        let uid = line.run(&job("", language, ask)).result.stdout;
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
fn compare(language: &str, jobs: impl Iterator<Item = (String, Value)>) {
    let mut warm = Way::new(Start::Warm, language);
    let mut cold = Way::new(Start::Cold, language);
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
fn jobs(folder: &str, language: &str) -> impl Iterator<Item = (String, Value)> {
    let programs = programs(folder, language).into_iter();
    programs.map(move |(name, code)| {
        let job = job(&name, language, &code);
        (name, job)
    })
}

#[test]
fn every_ordinary_program_is_the_same() {
    compare(PYTHON, jobs("ordinary", PYTHON));
}

#[test]
fn every_ordinary_program_of_node_is_the_same() {
    compare(NODE, jobs("ordinary", NODE));
}

#[test]
fn every_probe_is_the_same() {
    probes(PYTHON, ".py");
}

#[test]
fn every_probe_of_node_is_the_same() {
    probes(NODE, ".js");
}

fn probes(language: &str, ending: &str) {
    let bait = Bait::new();
    let probes = areas()
        .iter()
        .flat_map(|name| area(name))
        .collect::<Vec<_>>();
    let of_it = probes.iter().filter(|probe| probe.name.ends_with(ending));
    let jobs = of_it.map(|probe| {
        let job = probe.job(&bait, false).document();
        (probe.name.clone(), serde_json::from_str(&job).unwrap())
    });
    compare(language, jobs);
}

#[test]
fn what_could_tell_them_apart_does_not() {
    compare(PYTHON, jobs("warm/same", PYTHON));
}

#[test]
fn what_could_tell_them_apart_in_node_does_not() {
    compare(NODE, jobs("warm/same", NODE));
}
