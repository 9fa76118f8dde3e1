//! A result: what became of a job.
//!
//! Readers of an old release meet results of a new one, so unknown fields are skipped when a result is read, and a
//! field is never taken away. Nothing here decides an outcome: that is the runner's work.

mod network;
mod parts;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::encoding::{
    Encoding, InvalidBase64, encode_content, encode_output, without_cut_character,
};
pub use network::{Connection, Verdict};
pub use parts::{
    Attempt, Denied, ErrorInfo, Limit, OutputFile, Ran, Status, TestResult, Times, Usage, millis,
};

use crate::id::JobId;
use crate::read::{VERSION, version};
use crate::rejection::Rejection;

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Glovebox result")]
pub struct JobResult {
    /// The version of this document.
    #[serde(default = "version")]
    pub version: u32,
    /// The job's id.
    pub id: JobId,
    /// What became of it.
    pub status: Status,
    /// The program's exit code, if it exited.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// The signal that ended the program, such as `SIGSEGV`.
    #[serde(default)]
    pub signal: Option<String>,
    /// Which limit was exceeded.
    #[serde(default)]
    pub limit: Option<Limit>,
    /// What the program wrote to standard output.
    #[serde(default)]
    pub stdout: String,
    /// What the program wrote to standard error.
    #[serde(default)]
    pub stderr: String,
    /// Whether it wrote more to standard output than is here.
    #[serde(default)]
    pub stdout_truncated: bool,
    /// Whether it wrote more to standard error than is here.
    #[serde(default)]
    pub stderr_truncated: bool,
    /// How `stdout` and `stderr` are written.
    #[serde(default)]
    pub encoding: Encoding,
    /// The system calls that the policy refused, also if the program went on.
    #[serde(default)]
    pub denied: Vec<Denied>,
    /// What it used, if it ran. Times add up over its tests, also of those that ran side by side; peaks are the highest
    /// of any one.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// When what happened.
    #[serde(default)]
    pub times: Times,
    /// Which attempt this was, from 1.
    #[serde(default)]
    pub attempt: u32,
    /// The attempts before this one.
    #[serde(default)]
    pub earlier_attempts: Vec<Attempt>,
    /// The runner that wrote this.
    #[serde(default)]
    pub runner: String,
    /// The profile it ran under, if it got that far.
    #[serde(default)]
    pub profile: Option<String>,
    /// How the program was compiled, if its language is. If that failed, the program never started, and the
    /// exit code and the output of the result are the compiler's.
    #[serde(default)]
    pub compile: Option<Ran>,
    /// What became of each test, in the job's order: with `stop_on_failure`, up to the first that did not succeed.
    #[serde(default)]
    pub tests: Vec<TestResult>,
    /// The files that the job asked for.
    #[serde(default)]
    pub files: Vec<OutputFile>,
    /// The connections that the program asked the proxy for, in that order.
    #[serde(default)]
    pub connections: Vec<Connection>,
    /// How many more there were.
    #[serde(default)]
    pub connections_omitted: u64,
    /// Why it was rejected, or what failed on our side.
    #[serde(default)]
    pub error: Option<ErrorInfo>,
    /// The job's own.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

impl JobResult {
    /// A result of the first attempt with nothing in it but its status.
    #[must_use]
    pub fn new(id: JobId, status: Status, runner: impl Into<String>) -> Self {
        Self {
            version: VERSION,
            id,
            status,
            exit_code: None,
            signal: None,
            limit: None,
            stdout: String::new(),
            stderr: String::new(),
            stdout_truncated: false,
            stderr_truncated: false,
            encoding: Encoding::Utf8,
            denied: Vec::new(),
            usage: None,
            times: Times::default(),
            attempt: 1,
            earlier_attempts: Vec::new(),
            runner: runner.into(),
            profile: None,
            compile: None,
            tests: Vec::new(),
            files: Vec::new(),
            connections: Vec::new(),
            connections_omitted: 0,
            error: None,
            metadata: BTreeMap::new(),
        }
    }

    /// The result of a job that is wrong. Its `metadata` is the caller's to fill in, if it is known.
    #[must_use]
    pub fn rejected(id: JobId, rejection: &Rejection, runner: impl Into<String>) -> Self {
        Self {
            error: Some(ErrorInfo::from(rejection)),
            ..Self::new(id, Status::Rejected, runner)
        }
    }

    /// The document: what to store.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings, numbers and lists always serialise")
    }

    /// Reads a stored result; fields that this release does not know are skipped.
    ///
    /// # Errors
    /// When it is not a result.
    pub fn from_json(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}
