//! What this server says of itself: what it can run, whether it lives, whether it can take jobs, what it has counted.
//!
//! Only the languages need a key. So the rest must say nothing that a stranger may not know.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::{App, Caller};
use crate::openapi::Refused;
use crate::problem::Problem;

/// What jobs can be written in.
///
/// It is what the runners said a few seconds ago.
#[utoipa::path(
    get, path = "/v1/languages", tag = "jobs",
    responses((status = 200, description = "The languages", body = ref("#/components/schemas/Languages")), Refused),
)]
pub(crate) async fn languages(
    State(app): State<Arc<App>>,
    _caller: Caller,
) -> Result<Response, Problem> {
    let languages = app.languages().await?;
    Ok(Json(json!({ "languages": &languages[..] })).into_response())
}

/// Whether this process answers.
#[utoipa::path(get, path = "/healthz", tag = "operation", security(()), responses((status = 200, description = "It does", body = String)))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether jobs can be taken now.
#[utoipa::path(
    get, path = "/readyz", tag = "operation", security(()),
    responses(
        (status = 200, description = "They can", body = String),
        (status = 503, description = "A server behind this one is away, or this one stops", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Result<&'static str, Problem> {
    if app.stopping.is_cancelled() {
        return Err(Problem::unavailable("this server stops"));
    }
    app.backend.ready().await?;
    Ok("ok\n")
}

/// What was counted, in the OpenMetrics text format.
#[utoipa::path(get, path = "/metrics", tag = "operation", security(()), responses((status = 200, description = "Counts", body = String, content_type = "application/openmetrics-text")))]
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], app.metrics.text()).into_response()
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "operation", security(()), responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(crate) async fn openapi() -> Response {
    let kind = "application/json";
    ([(CONTENT_TYPE, kind)], crate::openapi::document()).into_response()
}
