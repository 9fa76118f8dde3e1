//! One job through `glovebox run --job - --json`, and its whole result compared.
//!
//! What differs from run to run (ids, times, what was used) is checked for sense and then set aside,
//! so that a test says what it expects and nothing more. Must never compare only a part: a field
//! that should have stayed empty is a failure.

use glovebox_schemas::result::{JobResult, Status, Times};
use serde_json::{Map, Value, json};

use crate::cli::{Cli, Ended, Running};

/// Stands for a usage that makes sense.
pub const MEASURED: &str = "measured";
/// Stands for the times of a job that ran.
pub const IN_ORDER: &str = "in order";
/// Stands for the times of a job that never started.
pub const NOT_STARTED: &str = "not started";
/// Stands for any hint that says something.
pub const HINT: &str = "a hint";

/// A job to be run.
#[derive(Clone, Debug)]
pub struct Run {
    job: Map<String, Value>,
    user: bool,
    variables: Vec<(String, String)>,
}

impl Run {
    /// A job in this language with nothing in it.
    #[must_use]
    pub fn new(language: &str) -> Run {
        Run {
            job: Map::new(),
            user: false,
            variables: Vec::new(),
        }
        .with("id", "test")
        .with("language", language)
    }

    /// A job of one Python program.
    #[must_use]
    pub fn python(code: &str) -> Run {
        Run::new("python").with("code", code)
    }

    /// A job of one Node.js program.
    #[must_use]
    pub fn node(code: &str) -> Run {
        Run::new("nodejs").with("code", code)
    }

    /// Sets a field of the document.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Run {
        self.job.insert(field.to_owned(), value.into());
        self
    }

    /// Adds a file to `files`.
    #[must_use]
    pub fn file(mut self, path: &str, content: &str) -> Run {
        let files = self.job.entry("files").or_insert_with(|| json!([]));
        if let Value::Array(files) = files {
            files.push(json!({"path": path, "content": content}));
        }
        self
    }

    /// Asks for a limit.
    #[must_use]
    pub fn limit(mut self, name: &str, value: u64) -> Run {
        let limits = self.job.entry("limits").or_insert_with(|| json!({}));
        if let Value::Object(limits) = limits {
            limits.insert(name.to_owned(), value.into());
        }
        self
    }

    /// As an ordinary user of the host, who accepts that there is no cgroup.
    #[must_use]
    pub fn as_user(mut self) -> Run {
        self.user = true;
        self
    }

    /// A variable of the command's own environment; the job does not see it.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Run {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> String {
        Value::Object(self.job.clone()).to_string()
    }

    /// Starts it.
    #[must_use]
    pub fn spawn(&self) -> Running {
        let document = self.document();
        let mut cli = Cli::new(&["run", "--job", "-", "--json"]).stdin(document);
        for (name, value) in &self.variables {
            cli = cli.env(name, value);
        }
        if self.user {
            cli.args(&["--allow-missing", "cgroup"]).as_user().spawn()
        } else {
            cli.spawn()
        }
    }

    /// Runs it to its end. Nothing may be left on the host.
    #[must_use]
    pub fn result(&self) -> Outcome {
        let running = self.spawn();
        Outcome::of(running.finish())
    }
}

/// The result of a job that was run.
#[derive(Debug)]
pub struct Outcome {
    /// As a reader of the schema sees it.
    pub result: JobResult,
    /// As written.
    document: Value,
    ended: Ended,
}

impl Outcome {
    /// Reads what the command printed.
    #[must_use]
    pub fn of(ended: Ended) -> Outcome {
        let result = JobResult::from_json(ended.stdout())
            .unwrap_or_else(|error| panic!("no result document: {error}\n{ended}"));
        let document = serde_json::from_slice(ended.stdout()).expect("it is JSON");
        Outcome {
            result,
            document,
            ended,
        }
    }

    /// What the command itself had to say on stderr.
    #[must_use]
    pub fn notes(&self) -> String {
        self.ended.stderr()
    }

