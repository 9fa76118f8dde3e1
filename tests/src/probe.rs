//! Probes: programs that each try one thing that no job may do, and what must become of them.
//!
//! A probe is a file of `probes/AREA/`; those of `leftovers/` and `neighbours/` meet other jobs. A line `expect: …` in it says how it is held, if not by an error
//! that is nobody's business: `refused CALL` goes on and is named in `denied`, `denied CALL` is ended,
//! `limit NAME` runs into a limit. Must never take the absence of a word for a success.

use std::fs;
use std::path::{Path, PathBuf};

use glovebox_schemas::job::{Job, JobFile};
use glovebox_schemas::result::{JobResult, Status};

use crate::bait::Bait;
use crate::fleet::python;
use crate::run::{Outcome, Run};

/// How a probe must end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// It says that it is contained, and no call was refused by the policy.
    Contained,
    /// It says so, and these calls were refused and named.
    Refused(Vec<String>),
    /// It was ended for the last of these calls; all are named.
    Denied(Vec<String>),
    /// It was ended at this limit.
    Limit(String),
}

/// One program.
#[derive(Debug, Clone)]
pub struct Probe {
    /// `AREA/FILE`.
    pub name: String,
    /// Its source.
    pub code: String,
    /// How it must end.
    pub expect: Expect,
}

/// What a probe said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// The attempt failed.
    Contained,
    /// The attempt succeeded.
    Escaped,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("probes")
}

/// The probes of a folder of the suite, by their file names.
#[must_use]
pub fn beside(name: &str) -> Vec<Probe> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let names = names(&folder).into_iter();
    names.map(|file| read(&folder, &file)).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut names: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
    names.sort();
    names
}

/// The areas, in the order of their names.
#[must_use]
pub fn areas() -> Vec<String> {
    let mut names = names(&folder());
    names.retain(|name| folder().join(name).is_dir());
    names
}

/// The probes of an area.
#[must_use]
pub fn area(area: &str) -> Vec<Probe> {
    let names = names(&folder().join(area)).into_iter();
    names.map(|file| probe(&format!("{area}/{file}"))).collect()
}

/// One probe, by its name.
#[must_use]
pub fn probe(name: &str) -> Probe {
    read(&folder(), name)
}

fn read(folder: &Path, name: &str) -> Probe {
    let path = folder.join(name);
    let code = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let expect = code.lines().find_map(|line| line.split_once("expect: "));
    let calls = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    let expect = match expect.and_then(|(_, text)| text.split_once(' ')) {
        None => Expect::Contained,
        Some(("refused", text)) => Expect::Refused(calls(text)),
        Some(("denied", text)) => Expect::Denied(calls(text)),
        Some(("limit", limit)) => Expect::Limit(limit.to_owned()),
        Some(_) => panic!("{name}: nothing is expected like that"),
    };
    Probe {
        name: name.to_owned(),
        code,
        expect,
    }
}

impl Probe {
    /// As a job that knows where the bait is.
    #[must_use]
    pub fn job(&self, bait: &Bait, within: bool) -> Run {
        let run = match self.name.ends_with(".js") {
            true => Run::node(&self.code).file("probe.js", include_str!("../probes/probe.js")),
            false => Run::python(&self.code).file("probe.py", include_str!("../probes/probe.py")),
        };
        run.with("env", bait.env(within))
    }

    /// The same for a runner that takes its jobs from the queue.
    #[must_use]
    pub fn queued(&self) -> Job {
        let mut job = python(&self.code);
        job.files.push(JobFile {
            path: "probe.py".to_owned(),
            content: include_bytes!("../probes/probe.py").to_vec(),
        });
        job
    }

    /// What is wrong with the result of a probe under all layers.
    #[must_use]
    pub fn faults(&self, outcome: &Outcome, bait: &mut Bait) -> Vec<String> {
        let mut faults = bait.touched();
        faults.extend(self.broken(&outcome.result, bait.secret()));
        if !outcome.notes().is_empty() {
            faults.push(outcome.notes());
        }
        faults
    }

    /// The same of the result alone.
    #[must_use]
    pub fn broken(&self, result: &JobResult, secret: &str) -> Vec<String> {
        let mut faults = Vec::new();
        if spoke(result) == Some(Word::Escaped) {
            faults.push("it escaped".to_owned());
        }
        if result.stdout.contains(secret) || result.stderr.contains(secret) {
            faults.push("it has read the secret".to_owned());
        }
        if !result.stderr.is_empty() {
            faults.push("something was said on stderr".to_owned());
        }
        let denied: Vec<&str> = result.denied.iter().map(|d| d.syscall.as_str()).collect();
        let limit = result.limit.map(|limit| limit.as_str());
        let held = match &self.expect {
            Expect::Contained => went_on(result) && denied.is_empty(),
            Expect::Refused(calls) => went_on(result) && denied == *calls,
            Expect::Denied(calls) => result.status == Status::Denied && denied == *calls,
            Expect::Limit(name) => {
                result.status == Status::LimitExceeded && limit == Some(name) && denied.is_empty()
            }
        };
        if !held {
            faults.push(format!("expected: {:?}", self.expect));
        }
        if !faults.is_empty() {
            let (status, out, err) = (result.status, &result.stdout, &result.stderr);
            let last = format!("{status}, limit {limit:?}, denied {denied:?}\n{out}{err}");
            faults.push(last);
        }
        faults
    }
}

fn went_on(result: &JobResult) -> bool {
    result.status == Status::Succeeded && spoke(result) == Some(Word::Contained)
}

/// The word that a probe ended with.
#[must_use]
pub fn spoke(result: &JobResult) -> Option<Word> {
    let last = result.stdout.lines().next_back()?;
    match last.split_once(':')?.0 {
        "CONTAINED" => Some(Word::Contained),
        "ESCAPED" => Some(Word::Escaped),
        _ => None,
    }
}
