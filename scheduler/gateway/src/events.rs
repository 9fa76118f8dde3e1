//! What happens to a job, as server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! A stream must never end without the result but when this server stops or the job can't be followed any more; a client
//! that comes again with `Last-Event-ID` misses nothing and hears no output twice.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use glovebox_scheduler::Event;
use glovebox_schemas::job::JobId;
use glovebox_schemas::result::encode_content;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::app::{App, Caller};
use crate::backend::Look;
use crate::input::Named;
use crate::jobs::{JobStatus, is_callers};
use crate::openapi::Refused;
use crate::problem::Problem;

/// The id of the last event. Who comes again with it has heard everything.
const LAST: &str = "done";

/// One event.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is read by utoipa alone")]
pub(crate) struct Sent {
    /// `state`, `output`, `result` or `problem`.
    event: String,
    /// What happened, as JSON.
    data: String,
    /// What to come again with, as `Last-Event-ID`.
    id: Option<String>,
}

/// Follow a job.
///
/// Events are `state` (as in `GET`), `output` (`{"stream", "data", "encoding"}`, of jobs with `stream`), and at the end
/// `result`, or `problem` if it can't be had. Comes again with `Last-Event-ID` where it was cut off.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/events", tag = "jobs",
    params(
        ("id" = String, Path, description = "The job's id"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that was heard"),
    ),
    responses(
        (status = 200, description = "Events, until the result", body = Sent, content_type = "text/event-stream"),
        (status = 204, description = "The last event was heard already"),
        (status = 404, description = "There is no such job, or it is another tenant's", body = Problem, content_type = "application/problem+json"),
        Refused,
    ),
)]
pub(crate) async fn follow(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(id): Named,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    is_callers(&app, &caller, &id).await?;
    let heard = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    if heard == Some(LAST) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    // Of a job that was refused nothing would ever be told.
    if matches!(app.backend.look(&id).await, Ok(Look::Unknown)) {
        return Err(Problem::unknown_job(id.as_str()));
    }
    let place = app.waiter(&caller.tenant)?;
    let followed = app.backend.follow(&id, heard.map(str::to_owned));
    let events = followed.map(move |event| {
        // It is held for as long as the stream lasts.
        let _held = &place;
        told(&id, event)
    });
    let events = events.take_until(app.stopping.clone().cancelled_owned());
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response())
}

fn told(id: &JobId, event: Result<Event, Problem>) -> Result<sse::Event, Infallible> {
    Ok(match event {
        Ok(Event::State(state)) => named("state", &JobStatus::of(id, state)),
        Ok(Event::Output { at, stream, data }) => {
            let (data, encoding) = encode_content(&data);
            let output = json!({ "stream": stream, "data": data, "encoding": encoding });
            named("output", &output).id(at)
        }
        Ok(Event::Done(result)) => named("result", &*result).id(LAST),
        Err(problem) => named("problem", &problem),
    })
}

fn named(name: &str, data: &impl Serialize) -> sse::Event {
    let event = sse::Event::default().event(name);
    // JSON has no line breaks here, and maps have strings for keys.
    let data = serde_json::to_string(data).unwrap_or_default();
    event.data(data)
}