    /// Compares the whole document with that of a Python job that printed nothing and succeeded,
    /// but for the fields in `differences`. A status other than `succeeded` brings no exit code
    /// unless it is said.
    pub fn expect(&self, differences: Value) {
        let mut expected = json!({
            "version": 1, "id": "test", "status": "succeeded", "exit_code": 0, "signal": null,
            "limit": null, "stdout": "", "stderr": "", "stdout_truncated": false,
            "stderr_truncated": false, "encoding": "utf-8", "denied": [], "usage": MEASURED,
            "times": IN_ORDER, "attempt": 1, "earlier_attempts": [], "runner": "embedded", "profile": "python",
            "compile": null, "tests": [], "files": [], "connections": [],
            "connections_omitted": 0, "error": null, "metadata": {},
        });
        if differences.get("status").is_some() {
            expected["exit_code"] = Value::Null;
        }
        let Value::Object(differences) = differences else {
            panic!("expectations are an object");
        };
        for (field, value) in differences {
            assert!(expected.get(&field).is_some(), "a result has no {field:?}");
            expected[field] = value;
        }
        let mut wrong = Vec::new();
        compare("", &self.normalised(), &expected, &mut wrong);
        assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), self.notes());
        let code = match self.result.status {
            Status::Succeeded => 0,
            Status::Error => 5,
            _ => 3,
        };
        assert_eq!(self.ended.code(), code, "the exit code\n{}", self.ended);
    }

    fn normalised(&self) -> Value {
        let mut document = self.document.clone();
        normalise_run(&mut document);
        for test in document["tests"].as_array_mut().into_iter().flatten() {
            normalise_run(test);
        }
        if let Some(times) = times(&self.result.times) {
            document["times"] = times.into();
        }
        document
    }

    /// The single line of JSON that the program printed.
    #[must_use]
    pub fn printed(&self) -> Value {
        serde_json::from_str(&self.result.stdout)
            .unwrap_or_else(|error| panic!("{error}: {:#}", self.document))
    }
}

/// Adds a line for each place where the two differ.
fn compare(at: &str, got: &Value, expected: &Value, wrong: &mut Vec<String>) {
    match (got, expected) {
        (Value::Object(left), Value::Object(right)) => {
            let mut names: Vec<_> = left.keys().chain(right.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                compare(&format!("{at}.{name}"), &got[name], &expected[name], wrong);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                compare(&format!("{at}[{index}]"), left, right, wrong);
            }
        }
        _ if got != expected => {
            let short = |value: &Value| value.to_string().chars().take(1000).collect::<String>();
            wrong.push(format!(
                "{at}: expected {}, got {}",
                short(expected),
                short(got)
            ));
        }
        _ => {}
    }
}

/// What a job, or one of its tests, used and was refused.
fn normalise_run(document: &mut Value) {
    if document["usage"].is_object() && is_sensible(&document["usage"]) {
        document["usage"] = MEASURED.into();
    }
    for denied in document["denied"].as_array_mut().into_iter().flatten() {
        if denied["hint"].as_str().is_some_and(|hint| hint.len() > 20) {
            denied["hint"] = HINT.into();
        }
    }
}

/// Without a cgroup, peaks and CPU times are 0.
fn is_sensible(usage: &Value) -> bool {
    let number = |name: &str| usage[name].as_f64().unwrap_or(-1.0);
    number("wall_ms") >= 0.0
        && number("cpu_user_ms") >= 0.0
        && number("cpu_system_ms") >= 0.0
        && number("memory_peak_bytes") >= 0.0
        && number("processes_peak") >= 0.0
}

fn times(times: &Times) -> Option<&'static str> {
    let Times {
        enqueued_at: None,
        started_at,
        finished_at: Some(finished),
        queue_ms: None,
        setup_ms,
        run_ms,
    } = *times
    else {
        return None;
    };
    match (started_at, setup_ms, run_ms) {
        (Some(started), Some(setup), Some(run)) => {
            (started < finished && setup > 0.0 && run >= 0.0).then_some(IN_ORDER)
        }
        (None, None, None) => Some(NOT_STARTED),
        _ => None,
    }
}
