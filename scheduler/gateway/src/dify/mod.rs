//! The endpoints of DifySandbox, so that a Dify that speaks to one can speak to this instead.
//!
//! Paths, fields, codes and statuses are as that server has them (github.com/langgenius/dify-sandbox, `internal/`); what
//! is behind them is a job like any other. It must never give a program more than such a job has: what is called
//! `preload` runs in the cell as well, and never before it is closed.

mod dependencies;
mod program;
mod run;

use std::time::Duration;

use axum::Json;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use glovebox_schemas::names::DEFAULT_LANE;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::input::document;
use crate::problem::Problem;

pub(crate) use dependencies::{
    __path_list, __path_refresh, __path_update, Known, list, refresh, update,
};
pub(crate) use run::{__path_run, run};

/// What these endpoints do.
#[derive(Debug, Clone)]
pub struct DifyConfig {
    /// The package environment (`python:NAME`, `nodejs:NAME`) that programs run in, where all runners have it.
    pub environment: String,
    /// Whether a program that asks for the network gets what the profile's proxy lets through. Dify asks always.
    pub network: bool,
    /// How long a program may run; the profile's default if `None`.
    pub timeout: Option<Duration>,
    /// How long a request waits for a slot and the end of its program. Dify itself gives up after a minute.
    pub wait: Duration,
    /// The lane that its jobs take.
    pub lane: String,
}

impl Default for DifyConfig {
    fn default() -> Self {
        Self {
            environment: "dify".to_owned(),
            network: true,
            timeout: None,
            wait: Duration::from_secs(55),
            lane: DEFAULT_LANE.to_owned(),
        }
    }
}

/// Every answer, as DifySandbox has it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DifyAnswer {
    /// 0, or what went wrong: -400 the request, -429 and -503 too much at once, -500 a failure here.
    code: i32,
    /// `success`, or what went wrong.
    message: String,
    /// What was asked for; null if something went wrong.
    data: Option<Value>,
    #[serde(skip)]
    #[schema(ignore)]
    status: StatusCode,
}

impl DifyAnswer {
    fn success(data: impl Serialize) -> Self {
        Self {
            code: 0,
            message: "success".to_owned(),
            // Strings, numbers and lists always serialise.
            data: serde_json::to_value(data).ok(),
            status: StatusCode::OK,
        }
    }

    fn failed(status: StatusCode, code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
            status,
        }
    }

    /// The request is wrong.
    fn wrong(message: impl Into<String>) -> Self {
        Self::failed(StatusCode::BAD_REQUEST, -400, message)
    }

    /// More than can be done in time: what Dify takes for "try again later".
    fn busy() -> Self {
        Self::failed(StatusCode::SERVICE_UNAVAILABLE, -503, "Too many requests")
    }
}

impl IntoResponse for DifyAnswer {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}

impl From<Problem> for DifyAnswer {
    fn from(problem: Problem) -> Self {
        match problem.status() {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Self::failed(StatusCode::SERVICE_UNAVAILABLE, -503, problem.line())
            }
            status if status.is_client_error() => Self::failed(status, -400, problem.line()),
            _ => Self::failed(StatusCode::OK, -500, problem.line()),
        }
    }
}

/// What the request says: in the query of a GET, or as a form or JSON. Fields that are not known are ignored there.
async fn fields<T: DeserializeOwned>(app: &App, request: Request) -> Result<T, DifyAnswer> {
    let kind = request.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_form = kind.starts_with("application/x-www-form-urlencoded");
    if request.method() == Method::GET {
        let query = request.uri().query().unwrap_or_default();
        return form(query.as_bytes());
    }
    let body = document(app, request, app.config.max_body).await?;
    match is_form {
        true => form(&body.bytes),
        false => {
            let mut json = serde_json::Deserializer::from_slice(&body.bytes);
            serde_path_to_error::deserialize(&mut json)
                .map_err(|error| DifyAnswer::wrong(error.to_string()))
        }
    }
}

fn form<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DifyAnswer> {
    let read = serde_urlencoded::from_bytes(bytes);
    read.map_err(|error| DifyAnswer::wrong(error.to_string()))
}

/// Whether this server answers.
#[utoipa::path(get, path = "/health", tag = "dify", security(()), responses((status = 200, description = "`\"ok\"`", body = String, content_type = "application/json")))]
pub(crate) async fn health() -> Json<&'static str> {
    Json("ok")
}
