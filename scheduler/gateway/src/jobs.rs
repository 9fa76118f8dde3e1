//! One job: handed over, looked at, waited for, cancelled.
//!
//! It must never answer for another tenant's job otherwise than for one that does not exist.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use glovebox_scheduler::JobState;
use glovebox_schemas::job::{Job, JobId};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::{App, Caller};
use crate::backend::Look;
use crate::input::{Named, Repetition, Wait, document, is_json};
use crate::openapi::Refused;
use crate::problem::Problem;

/// How far a job is that has no result yet.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobStatus {
    /// The job's id.
    pub(crate) id: String,
    /// `queued` or `running`.
    pub(crate) state: String,
    /// Which attempt runs, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attempt: Option<u32>,
    /// Which runner has it, or had it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) runner: Option<String>,
    /// Since when it is in this state, by the clock of whoever said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<String>,
    /// Nothing is heard of its runner any more: it will be run again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) lost: bool,
}

impl JobStatus {
    fn queued(id: &JobId) -> Self {
        Self {
            id: id.to_string(),
            state: "queued".to_owned(),
            attempt: None,
            runner: None,
            since: None,
            lost: false,
        }
    }

    pub(crate) fn of(id: &JobId, state: JobState) -> Self {
        Self {
            id: id.to_string(),
            state: state.phase.to_string(),
            attempt: state.attempt,
            runner: state.runner,
            since: state.since.map(|since| since.to_string()),
            lost: state.is_lost,
        }
    }
}

/// Hand a job over.
///
/// With `wait` the answer is the result, if it is there in time; else `GET` it later, under `Location`. Sending one id
/// twice runs it once. With an `Idempotency-Key`, a job without an id gets one that is made of the key.
#[utoipa::path(
    post, path = "/v1/jobs", tag = "jobs",
    params(
        ("wait" = Option<String>, Query, description = "How long to wait for the result: `30s`, `500ms`, `2m`"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating the request safe: 1 to 255 visible ASCII characters"),
    ),
    request_body(content = ref("#/components/schemas/Job"), content_type = "application/json"),
    responses(
        (status = 200, description = "It has ended", body = ref("#/components/schemas/Result")),
        (status = 202, description = "It was taken", body = JobStatus, headers(("Location" = String, description = "Where to ask for it"))),
        (status = 409, description = "The id is another tenant's", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "It has run before, and its result has expired", body = Problem, content_type = "application/problem+json"),
        Refused,
    ),
)]
pub(crate) async fn submit(
    State(app): State<Arc<App>>,
    caller: Caller,
    Wait(wait): Wait,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    is_json(&headers)?;
    let job = {
        let body = document(&app, request, app.config.max_body).await?;
        let mut job = caller.owns(Job::parse_submission(&body.bytes)?)?;
        if let Some(repetition) = Repetition::of(&caller, &headers)? {
            repetition.claim(&app, "job", &body.bytes).await?;
            if !has_id(&body.bytes) {
                job.id = repetition.id(0)?;
            }
        }
        job
    };
    let id = job.id.clone();
    let Some(wait) = wait else {
        app.backend.submit(job).await?;
        app.metrics.accepted(1);
        return Ok(accepted(JobStatus::queued(&id)));
    };
    // Asked for first: a job that was taken is not refused for want of a place to wait.
    let _place = app.waiter(&caller.tenant)?;
    app.backend.submit(job).await?;
    app.metrics.accepted(1);
    await_result(&app, &id, wait, JobStatus::queued(&id)).await
}

/// How far a job is, or its result.
///
/// With `wait` the answer waits for the result.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "jobs",
    params(
        ("id" = String, Path, description = "The job's id"),
        ("wait" = Option<String>, Query, description = "How long to wait for the result: `30s`, `500ms`, `2m`"),
    ),
    responses(
        (status = 200, description = "It has ended", body = ref("#/components/schemas/Result")),
        (status = 202, description = "It has no result yet", body = JobStatus),
        (status = 404, description = "There is no such job, or it is another tenant's", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "Its result has expired", body = Problem, content_type = "application/problem+json"),
        Refused,
    ),
)]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(id): Named,
    Wait(wait): Wait,
) -> Result<Response, Problem> {
    is_callers(&app, &caller, &id).await?;
    let status = match app.backend.look(&id).await? {
        Look::Result(result) => return Ok(Json(*result).into_response()),
        Look::State(state) => JobStatus::of(&id, state),
        Look::Unknown => return Err(Problem::unknown_job(id.as_str())),
    };
    match wait {
        None => Ok(accepted(status)),
        Some(wait) => {
            let _place = app.waiter(&caller.tenant)?;
            await_result(&app, &id, wait, status).await
        }
    }
}

/// Cancel a job, wherever it is.
///
/// Its result, `cancelled` or whatever came first, arrives as any other.
#[utoipa::path(
    delete, path = "/v1/jobs/{id}", tag = "jobs",
    params(("id" = String, Path, description = "The job's id")),
    responses(
        (status = 202, description = "It is being cancelled", body = JobStatus),
        (status = 409, description = "It was done before", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such job, or it is another tenant's", body = Problem, content_type = "application/problem+json"),
        Refused,
    ),
)]
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(id): Named,
) -> Result<Response, Problem> {
    is_callers(&app, &caller, &id).await?;
    if app.backend.cancel(&id).await? {
        let mut status = JobStatus::queued(&id);
        status.state = "cancelling".to_owned();
        return Ok(accepted(status));
    }
    Err(Problem::new(
        StatusCode::CONFLICT,
        "already_done",
        format!("job {id} was done before"),
        "GET it for its result",
    ))
}

/// Whose job it is, is asked of the backend each time: another server may have taken it.
pub(crate) async fn is_callers(app: &App, caller: &Caller, id: &JobId) -> Result<(), Problem> {
    match app.backend.owner(id).await? {
        Some(owner) if owner == caller.tenant => Ok(()),
        _ => Err(Problem::unknown_job(id.as_str())),
    }
}

/// The result, or how far the job was before when it is not there in time, or when this server stops.
async fn await_result(
    app: &App,
    id: &JobId,
    wait: Duration,
    before: JobStatus,
) -> Result<Response, Problem> {
    let result = tokio::select! {
        result = app.backend.wait(id, wait) => result?,
        () = app.stopping.cancelled() => None,
    };
    Ok(match result {
        Some(result) => Json(result).into_response(),
        None => accepted(before),
    })
}

fn accepted(status: JobStatus) -> Response {
    // An id is plain ASCII.
    let location = HeaderValue::from_str(&format!("/v1/jobs/{}", status.id));
    let location = location.unwrap_or(HeaderValue::from_static("/v1/jobs"));
    (StatusCode::ACCEPTED, [(LOCATION, location)], Json(status)).into_response()
}

/// Whether the document names the job itself.
pub(crate) fn has_id(document: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Probe {
        id: Option<IgnoredAny>,
    }
    serde_json::from_slice::<Probe>(document).is_ok_and(|probe| probe.id.is_some())
}
