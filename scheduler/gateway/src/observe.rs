//! Around every request: an id, a line in the log, a count, and problems for what has no form of its own.
//!
//! Neither the log nor an answer may hold a key, a query or a body; a panic is the request's end and not the server's.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use uuid::Uuid;

use crate::app::App;
use crate::problem::{PROBLEM_JSON, Problem};

/// What the log and the client know a request by.
const REQUEST_ID: &str = "x-request-id";

/// Answers a request and says so.
pub(crate) async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let id = request_id(request.headers());
    let _counted = app.metrics.in_flight();
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| {
        tracing::error!(request = id, "a request's handler panicked");
        Problem::internal().into_response()
    });
    if is_bare_error(&response) {
        response = problem(response.status(), std::mem::take(response.headers_mut()));
    }
    let (status, took) = (response.status(), begun.elapsed());
    app.metrics.answered(&method, route, status, took);
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let (code, said) = (status.as_u16(), "answered");
    match status.is_server_error() {
        true => tracing::warn!(request = id, %method, route, status = code, ms, said),
        false => tracing::debug!(request = id, %method, route, status = code, ms, said),
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The caller's own, if it can stand in a log.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    given
        .filter(|id| (1..=64).contains(&id.len()) && id.bytes().all(plain))
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// An error of the framework's, which speaks plain text or says nothing.
fn is_bare_error(response: &Response) -> bool {
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    let kind = response.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    is_error && !kind.starts_with(PROBLEM_JSON) && !kind.starts_with("application/json")
}

fn problem(status: StatusCode, headers: HeaderMap) -> Response {
    let problem = match status {
        StatusCode::NOT_FOUND => {
            let hint = "see /openapi.json for what there is";
            Problem::new(status, "not_found", "there is nothing here", hint)
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            let hint = "see the header `Allow`";
            Problem::new(status, "method_not_allowed", "not with this method", hint)
        }
        _ => Problem::new(status, "refused", "the request can't be answered", ""),
    };
    let mut response = problem.into_response();
    // What they say beside the body holds: Allow, Retry-After.
    for (name, value) in &headers {
        if name != CONTENT_TYPE && name != "content-length" {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}
