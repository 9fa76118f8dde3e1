//! Callbacks: what a receiver is sent when a job is done, and the order by which a runner has it sent.
//!
//! The receiver's document, [`Notice`], is part of the contract. The [`Order`] is a message between Glovebox's own
//! processes, and carries the notice as the bytes that are signed: must never write those anew.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::codes;
use crate::id::JobId;
use crate::job::{Callback, Job, check_headers, check_url};
use crate::read::{VERSION, check_version};
use crate::rejection::Rejection;
use crate::result::{JobResult, Status};

/// A result of more bytes is not sent along.
pub const MAX_SENT_RESULT_BYTES: usize = 256 * 1024;
/// The largest order that is read: a notice, a URL and headers.
pub const MAX_ORDER_BYTES: usize = 2 * MAX_SENT_RESULT_BYTES;

/// What the receiver of a callback is sent: the body of the POST.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Glovebox callback")]
pub struct Notice {
    /// The version of this document.
    pub version: u32,
    /// The job.
    pub id: JobId,
    /// What became of it.
    pub status: Status,
    /// Whom it is counted against, and whose key has signed this.
    pub tenant: String,
    /// The job's own.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// Where the gateway has the result, for as long as it is kept.
    pub reference: String,
    /// The result, if the job has asked for it and it is small: at most 256 KiB.
    #[serde(default)]
    pub result: Option<JobResult>,
}

impl Notice {
    /// What is to be said of this end of the job.
    #[must_use]
    pub fn new(job: &Job, result: &JobResult, include_result: bool) -> Self {
        let sent = include_result && result.to_json().len() <= MAX_SENT_RESULT_BYTES;
        Self {
            version: VERSION,
            id: job.id.clone(),
            status: result.status,
            tenant: job.tenant.clone(),
            metadata: job.metadata.clone(),
            reference: format!("/v1/jobs/{}", job.id),
            result: sent.then(|| result.clone()),
        }
    }
}

/// The message that has a callback sent. A sender of an older release skips what it does not know.
#[derive(Clone, Serialize, Deserialize)]
pub struct Order {
    version: u32,
    /// The job, and the id of this delivery: a job has one result, and so one callback, however often it is sent.
    pub id: JobId,
    /// Whose key signs it.
    pub tenant: String,
    /// Where to.
    pub url: String,
    /// With which headers of the job's.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    notice: Box<RawValue>,
}

/// Without what may be a secret.
impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

impl Order {
    /// An order to tell this end of the job.
    #[must_use]
    pub fn new(job: &Job, callback: &Callback, result: &JobResult) -> Self {
        let notice = Notice::new(job, result, callback.include_result);
        Self {
            version: VERSION,
            id: job.id.clone(),
            tenant: job.tenant.clone(),
            url: callback.url.clone(),
            headers: callback.headers.clone(),
            notice: serde_json::value::to_raw_value(&notice)
                .expect("strings, numbers and lists always serialise"),
        }
    }

    /// The body of the POST, byte by byte.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.notice.get().as_bytes()
    }

    /// The message.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and raw JSON always serialise")
    }

    /// Reads an order, and checks it as a job's wish is checked.
    ///
    /// # Errors
    /// When it is none that a runner would write.
    pub fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
        let none = |why: String| {
            let hint = "only runners write to this queue; look who else may";
            Rejection::new(codes::INVALID_JSON, why, hint)
        };
        if bytes.len() > MAX_ORDER_BYTES {
            return Err(none(format!("the order has {} bytes", bytes.len())));
        }
        // serde's own words could repeat a header.
        let order: Self = serde_json::from_slice(bytes)
            .map_err(|error| none(format!("it is no order, at column {}", error.column())))?;
        check_version(order.version, "callback's order")?;
        check_url(&order.url)?;
        check_headers(&order.headers)?;
        Ok(order)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn job() -> (Job, Callback) {
        let mut job = Job::new("python");
        job.metadata.insert("mine".into(), "kept".into());
        let mut callback = Callback::new("https://example.org/hook?token=s3cret");
        let secret = ("Authorization".into(), "Bearer s3cret".into());
        callback.headers.extend([secret]);
        (job, callback)
    }

    #[test]
    fn an_order_carries_the_notice_as_it_is_and_shows_no_secret() {
        let (job, callback) = job();
        let result = JobResult::new(job.id.clone(), Status::Succeeded, "r");
        let order = Order::new(&job, &callback, &result);
        let read = Order::parse(&order.to_json()).unwrap();
        assert_eq!(read.body(), order.body());
        let notice: Notice = serde_json::from_slice(read.body()).unwrap();
        assert_eq!(notice.result, Some(result));
        assert_eq!(notice.metadata, job.metadata);
        let shown = format!("{order:?} {callback:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn a_large_result_is_referred_to() {
        let (job, callback) = job();
        let mut result = JobResult::new(job.id.clone(), Status::Succeeded, "r");
        result.stdout = "x".repeat(MAX_SENT_RESULT_BYTES);
        for include_result in [true, false] {
            let notice = Notice::new(&job, &result, include_result);
            assert_eq!(notice.result, None);
            assert_eq!(notice.reference, format!("/v1/jobs/{}", job.id));
            result.stdout.clear();
        }
        assert!(Order::new(&job, &callback, &result).to_json().len() < MAX_ORDER_BYTES);
    }

    #[test]
    fn what_no_runner_writes_is_refused_without_its_words() {
        let (job, callback) = job();
        let result = JobResult::new(job.id.clone(), Status::Failed, "r");
        let good: serde_json::Value =
            serde_json::from_slice(&Order::new(&job, &callback, &result).to_json()).unwrap();
        for (field, wrong) in [
            ("url", "file:///s3cret"),
            ("url", "http://u:s3cret@example.org/"),
            ("headers", "s3cret"),
        ] {
            let mut order = good.clone();
            order[field] = wrong.into();
            let refused = Order::parse(order.to_string().as_bytes()).unwrap_err();
            assert!(!format!("{refused:?}").contains("s3cret"), "{refused:?}");
        }
    }
}
