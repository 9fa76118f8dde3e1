//! `/v1/sandbox/dependencies`: which packages programs find.
//!
//! Packages are in environments, which the operator builds (`glovebox env build`). A request must never install one: so
//! `update` asks anew what is there, and no more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use glovebox_schemas::job::Job;
use glovebox_schemas::result::Status;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use super::program;
use super::run::finish;
use super::{DifyAnswer, fields};
use crate::app::{App, Caller};
use crate::problem::Problem;

/// How long what was found is told again. Dify keeps it for as long.
const KNOWN_FOR: Duration = Duration::from_secs(60);

/// The interpreter itself knows best.
const LIST: &str = "
import importlib.metadata, json
found = {one.metadata['Name']: one.version for one in importlib.metadata.distributions()}
print(json.dumps([{'name': name, 'version': version} for name, version in sorted(found.items())]))
";

/// The language that is asked about.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Asked {
    /// `python3`.
    language: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Dependency {
    name: String,
    version: String,
}

/// What was found the last time.
pub(crate) type Known = Mutex<Option<(Instant, Vec<Dependency>)>>;

/// The packages that a Python program finds.
#[utoipa::path(
    get, path = "/v1/sandbox/dependencies", tag = "dify",
    params(("language" = String, Query, description = "`python3`")),
    responses(
        (status = 200, description = "`data` is `{dependencies: [{name, version}]}`", body = DifyAnswer),
        (status = 400, description = "Another language", body = DifyAnswer),
        (status = 401, description = "No key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "More than can be done in time", body = DifyAnswer),
    ),
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<DifyAnswer, DifyAnswer> {
    is_python(&app, request).await?;
    told(&app, &caller, KNOWN_FOR).await
}

/// The same, asked anew.
#[utoipa::path(
    get, path = "/v1/sandbox/dependencies/refresh", tag = "dify",
    params(("language" = String, Query, description = "`python3`")),
    responses(
        (status = 200, description = "`data` is `{dependencies: [{name, version}]}`", body = DifyAnswer),
        (status = 400, description = "Another language", body = DifyAnswer),
        (status = 401, description = "No key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "More than can be done in time", body = DifyAnswer),
    ),
)]
pub(crate) async fn refresh(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<DifyAnswer, DifyAnswer> {
    is_python(&app, request).await?;
    told(&app, &caller, Duration::ZERO).await
}

/// Asks anew which packages there are.
///
/// It installs nothing: environments are the operator's, who builds them with `glovebox env build`.
#[utoipa::path(
    post, path = "/v1/sandbox/dependencies/update", tag = "dify",
    request_body(content = Asked, content_type = "application/json"),
    responses(
        (status = 200, description = "`data` is empty", body = DifyAnswer),
        (status = 400, description = "Another language", body = DifyAnswer),
        (status = 401, description = "No key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "More than can be done in time", body = DifyAnswer),
    ),
)]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<DifyAnswer, DifyAnswer> {
    is_python(&app, request).await?;
    told(&app, &caller, Duration::ZERO).await?;
    Ok(DifyAnswer::success(json!({})))
}

async fn is_python(app: &App, request: Request) -> Result<(), DifyAnswer> {
    let asked: Asked = fields(app, request).await?;
    match asked.language.as_str() {
        "python3" => Ok(()),
        _ => Err(DifyAnswer::wrong("unsupported language")),
    }
}

async fn told(
    app: &Arc<App>,
    caller: &Caller,
    known_for: Duration,
) -> Result<DifyAnswer, DifyAnswer> {
    // Held while it is found out: whoever comes meanwhile waits for the same answer.
    let mut known = app.dependencies.lock().await;
    let found = match &*known {
        Some((at, found)) if at.elapsed() < known_for => found.clone(),
        _ => {
            let found = find(app, caller).await?;
            known.insert((Instant::now(), found)).1.clone()
        }
    };
    Ok(DifyAnswer::success(json!({ "dependencies": found })))
}

async fn find(app: &Arc<App>, caller: &Caller) -> Result<Vec<Dependency>, DifyAnswer> {
    let mut job = Job::new("python");
    job.code = Some(LIST.to_owned());
    job.lane.clone_from(&app.config.dify.lane);
    job.profile = program::profile("python", &app.languages().await?, &app.config.dify);
    let result = finish(app, caller, job).await?;
    if result.status != Status::Succeeded {
        return Err(program::answer(result, None));
    }
    serde_json::from_str(&result.stdout)
        .map_err(|_| DifyAnswer::failed(StatusCode::OK, -500, "what was found can't be read"))
}
