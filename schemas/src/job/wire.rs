//! The job as written: what serde reads and writes and what the JSON Schema describes.
//!
//! Its comments are the descriptions in that schema. Nothing here may be run: only [`super::Job`] was checked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::callback::CallbackDocument;
use super::caps::{
    MAX_ARGS, MAX_ENV, MAX_FILES, MAX_HOST_BYTES, MAX_HOSTS, MAX_METADATA, MAX_OUTPUTS,
    MAX_PATH_BYTES, MAX_PORTS, MAX_TEST_NAME_BYTES, MAX_TESTS,
};
use super::{Checker, Compare, Job, JobFile, LimitsRequest, Network, Tolerance};
use crate::encoding::{Encoding, encode_content};
use crate::id::JobId;
use crate::names::{DEFAULT_LANE, DEFAULT_TENANT};
use crate::read::version;
use crate::strict::{List, Map, Object, Word};

/// A path as the JSON Schema has it: no component is empty, `.` or `..`, and no character is a control character.
const PATH: &str = r"^(?!.*(?:^|/)\.{0,2}(?:/|$))[^\x00-\x1f\x7f-\x9f]+$";

/// A program to run in a cell of its own, and what it may use. It needs `code`, `files` or both.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Glovebox job", extend("anyOf" = [
    { "required": ["code"], "properties": { "code": { "type": "string" } } },
    { "required": ["files"], "properties": { "files": { "minItems": 1 } } },
]))]
pub(super) struct JobDocument {
    /// The version of this document.
    #[serde(default = "version")]
    #[schemars(range(min = 1, max = 1))]
    pub(super) version: u32,
    /// The key of the result: one id sent twice runs once. A client makes it if absent; a message must have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<JobId>")]
    pub(super) id: Option<String>,
    /// A profile's name or alias, such as `python` or `nodejs`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9+#._-]{1,64}$"))]
    pub(super) language: String,
    /// A package environment that the operator has built for this language, as `python:NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9+#._-]{1,64}:[a-z0-9][a-z0-9._-]{0,63}$"))]
    pub(super) profile: Option<String>,
    /// The program, short for one file that the profile names (`main.py`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    /// The program as several files, or its inputs. Their paths differ, and none is a folder of another.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = []))]
    pub(super) files: List<Object<FileDocument>, MAX_FILES>,
    /// Which file to run, if not the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = MAX_PATH_BYTES), regex(pattern = PATH))]
    pub(super) entrypoint: Option<String>,
    /// What the program reads. A job with `tests` has none: each test has its own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("default" = ""))]
    pub(super) stdin: String,
    /// The program's arguments. A job with `tests` has none: each test has its own.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = []))]
    pub(super) args: List<String, MAX_ARGS>,
    /// The program's environment, besides what the profile sets. At most 128 KiB together with the arguments.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = {}, "propertyNames" = { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" }))]
    pub(super) env: Map<MAX_ENV>,
    /// Lower limits than the profile's. Above the profile's ceiling the job is rejected.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = {}))]
    pub(super) limits: Object<LimitsRequest>,
    /// What the program may reach.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "none"))]
    pub(super) network: Word<Network>,
    /// Less than the profile's proxy lets through; for a job with the network `proxy`.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = {}))]
    pub(super) proxy: Object<ProxyDocument>,
    /// Runs of the program, compiled once and run each in its own fresh cell.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = []))]
    pub(super) tests: List<Object<TestDocument>, MAX_TESTS>,
    /// A program that judges the output of the tests that are compared by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) checker: Option<Object<CheckerDocument>>,
    /// How many tests may run at the same time. Without it, as many as the runner has slots that nobody needs; of a
    /// job with `stream`, one after the other in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub(super) parallel: Option<u32>,
    /// Leave out the tests after the first that does not succeed; the result has those up to it.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = false))]
    pub(super) stop_on_failure: bool,
    /// Globs of files in the working folder to hand back.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(inner(length(min = 1, max = MAX_PATH_BYTES), regex(pattern = PATH)), extend("default" = []))]
    pub(super) outputs: List<String, MAX_OUTPUTS>,
    /// Which queue.
    #[serde(default = "lane", skip_serializing_if = "is_default_lane")]
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,32}$"))]
    #[schemars(extend("default" = DEFAULT_LANE))]
    pub(super) lane: String,
    /// Whom the job is counted against.
    #[serde(default = "tenant", skip_serializing_if = "is_default_tenant")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9_.-]{1,64}$"))]
    #[schemars(extend("default" = DEFAULT_TENANT))]
    pub(super) tenant: String,
    /// Not started after this time (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub(super) expires_at: Option<String>,
    /// Also publish output while the program runs.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = false))]
    pub(super) stream: bool,
    /// Where to tell that the job is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) callback: Option<Object<CallbackDocument>>,
    /// Handed back untouched in the result. At most 16 KiB in all.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = {}))]
    pub(super) metadata: Map<MAX_METADATA>,
}

/// What a job asks of the proxy. It can only ask for less than the profile allows.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Proxy")]
pub(super) struct ProxyDocument {
    /// The only hosts to be let through: `example.org`, `*.example.org`, an address or a network.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(inner(length(min = 1, max = MAX_HOST_BYTES)))]
    pub(super) hosts: List<String, MAX_HOSTS>,
    /// The only ports.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(inner(range(min = 1)))]
    pub(super) ports: List<u16, MAX_PORTS>,
    /// How many connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub(super) connections: Option<u32>,
    /// How many bytes, both ways and all connections together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub(super) bytes: Option<u64>,
    /// A proxy to go through, as `http://host:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = MAX_HOST_BYTES))]
    pub(super) upstream: Option<String>,
}

