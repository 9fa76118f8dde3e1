//! Jobs in a slot whose cells come from a template, or in one without, through the binary `warm`.
//!
//! Must never take a cold cell for a warm one: each answer says which it was.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use glovebox_schemas::result::JobResult;
use serde_json::{Value, json};

use crate::processes::Process;

/// Whether a line of jobs has a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// There may be one; it is not waited for.
    Either,
    /// Every cell starts its interpreter.
    Cold,
    /// Cells come from a template.
    Warm,
}

/// One slot, and jobs in it one after the other.
#[derive(Debug)]
pub struct Line {
    child: Child,
    /// `None` only while it is dropped.
    jobs: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// What it has said, for [`Start::Either`].
    log: File,
}

/// What came of a job.
#[derive(Debug)]
pub struct Answer {
    /// As a reader of the schema sees it.
    pub result: JobResult,
    /// As written.
    pub document: Value,
    /// Whether it came from a template.
    pub warm: bool,
}

impl Line {
    /// Starts one; `binary` is the path of the binary `warm`.
    #[must_use]
    pub fn start(binary: &str, start: Start) -> Line {
        Line::with(binary, start, &[])
    }

    /// The same with variables in the runner's own environment.
    #[must_use]
    pub fn with(binary: &str, start: Start, variables: &[(&str, &str)]) -> Line {
        Line::through(&[], binary, start, variables)
    }

    /// The same by a command that runs the rest of its arguments, such as `setpriv` with its options.
    #[must_use]
    pub fn through(
        through: &[&str],
        binary: &str,
        start: Start,
        variables: &[(&str, &str)],
    ) -> Line {
        let log = tempfile::tempfile().expect("a file can be made");
        let mut words = through.iter().copied().chain([binary]);
        let mut child = Command::new(words.next().expect("the binary at least"))
            .args(words)
            .args(match start {
                Start::Cold => Some("cold"),
                Start::Either => Some("told"),
                Start::Warm => None,
            })
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(match start {
                Start::Either => log.try_clone().expect("it is open").into(),
                Start::Cold | Start::Warm => Stdio::inherit(),
            })
            .spawn()
            .expect("the binary can be started");
        Line {
            jobs: child.stdin.take(),
            answers: BufReader::new(child.stdout.take().expect("it is a pipe")),
            child,
            log,
        }
    }

    /// Runs a job to its end.
    pub fn run(&mut self, job: &Value) -> Answer {
        let jobs = self.jobs.as_mut().expect("it is a pipe");
        writeln!(jobs, "{job}").expect("the runner lives");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the runner lives");
        let answer: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("no answer to {job}: {error}: {line:?}"));
        let document = answer["result"].clone();
        Answer {
            result: JobResult::from_json(document.to_string().as_bytes())
                .expect("it is a result document"),
            document,
            warm: answer["warm"] == true,
        }
    }

    /// Ends it, and gives what it has said if it was started with [`Start::Either`].
    ///
    /// # Panics
    /// When that is no text.
    #[must_use]
    pub fn told(self) -> String {
        let mut log = self.log.try_clone().expect("it is open");
        drop(self);
        let mut text = String::new();
        log.rewind().expect("it is a file");
        log.read_to_string(&mut text).expect("it is text");
        text
    }

    /// Runs jobs, all of which succeed, until one is warm; how many were not.
    ///
    /// # Panics
    /// When there is no template after many.
    pub fn until_warm(&mut self) -> usize {
        let job = json!({"id": "test", "language": "python", "code": "print(1)"});
        let is_warm = |_: &usize| {
            let answer = self.run(&job);
            assert_eq!(answer.result.stdout, "1\n", "{:#}", answer.document);
            answer.warm
        };
        (0..2000).find(is_warm).expect("there is a template again")
    }

    /// The template of this line.
    #[must_use]
    pub fn template(&self) -> Option<Process> {
        self.called("glovebox-warm").first().copied()
    }

    /// What waits for a job.
    #[must_use]
    pub fn waiting(&self) -> Vec<Process> {
        self.called("glovebox-ready")
    }

    fn called(&self, name: &str) -> Vec<Process> {
        let mut found = self.process().called(name).expect("/proc can be read");
        // One that got another parent while we looked is seen with both.
        found.sort_by_key(|process| process.0);
        found.dedup();
        found
    }

    /// The supervisor.
    #[must_use]
    pub fn process(&self) -> Process {
        Process(self.child.id().cast_signed())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // The end of its jobs is its own.
        self.jobs = None;
        self.child.wait().expect("it can be waited for");
    }
}

impl Answer {
    /// The document without what differs from run to run, addresses of objects in what was printed included.
    #[must_use]
    pub fn normalised(&self) -> Value {
        let mut document = self.document.clone();
        for stream in ["stdout", "stderr"] {
            let text = document[stream].as_str().unwrap_or_default();
            document[stream] = without_addresses(text).into();
        }
        for field in ["usage", "times"] {
            assert!(!document[field].is_null(), "{document:#}");
            document[field] = Value::Null;
        }
        for test in document["tests"].as_array_mut().into_iter().flatten() {
            test["usage"] = Value::Null;
        }
        document
    }
}

/// `0x7f…` is `0x`.
fn without_addresses(text: &str) -> String {
    let mut parts = text.split("0x");
    let mut rest = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        rest.push_str("0x");
        rest.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    rest
}
