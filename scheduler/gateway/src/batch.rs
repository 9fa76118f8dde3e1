//! Many jobs in one request.
//!
//! One that is wrong must never keep the others from their queue: each has an answer of its own.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use glovebox_schemas::job::Job;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::app::{App, Caller};
use crate::input::{Repetition, document, is_json};
use crate::jobs::has_id;
use crate::openapi::Refused;
use crate::problem::Problem;

/// The most jobs in one request.
const MAX_JOBS: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch<'a> {
    #[serde(borrow)]
    jobs: Vec<&'a RawValue>,
}

/// What came of each job, in the request's order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchAnswer {
    /// How many were taken.
    accepted: usize,
    /// One for each.
    jobs: Vec<BatchItem>,
}

/// What came of one job of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchItem {
    /// The HTTP status that it would have had alone: 202 if it was taken.
    status: u16,
    /// Its id, if it is a job at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Why it was not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

/// Hand many jobs over.
///
/// Each has an answer of its own; the request succeeds if it can be read. With an `Idempotency-Key`, jobs without an id
/// get ids that are made of the key, so that repeating the request runs each once.
#[utoipa::path(
    post, path = "/v1/jobs:batch", tag = "jobs",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes repeating the request safe")),
    request_body(content = ref("#/components/schemas/Batch"), content_type = "application/json"),
    responses(
        (status = 200, description = "What came of each, in their order", body = BatchAnswer),
        Refused,
    ),
)]
pub(crate) async fn submit(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<BatchAnswer>, Problem> {
    is_json(&headers)?;
    let body = document(&app, request, app.config.max_batch_body).await?;
    let batch = read(&body.bytes)?;
    let repetition = Repetition::of(&caller, &headers)?;
    if let Some(repetition) = &repetition {
        repetition.claim(&app, "batch", &body.bytes).await?;
    }
    let read = batch.jobs.iter().enumerate().map(|(n, document)| {
        let document = document.get().as_bytes();
        let mut job = caller.owns(Job::parse_submission(document)?)?;
        if let Some(repetition) = &repetition
            && !has_id(document)
        {
            job.id = repetition.id(n)?;
        }
        Ok(job)
    });
    let mut items = Vec::with_capacity(batch.jobs.len());
    let mut jobs = Vec::with_capacity(batch.jobs.len());
    for job in read {
        items.push(item(&job));
        jobs.extend(job.ok());
    }
    let mut outcomes = app.backend.submit_all(jobs).await.into_iter();
    for item in items.iter_mut().filter(|item| item.problem.is_none()) {
        if let Some(Err(problem)) = outcomes.next() {
            item.status = problem.status().as_u16();
            item.problem = Some(problem);
        }
    }
    let accepted = items.iter().filter(|item| item.problem.is_none()).count();
    app.metrics
        .accepted(u64::try_from(accepted).unwrap_or(u64::MAX));
    Ok(Json(BatchAnswer {
        accepted,
        jobs: items,
    }))
}

fn item(job: &Result<Job, Problem>) -> BatchItem {
    match job {
        Ok(job) => BatchItem {
            status: StatusCode::ACCEPTED.as_u16(),
            id: Some(job.id.to_string()),
            problem: None,
        },
        Err(problem) => BatchItem {
            status: problem.status().as_u16(),
            id: None,
            problem: Some(problem.clone()),
        },
    }
}

fn read(bytes: &[u8]) -> Result<Batch<'_>, Problem> {
    let batch: Batch<'_> = serde_json::from_slice(bytes).map_err(|error| {
        let status = match error.is_data() {
            true => StatusCode::UNPROCESSABLE_ENTITY,
            false => StatusCode::BAD_REQUEST,
        };
        let hint = "send `{\"jobs\": [JOB, …]}`";
        // The place, and not what stands there.
        let place = (error.line(), error.column());
        let detail = format!(
            "no batch of jobs: wrong at line {}, column {}",
            place.0, place.1
        );
        Problem::new(status, "invalid_batch", detail, hint)
    })?;
    if batch.jobs.len() <= MAX_JOBS {
        return Ok(batch);
    }
    let detail = format!("jobs: {} are more than {MAX_JOBS}", batch.jobs.len());
    let hint = "send them in several requests";
    Err(Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "too_many",
        detail,
        hint,
    ))
}