/// One file in the working folder.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "File")]
pub(super) struct FileDocument {
    /// Where: relative, with `/` between components, none of them empty, `.` or `..`.
    #[schemars(length(min = 1, max = MAX_PATH_BYTES), regex(pattern = PATH))]
    pub(super) path: String,
    /// What is in it.
    pub(super) content: String,
    /// How `content` is written.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "utf-8"))]
    pub(super) encoding: Word<Encoding>,
}

/// One run of the program with its own input.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Test")]
pub(super) struct TestDocument {
    /// What it is called in the result; no two share a name.
    #[schemars(length(min = 1, max = MAX_TEST_NAME_BYTES), regex(pattern = r"^[^\x00-\x1f\x7f-\x9f]+$"))]
    pub(super) name: String,
    /// What the program reads.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(extend("default" = ""))]
    pub(super) stdin: String,
    /// The program's arguments.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = []))]
    pub(super) args: List<String, MAX_ARGS>,
    /// What it has to write to standard output; without it only the exit code counts, or what the checker says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expected_stdout: Option<String>,
    /// How exactly it has to write that.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "trimmed"))]
    pub(super) compare: Word<Compare>,
    /// How far off numbers may be, for `floats`.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = { "absolute": 1e-6, "relative": 1e-6 }))]
    pub(super) tolerance: Object<Tolerance>,
}

/// A program that judges what the job's program has written. It is run for each test that is compared by it, in a cell
/// of its own, with three arguments: the paths of files with the test's input, the program's output, and the output
/// expected. It exits with 0 to accept, with 1 to say that the output is wrong, and writes why to standard error or
/// output. Whatever else becomes of it is its own fault: then the test is `rejected`, and the program not judged.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Checker")]
pub(super) struct CheckerDocument {
    /// A profile's name or alias.
    #[schemars(regex(pattern = r"^[A-Za-z0-9+#._-]{1,64}$"))]
    pub(super) language: String,
    /// A package environment of this language, as `python:NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9+#._-]{1,64}:[a-z0-9][a-z0-9._-]{0,63}$"))]
    pub(super) profile: Option<String>,
    /// The checker, as the one file that the profile names.
    pub(super) code: String,
    /// Files beside it.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = []))]
    pub(super) files: List<Object<FileDocument>, MAX_FILES>,
    /// Lower limits than the profile's.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = {}))]
    pub(super) limits: Object<LimitsRequest>,
}

impl From<&Job> for JobDocument {
    fn from(job: &Job) -> Self {
        let tests = job.tests.iter().map(|test| {
            Object(TestDocument {
                name: test.name.clone(),
                stdin: test.stdin.clone(),
                args: List(test.args.clone()),
                expected_stdout: test.expected_stdout.clone(),
                compare: Word(test.compare),
                tolerance: Object(test.tolerance),
            })
        });
        Self {
            version: job.version,
            id: Some(job.id.to_string()),
            language: job.language.clone(),
            profile: job.profile.clone(),
            code: job.code.clone(),
            files: files(&job.files),
            entrypoint: job.entrypoint.clone(),
            stdin: job.stdin.clone(),
            args: List(job.args.clone()),
            env: Map(job.env.clone()),
            limits: Object(job.limits.clone()),
            network: Word(job.network),
            proxy: Object(ProxyDocument {
                hosts: List(job.proxy.hosts.clone()),
                ports: List(job.proxy.ports.clone()),
                connections: job.proxy.connections,
                bytes: job.proxy.bytes,
                upstream: job.proxy.upstream.clone(),
            }),
            tests: List(tests.collect()),
            checker: job.checker.as_ref().map(checker),
            parallel: job.parallel,
            stop_on_failure: job.stop_on_failure,
            outputs: List(job.outputs.clone()),
            lane: job.lane.clone(),
            tenant: job.tenant.clone(),
            expires_at: job.expires_at.map(|time| time.to_string()),
            stream: job.stream,
            callback: job
                .callback
                .as_ref()
                .map(|callback| Object(callback.into())),
            metadata: Map(job.metadata.clone()),
        }
    }
}

fn files(files: &[JobFile]) -> List<Object<FileDocument>, MAX_FILES> {
    let document = |file: &JobFile| {
        let (content, encoding) = encode_content(&file.content);
        Object(FileDocument {
            path: file.path.clone(),
            content,
            encoding: Word(encoding),
        })
    };
    List(files.iter().map(document).collect())
}

fn checker(checker: &Checker) -> Object<CheckerDocument> {
    Object(CheckerDocument {
        language: checker.language.clone(),
        profile: checker.profile.clone(),
        code: checker.code.clone(),
        files: files(&checker.files),
        limits: Object(checker.limits.clone()),
    })
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn lane() -> String {
    DEFAULT_LANE.into()
}

fn is_default_lane(lane: &str) -> bool {
    lane == DEFAULT_LANE
}

fn tenant() -> String {
    DEFAULT_TENANT.into()
}

fn is_default_tenant(tenant: &str) -> bool {
    tenant == DEFAULT_TENANT
}
