//! What a result is made of.
//!
//! Plain data only. Units are part of every name; times are milliseconds with three decimals.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Encoding;
use crate::rejection::Rejection;

/// What became of a job or a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Exit code 0 and, with tests, every test passed.
    Succeeded,
    /// The program's own doing: a non-zero exit code, a signal, a failed test, a compile error.
    Failed,
    /// A limit was exceeded; `limit` names it.
    LimitExceeded,
    /// Killed for what the policy forbids; `denied` names it.
    Denied,
    /// Stopped by its owner.
    Cancelled,
    /// Not started in time.
    Expired,
    /// The job itself, or its checker, is wrong; `error` says how to mend it.
    Rejected,
    /// Our fault, after the last attempt.
    Error,
}

/// A limit that a program can exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Time from start to end.
    WallTime,
    /// CPU time.
    CpuTime,
    /// Memory.
    Memory,
    /// Standard output or error.
    Output,
    /// The working folder and `/tmp`.
    Disk,
    /// Processes and threads.
    Processes,
}

/// One of a job's attempts that did not lead to its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// Which, from 1.
    pub attempt: u32,
    /// The runner that made it.
    pub runner: String,
    /// When it began.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Timestamp,
    /// How it ended: `runner_lost` if its runner died or went silent, `given_back` if that stopped, else the code
    /// of what failed.
    pub ended: String,
}

/// A system call that the policy refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Denied {
    /// Its name.
    pub syscall: String,
    /// How often it was refused.
    pub count: u64,
    /// What it is commonly for, and how to do without it or allow it.
    #[serde(default)]
    pub hint: String,
}

/// What a program used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Usage {
    /// Milliseconds from start to end.
    pub wall_ms: f64,
    /// Milliseconds of CPU time in the program.
    pub cpu_user_ms: f64,
    /// Milliseconds of CPU time in the kernel for the program.
    pub cpu_system_ms: f64,
    /// The most memory at any time, in bytes.
    pub memory_peak_bytes: u64,
    /// The most processes and threads at any time.
    pub processes_peak: u64,
}

/// When what happened. A time that never came is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Times {
    /// When the job was sent.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub enqueued_at: Option<Timestamp>,
    /// When this attempt began.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub started_at: Option<Timestamp>,
    /// When this attempt ended.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub finished_at: Option<Timestamp>,
    /// Milliseconds in the queue.
    pub queue_ms: Option<f64>,
    /// Milliseconds to make the cell.
    pub setup_ms: Option<f64>,
    /// Milliseconds of the program, with its tests.
    pub run_ms: Option<f64>,
}

/// How one cell of a job ended: the compiler's, or a test's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ran {
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
    /// The system calls that the policy refused.
    #[serde(default)]
    pub denied: Vec<Denied>,
    /// What it used. What the compiler used is not counted in the result's own.
    #[serde(default)]
    pub usage: Option<Usage>,
}

/// What became of one test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestResult {
    /// The test's name.
    pub name: String,
    /// How the program ended.
    #[serde(flatten)]
    pub ran: Ran,
    /// Where the output differs from what was expected, or what the checker says of it. Of the first test that has one
    /// it is more than a line. At most 8 KiB, without control characters but the ends of lines.
    #[serde(default)]
    pub diff: Option<String>,
    /// Why the test is `rejected`: what is wrong with the checker, and how to mend it.
    #[serde(default)]
    pub error: Option<ErrorInfo>,
}

/// A file that the program left and the job asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutputFile {
    /// Where in the working folder.
    pub path: String,
    /// What is in it.
    pub content: String,
    /// How `content` is written.
    #[serde(default)]
    pub encoding: Encoding,
    /// Its size in bytes.
    pub size: u64,
}

/// What is wrong, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorInfo {
    /// A stable code for programs.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(default)]
    pub hint: String,
}

impl Status {
    /// The name as written in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::LimitExceeded => "limit_exceeded",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::Error => "error",
        }
    }
}

impl Limit {
    /// The name as written in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WallTime => "wall_time",
            Self::CpuTime => "cpu_time",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::Disk => "disk",
            Self::Processes => "processes",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<&Rejection> for ErrorInfo {
    fn from(rejection: &Rejection) -> Self {
        Self {
            code: rejection.code.into(),
            message: rejection.message.clone(),
            hint: rejection.hint.clone(),
        }
    }
}

impl OutputFile {
    /// A file as a result carries it.
    #[must_use]
    pub fn new(path: impl Into<String>, content: &[u8]) -> Self {
        let size = content.len() as u64;
        let (content, encoding) = super::encode_content(content);
        Self {
            path: path.into(),
            content,
            encoding,
            size,
        }
    }
}

/// A duration in the unit of results: milliseconds, to the microsecond.
#[must_use]
pub fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
