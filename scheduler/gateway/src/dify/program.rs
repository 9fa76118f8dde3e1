//! From what Dify sends to a job, and from a result to what Dify reads.
//!
//! It must never read the program: what is in it is between its author and the cell.

use axum::http::StatusCode;
use glovebox_schemas::job::{Job, JobFile, Network};
use glovebox_schemas::language::Language;
use glovebox_schemas::result::{Encoding, JobResult, Limit, Status};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DifyAnswer, DifyConfig};

/// Runs what is called `preload` and then the program in one namespace, each under a name of its own in a traceback.
const WITH_PRELOAD: &str = r#"for _name in ("preload.py", "code.py"):
    with open(_name, encoding="utf-8") as _file:
        exec(compile(_file.read(), _name, "exec"))
"#;

/// What Dify sends.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct RunRequest {
    /// `python3` or `nodejs`.
    pub(super) language: String,
    /// The program.
    pub(super) code: String,
    /// What is to run before it, in the same cell.
    #[serde(default)]
    pub(super) preload: Option<String>,
    /// Whether it wants the network.
    #[serde(default)]
    pub(super) enable_network: Option<bool>,
}

/// What Dify reads.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RunData {
    /// What the program wrote to standard output.
    stdout: String,
    /// What it wrote to standard error.
    stderr: String,
    /// Empty if it succeeded. Dify takes anything else for a failure.
    error: String,
    /// Its exit code; -1 if it has none.
    exit_code: i32,
}

/// The language's name here.
pub(super) fn language(theirs: &str) -> Option<&'static str> {
    match theirs {
        "python3" => Some("python"),
        "nodejs" => Some("nodejs"),
        _ => None,
    }
}

/// The environment for this language's programs, where it is on all runners.
pub(super) fn profile(
    language: &str,
    languages: &[Language],
    config: &DifyConfig,
) -> Option<String> {
    let ours = languages.iter().find(|one| one.name == language)?;
    let is_there = ours.environments.contains(&config.environment);
    is_there.then(|| format!("{language}:{}", config.environment))
}

/// The job that a request comes to.
pub(super) fn job(request: RunRequest, language: &str, config: &DifyConfig) -> Job {
    let mut job = Job::new(language);
    let preload = request.preload.filter(|text| !text.trim().is_empty());
    match (preload, language) {
        (None, _) => job.code = Some(request.code),
        (Some(preload), "python") => {
            job.code = Some(WITH_PRELOAD.to_owned());
            job.files = vec![file("preload.py", preload), file("code.py", request.code)];
        }
        (Some(preload), _) => job.code = Some(format!("{preload}\n{}", request.code)),
    }
    if config.network && request.enable_network.unwrap_or(false) {
        job.network = Network::Proxy;
    }
    job.limits.wall_ms = config
        .timeout
        .and_then(|it| u64::try_from(it.as_millis()).ok());
    job.lane.clone_from(&config.lane);
    job.expires_at = Timestamp::now().checked_add(config.wait).ok();
    job
}

fn file(path: &str, text: String) -> JobFile {
    JobFile {
        path: path.to_owned(),
        content: text.into_bytes(),
    }
}

/// The answer that a result comes to. `environment` is the one that was wished for and is not there.
pub(super) fn answer(result: JobResult, missing: Option<&str>) -> DifyAnswer {
    let told = result.error.as_ref();
    let message = told.map_or_else(
        || result.status.to_string(),
        |error| format!("{} ({})", error.message, error.hint),
    );
    match result.status {
        Status::Succeeded | Status::Failed | Status::LimitExceeded | Status::Denied => {
            DifyAnswer::success(data(result, missing))
        }
        Status::Rejected => DifyAnswer::failed(StatusCode::OK, -400, message),
        Status::Cancelled | Status::Expired => DifyAnswer::busy(),
        _ => DifyAnswer::failed(StatusCode::OK, -500, message),
    }
}

fn data(result: JobResult, missing: Option<&str>) -> RunData {
    let exit_code = match result.status {
        Status::Succeeded | Status::Failed => result.exit_code.unwrap_or(-1),
        _ => -1,
    };
    let stderr = text(&result.stderr, result.encoding);
    let cause = match (result.status, result.limit, &result.signal) {
        (Status::LimitExceeded, Some(Limit::WallTime), _) => "error: timeout\n".to_owned(),
        (Status::LimitExceeded, Some(limit), _) => format!("error: more {limit} than is allowed\n"),
        (Status::Denied, ..) => {
            let calls = result.denied.iter().map(|one| one.syscall.as_str());
            let calls: Vec<_> = calls.collect();
            format!("error: operation not permitted: {}\n", calls.join(", "))
        }
        (_, _, Some(signal)) => format!("error: {signal}\n"),
        _ => String::new(),
    };
    let mut error = String::new();
    if result.status != Status::Succeeded {
        error = format!("process exited with code {exit_code}\n{cause}{stderr}");
        if let Some(missing) = missing
            && stderr.contains("ModuleNotFoundError")
        {
            error = format!(
                "{error}\npackages come with the environment {missing}, which the runners do not have: `glovebox env build`"
            );
        }
    }
    RunData {
        stdout: text(&result.stdout, result.encoding),
        stderr,
        error,
        exit_code,
    }
}

/// What is not UTF-8 has replacement characters in JSON, there as here.
fn text(output: &str, encoding: Encoding) -> String {
    let bytes = encoding.decode(output.to_owned()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
