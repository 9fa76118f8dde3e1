//! A warm job is what the same job is when it starts cold: every ordinary program, and one for each thing that could
//! tell the two apart, is run both ways, and the result documents are compared.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

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

/// Runs each both ways, and tells of all that differ.
fn compare(programs: Vec<(String, String)>) {
    let mut warm = Line::start(env!("CARGO_BIN_EXE_warm"), Start::Warm);
    let mut cold = Line::start(env!("CARGO_BIN_EXE_warm"), Start::Cold);
    let mut different = Vec::new();
    for (name, code) in programs {
        let job = job(&code);
        let (one, other) = (warm.run(&job), cold.run(&job));
        if !one.warm || other.warm {
            different.push(format!("{name}: warm {}, cold {}", one.warm, !other.warm));
        }
        let (one, other) = (one.normalised(), other.normalised());
        if one != other {
            different.push(format!("{name}:\nwarm {one:#}\ncold {other:#}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn every_ordinary_program_is_the_same() {
    compare(programs("ordinary"));
}

#[test]
fn what_could_tell_them_apart_does_not() {
    compare(programs("warm/same"));
}
