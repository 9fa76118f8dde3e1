//! What comes in with a request besides its path: a body, a time to wait, a key against repetition.
//!
//! Every byte is bounded before it is held, and every way to be wrong has an answer of its own.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Path, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use glovebox_schemas::job::JobId;
use http_body_util::{BodyExt as _, LengthLimitError};
use sha2::{Digest as _, Sha256};
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;

use crate::app::{App, Caller};
use crate::keys::to_hex;
use crate::problem::Problem;

/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(30);
/// A client that sends too much hears so only once it has sent it, up to so many bytes and so long.
const DISCARDED: usize = 64 << 20;
const DISCARDED_WITHIN: Duration = Duration::from_secs(5);
/// The longest that anybody is kept waiting.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// The longest `Idempotency-Key`.
const MAX_KEY_BYTES: usize = 255;

/// A body, and the place that it takes.
pub(crate) struct Document<'a> {
    pub(crate) bytes: Bytes,
    _held: SemaphorePermit<'a>,
}

/// Reads the body of a request, of at most `limit` bytes.
pub(crate) async fn document(
    app: &App,
    request: Request,
    limit: usize,
) -> Result<Document<'_>, Problem> {
    let headers = request.headers();
    let told = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    let told: Option<usize> = told.and_then(|length| length.parse().ok());
    let body = request.into_body();
    if told.is_some_and(|told| told > limit) {
        discard(body).await;
        return Err(too_large(limit));
    }
    // In KiB; what does not say its length may be as long as is allowed.
    let place = u32::try_from(told.unwrap_or(limit) / 1024 + 1).unwrap_or(u32::MAX);
    let held = app.bodies.try_acquire_many(place).map_err(|_| {
        let detail = "too many large requests are being read";
        Problem::limited(detail, Duration::from_secs(1))
    })?;
    let reading = http_body_util::Limited::new(body, limit).collect();
    let read = timeout(BODY_WITHIN, reading).await.map_err(|_| {
        let (detail, hint) = (
            "the body did not arrive in time",
            "send it faster, or less of it",
        );
        Problem::new(StatusCode::REQUEST_TIMEOUT, "slow_body", detail, hint)
    })?;
    let read = read.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => too_large(limit),
        None => {
            let cause = error
                .source()
                .map_or(String::new(), |cause| format!(": {cause}"));
            let detail = format!("the body can't be read: {error}{cause}");
            Problem::new(StatusCode::BAD_REQUEST, "broken_body", detail, "")
        }
    })?;
    Ok(Document {
        bytes: read.to_bytes(),
        _held: held,
    })
}

/// Refuses what says that it is something else than JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers
        .get(CONTENT_TYPE)
        .map(|kind| kind.to_str().unwrap_or("?"));
    let essence = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    match essence {
        None => Ok(()),
        Some(kind) if kind.eq_ignore_ascii_case("application/json") => Ok(()),
        Some(_) => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_json",
            "the body has to be `application/json`",
            "send `Content-Type: application/json`",
        )),
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!("the body is larger than {limit} bytes"),
        "send less: let the program fetch or make large inputs itself, or split the work",
    )
}

/// A server that answers and closes amid a body makes many clients report a broken connection in place of the answer.
async fn discard(mut body: Body) {
    let reading = async {
        let mut left = DISCARDED;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            let Some(rest) = left.checked_sub(bytes) else {
                return;
            };
            left = rest;
        }
    };
    timeout(DISCARDED_WITHIN, reading).await.unwrap_or_default();
}

/// The job that a path names. What can't be an id names none.
pub(crate) struct Named(pub(crate) JobId);

impl FromRequestParts<Arc<App>> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let named = Path::<String>::from_request_parts(parts, app).await;
        let text = named.map_or_else(|_| "?".to_owned(), |Path(text)| text);
        text.parse()
            .map(Self)
            .map_err(|_| Problem::unknown_job(&text))
    }
}

/// `?wait=30s`: how long to wait for the result.
pub(crate) struct Wait(pub(crate) Option<Duration>);

impl FromRequestParts<Arc<App>> for Wait {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let waits = query.split('&').filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name == "wait").then_some(value)
        });
        // The last one counts, as in most of the world.
        let Some(text) = { waits }.next_back() else {
            return Ok(Self(None));
        };
        let wait = duration(text).ok_or_else(|| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid_wait",
                "wait: not a time",
                "write `30s`, `500ms` or `2m`; at most ten minutes are waited",
            )
        })?;
        Ok(Self(Some(wait.min(LONGEST_WAIT))))
    }
}

/// `30`, `30s`, `500ms`, `2m`.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    match unit {
        "" | "s" => Some(Duration::from_secs(number)),
        "ms" => Some(Duration::from_millis(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}

/// What the caller's `Idempotency-Key` comes to: the id of the job, or of the `n`th of a batch.
pub(crate) struct Repetition(Sha256);

impl Repetition {
    pub(crate) fn of(caller: &Caller, headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let Some(key) = headers.get("idempotency-key") else {
            return Ok(None);
        };
        let key = key.as_bytes();
        if !(1..=MAX_KEY_BYTES).contains(&key.len()) || !key.iter().all(u8::is_ascii_graphic) {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid_idempotency_key",
                format!("Idempotency-Key: not 1 to {MAX_KEY_BYTES} visible ASCII characters"),
                "use a UUID for instance",
            ));
        }
        let mut hash = Sha256::new();
        // A tenant has no zero in its name.
        hash.update(caller.tenant.as_bytes());
        hash.update([0]);
        hash.update(key);
        hash.update([0]);
        Ok(Some(Self(hash)))
    }

    pub(crate) fn id(&self, n: usize) -> Result<JobId, Problem> {
        let mut hash = self.0.clone();
        hash.update(n.to_string());
        let id = format!("k{}", URL_SAFE_NO_PAD.encode(hash.finalize()));
        id.parse().map_err(|_| Problem::internal())
    }

    /// Refuses a key that was used for another body.
    pub(crate) async fn claim(&self, app: &App, kind: &str, body: &[u8]) -> Result<(), Problem> {
        let mut fingerprint = Sha256::new();
        fingerprint.update(kind);
        fingerprint.update([0]);
        fingerprint.update(body);
        let fingerprint = to_hex(&fingerprint.finalize());
        match app.backend.claim(&self.id(0)?, &fingerprint).await? {
            true => Ok(()),
            false => Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "Idempotency-Key: it was used for another request",
                "use a new key for each request, and the same only to repeat one",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn times_are_read_with_and_without_units() {
        for (text, ms) in [
            ("30", 30_000),
            ("30s", 30_000),
            ("5ms", 5),
            ("2m", 120_000),
            ("0", 0),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for bad in [
            "",
            "s",
            "-1",
            "1.5s",
            "1h",
            "1 s",
            "99999999999999999999",
            "999999999999999999m",
        ] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
