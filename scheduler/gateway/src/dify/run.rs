//! `POST /v1/sandbox/run`: a program, and its output.
//!
//! It must never leave a program running whose client has gone away.

use std::sync::Arc;

use axum::extract::{Request, State};
use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::result::JobResult;

use super::program::{self, RunRequest};
use super::{DifyAnswer, fields};
use crate::app::{App, Caller};
use crate::problem::Problem;

/// Run a program.
///
/// As DifySandbox does it: the status is 200 also if the program fails, and `data.error` says why. `error` is empty for
/// a program that succeeds, whatever it writes to standard error.
#[utoipa::path(
    post, path = "/v1/sandbox/run", tag = "dify",
    request_body(content = RunRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "`data` is `{stdout, stderr, error, exit_code}`", body = DifyAnswer),
        (status = 400, description = "No such language, or no program", body = DifyAnswer),
        (status = 401, description = "No key, or a wrong one", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "More than can be done in time", body = DifyAnswer),
    ),
)]
pub(crate) async fn run(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<DifyAnswer, DifyAnswer> {
    let request: RunRequest = fields(&app, request).await?;
    let Some(language) = program::language(&request.language) else {
        return Err(DifyAnswer::wrong("unsupported language"));
    };
    if request.code.is_empty() {
        return Err(DifyAnswer::wrong("code: there is none"));
    }
    let config = &app.config.dify;
    let mut job = program::job(request, language, config);
    job.profile = program::profile(language, &app.languages().await?, config);
    let missing = format!("{language}:{}", config.environment);
    let missing = job.profile.is_none().then_some(missing);
    let result = finish(&app, &caller, job).await?;
    Ok(program::answer(result, missing.as_deref()))
}

/// Runs a job to its end; one that does not end in time is cancelled, as is one whose client goes away.
pub(super) async fn finish(
    app: &Arc<App>,
    caller: &Caller,
    job: Job,
) -> Result<JobResult, DifyAnswer> {
    let job = caller.owns(job)?;
    let _place = app.waiter(&caller.tenant)?;
    let watched = Watched {
        app: Arc::clone(app),
        id: Some(job.id.clone()),
    };
    let id = job.id.clone();
    app.backend.submit(job).await?;
    app.metrics.accepted(1);
    let result = tokio::select! {
        result = app.backend.wait(&id, app.config.dify.wait) => result?,
        () = app.stopping.cancelled() => None,
    };
    match result {
        Some(result) => {
            watched.has_ended();
            Ok(result)
        }
        None => Err(DifyAnswer::busy()),
    }
}

/// Cancels its job when it is dropped before the end.
struct Watched {
    app: Arc<App>,
    id: Option<JobId>,
}

impl Watched {
    fn has_ended(mut self) {
        self.id = None;
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        let app = Arc::clone(&self.app);
        tokio::spawn(async move {
            if let Err(problem) = app.backend.cancel(&id).await {
                let why = problem.line();
                tracing::warn!(job = %id, why, "a program that nobody waits for goes on");
            }
        });
    }
}
