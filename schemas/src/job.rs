//! A job: what a client asks for, checked.
//!
//! There are two stages. `wire` is the document as written, which is what the JSON Schema describes; [`Job`] is what
//! is left once everything about it that can be known without a profile was checked. What needs a profile, such as
//! whether the language exists or a limit is below its ceiling, is for the runner and must not be decided here.

mod arguments;
mod callback;
pub mod caps;
mod check;
mod judging;
mod paths;
mod wire;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize, Serializer};

pub use crate::id::{InvalidJobId, JobId, MAX_ID_BYTES};
pub use crate::rejection::Rejection;
pub use callback::Callback;
pub(crate) use callback::{check_headers, check_url};
pub use caps::MAX_JOB_BYTES;
pub use judging::{Checker, Compare, TestCase, Tolerance};

use crate::names::{DEFAULT_LANE, DEFAULT_TENANT};
use crate::read::{self, VERSION};
use wire::JobDocument;

/// A job that was checked.
///
/// The fields are public so that a client can build one; [`Job::checked`] then says whether it is one.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The version of the document it came from.
    pub version: u32,
    /// The key of its result.
    pub id: JobId,
    /// A profile's name or alias.
    pub language: String,
    /// A package environment of that language, as `python:NAME`.
    pub profile: Option<String>,
    /// The program, as the one file that the profile names. It may come with `files`.
    pub code: Option<String>,
    /// The program as several files, or its inputs.
    pub files: Vec<JobFile>,
    /// Which file to run, if not the profile's.
    pub entrypoint: Option<String>,
    /// What the program reads. Empty if there are tests, which have their own.
    pub stdin: String,
    /// The program's arguments. Empty if there are tests, which have their own.
    pub args: Vec<String>,
    /// The program's environment, besides what the profile sets.
    pub env: BTreeMap<String, String>,
    /// Lower limits than the profile's.
    pub limits: LimitsRequest,
    /// What the program may reach.
    pub network: Network,
    /// Less than the profile's proxy lets through.
    pub proxy: ProxyRequest,
    /// Runs of the same program, each in its own fresh cell.
    pub tests: Vec<TestCase>,
    /// Judges the output of the tests that are compared by it.
    pub checker: Option<Checker>,
    /// How many tests may run at the same time, if not as many as the runner has room for.
    pub parallel: Option<u32>,
    /// Whether the tests after the first that fails are left out.
    pub stop_on_failure: bool,
    /// Globs of the files to hand back.
    pub outputs: Vec<String>,
    /// Which queue.
    pub lane: String,
    /// Whom it is counted against.
    pub tenant: String,
    /// Not started after this.
    pub expires_at: Option<Timestamp>,
    /// Whether to publish output while it runs.
    pub stream: bool,
    /// Where its end is to be told.
    pub callback: Option<Callback>,
    /// Handed back untouched.
    pub metadata: BTreeMap<String, String>,
}

/// One file of a job, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFile {
    /// Where in the working folder: relative, without `.` or `..`.
    pub path: String,
    /// What is in it.
    pub content: Vec<u8>,
}

/// Limits that a job asks for. Each may only be lower than the profile's ceiling; absent means the profile's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Limits")]
pub struct LimitsRequest {
    /// Milliseconds from start to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub wall_ms: Option<u64>,
    /// Milliseconds of CPU time, of all processes together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub cpu_ms: Option<u64>,
    /// Bytes of memory, of all processes together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub memory_bytes: Option<u64>,
    /// Bytes that may be written to the working folder and `/tmp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub disk_bytes: Option<u64>,
    /// Bytes of standard output, and as many of standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub output_bytes: Option<u64>,
    /// Processes and threads at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub processes: Option<u64>,
}

/// What a job's program may reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// Nothing.
    #[default]
    None,
    /// What the runner's proxy lets through.
    Proxy,
}

/// What a job asks of the proxy. It can only ask for less than the profile allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyRequest {
    /// The only hosts to be let through: `example.org`, `*.example.org`, an address or a network.
    pub hosts: Vec<String>,
    /// The only ports.
    pub ports: Vec<u16>,
    /// How many connections.
    pub connections: Option<u32>,
    /// How many bytes, both ways and all connections together.
    pub bytes: Option<u64>,
    /// A proxy to go through, as `http://host:port`.
    pub upstream: Option<String>,
}

impl Job {
    /// A job with a new id and nothing in it but its language: the start for a client that builds one.
    #[must_use]
    pub fn new(language: impl Into<String>) -> Self {
        Self {
            version: VERSION,
            id: JobId::new_v7(),
            language: language.into(),
            profile: None,
            code: None,
            files: Vec::new(),
            entrypoint: None,
            stdin: String::new(),
            args: Vec::new(),
            env: BTreeMap::new(),
            limits: LimitsRequest::default(),
            network: Network::default(),
            proxy: ProxyRequest::default(),
            tests: Vec::new(),
            checker: None,
            parallel: None,
            stop_on_failure: false,
            outputs: Vec::new(),
            lane: DEFAULT_LANE.into(),
            tenant: DEFAULT_TENANT.into(),
            expires_at: None,
            stream: false,
            callback: None,
            metadata: BTreeMap::new(),
        }
    }

    /// Reads a job from a message. Its id has to be in it.
    ///
    /// # Errors
    /// When anything about the document is wrong; the rejection has the job's id if that can be known.
    pub fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
        check::job(
            read::document(bytes, MAX_JOB_BYTES, "job")?,
            check::Id::Required,
        )
    }

    /// Reads a job that a person or program hands in, and makes an id if there is none yet.
    ///
    /// # Errors
    /// As [`Job::parse`].
    pub fn parse_submission(bytes: &[u8]) -> Result<Self, Rejection> {
        check::job(
            read::document(bytes, MAX_JOB_BYTES, "job")?,
            check::Id::MadeIfAbsent,
        )
    }

    /// Checks a job that was built rather than parsed, exactly as a runner will: through its document.
    ///
    /// # Errors
    /// As [`Job::parse`].
    pub fn checked(&self) -> Result<Self, Rejection> {
        Self::parse(&self.to_wire_json())
    }

    /// The document: what to send. Fields that have their default are left out.
    #[must_use]
    pub fn to_wire_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings, numbers and lists always serialise")
    }
}

impl Serialize for Job {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        JobDocument::from(self).serialize(serializer)
    }
}

pub(crate) fn json_schema() -> Schema {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<JobDocument>()
}
