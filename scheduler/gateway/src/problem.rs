//! Every error that this server tells, as a problem document (RFC 9457).
//!
//! No problem may hold a key, a password or anything of a job but its id and its lane; and each says how to mend it.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use glovebox_schemas::codes;
use glovebox_schemas::job::{JobId, Rejection};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// The media type of a problem document.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Something that went wrong with a request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// A URI that names the kind of problem: `urn:glovebox:problem:` and the code.
    #[serde(rename = "type", serialize_with = "urn")]
    #[schema(value_type = String, example = "urn:glovebox:problem:unknown_job")]
    kind: &'static str,
    /// What the status means.
    title: &'static str,
    /// The HTTP status.
    #[serde(serialize_with = "number")]
    #[schema(value_type = u16, example = 404)]
    status: StatusCode,
    /// A stable code for programs.
    code: &'static str,
    /// What went wrong this time.
    detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "str::is_empty")]
    hint: Cow<'static, str>,
    #[serde(skip)]
    retry_after: Option<Duration>,
}

fn number<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

fn urn<S: Serializer>(code: &&'static str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("urn:glovebox:problem:{code}"))
}

impl Problem {
    /// A problem of this kind.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<String>,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            kind: code,
            title: status.canonical_reason().unwrap_or("error"),
            status,
            code,
            detail: detail.into(),
            hint: hint.into(),
            retry_after: None,
        }
    }

    /// The same, with the advice to come again after this time.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// What is well-formed and can't be done here.
    #[must_use]
    pub fn unprocessable(
        code: &'static str,
        detail: impl Into<String>,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail, hint)
    }

    /// Too much is going on: 429.
    pub fn limited(detail: impl Into<String>, after: Duration) -> Self {
        let hint = "wait as long as `Retry-After` says and send it again";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "limited", detail, hint).retry_after(after)
    }

    /// A server behind this one is away: 503. The client is told no more than that; the log is.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let hint = "wait as long as `Retry-After` says and send it again: the same id runs once";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail, hint)
            .retry_after(Duration::from_secs(2))
    }

    /// No such job, as far as the caller may know: 404.
    #[must_use]
    pub fn unknown_job(id: &str) -> Self {
        let shown: String = id.escape_debug().take(80).collect();
        let hint = "check the id; what was sent more than two days ago is forgotten";
        let detail = format!("there is no job {shown}");
        Self::new(StatusCode::NOT_FOUND, "unknown_job", detail, hint)
    }

    /// The job has run and its result is no longer kept: 410.
    #[must_use]
    pub fn expired(id: &JobId) -> Self {
        Self::new(
            StatusCode::GONE,
            "result_expired",
            format!("the result of job {id} has expired"),
            "it has run; to run it again, send it under another id",
        )
    }

    /// Another tenant has used this id: 409.
    #[must_use]
    pub fn taken(id: &JobId) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "id_taken",
            format!("the id {id} is another tenant's"),
            "give the job another id, by a UUID for instance",
        )
    }

    /// A failure of our own: 500. What it was is in the log.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "this server failed",
            "its log says why, under the id that this response has as `x-request-id`",
        )
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What went wrong, and what to do about it, for a protocol that has one line for both.
    #[must_use]
    pub fn line(&self) -> String {
        match self.hint.is_empty() {
            true => self.detail.clone(),
            false => format!("{} ({})", self.detail, self.hint),
        }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(after) = self.retry_after {
            // Whole seconds, and not too early.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, seconds.max(1).into());
        }
        headers
    }
}

impl From<Rejection> for Problem {
    /// What is no JSON is 400, what is no job 422.
    fn from(rejection: Rejection) -> Self {
        let status = match rejection.code {
            codes::INVALID_JSON => StatusCode::BAD_REQUEST,
            codes::TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, rejection.code, rejection.message, rejection.hint)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        (self.status, self.headers(), body).into_response()
    }
}
