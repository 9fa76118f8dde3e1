//! What goes over the control exchange: cancellations, and queues that are new.
//!
//! Every runner gets every message, so they are small, and reading one must never cost more than that.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codes;
use crate::id::JobId;
use crate::names::{is_lane, is_tenant};
use crate::read::{self, VERSION};
use crate::rejection::Rejection;

/// The largest control message that is read.
pub const MAX_CONTROL_BYTES: usize = 4 * 1024;

/// What a control message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// A job is to be stopped.
    Cancel(Cancel),
    /// There are jobs in a queue that may be new.
    Serve(Serve),
}

impl Control {
    /// Reads a control message.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
        match Cancel::parse(bytes) {
            Ok(cancel) => Ok(Self::Cancel(cancel)),
            Err(rejection) => Serve::parse(bytes).map(Self::Serve).map_err(|_| rejection),
        }
    }
}

/// Says that a tenant sends jobs to a lane: runners of the lane are to consume from its queue there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Glovebox announcement of a queue")]
pub struct Serve {
    /// The version of this document.
    #[serde(default = "read::version")]
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// The lane.
    #[schemars(regex(pattern = r"^[a-z0-9-]{1,32}$"))]
    pub lane: String,
    /// The tenant.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_.-]{1,64}$"))]
    pub tenant: String,
}

impl Serve {
    /// Announces the queue of this tenant in this lane.
    #[must_use]
    pub fn new(lane: impl Into<String>, tenant: impl Into<String>) -> Self {
        Self {
            version: VERSION,
            lane: lane.into(),
            tenant: tenant.into(),
        }
    }

    /// Reads a control message.
    ///
    /// # Errors
    /// When it is anything but an announcement.
    pub fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
        let serve: Self = read::document(bytes, MAX_CONTROL_BYTES, "announcement")?;
        read::check_version(serve.version, "announcement")?;
        match is_lane(&serve.lane) && is_tenant(&serve.tenant) {
            true => Ok(serve),
            false => Err(Rejection::new(
                codes::INVALID_VALUE,
                "lane, tenant: not the names of a lane and a tenant",
                "use the names that the jobs have",
            )),
        }
    }

    /// The message as sent.
    #[must_use]
    pub fn to_wire_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a number and two strings always serialise")
    }
}

/// Stops a job, wherever it is: its owner no longer wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(title = "Glovebox cancellation", deny_unknown_fields)]
pub struct Cancel {
    /// The version of this document.
    #[schemars(range(min = 1, max = 1), default = "read::version")]
    pub version: u32,
    /// The job to stop.
    pub id: JobId,
}

/// A cancellation as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CancelDocument {
    #[serde(default = "read::version")]
    version: u32,
    id: String,
}

impl Cancel {
    /// Stops this job.
    #[must_use]
    pub fn new(id: JobId) -> Self {
        Self {
            version: VERSION,
            id,
        }
    }

    /// Reads a control message.
    ///
    /// # Errors
    /// When it is anything but a cancellation.
    pub fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
        let document: CancelDocument = read::document(bytes, MAX_CONTROL_BYTES, "cancellation")?;
        let id = JobId::try_from(document.id)?;
        read::check_version(document.version, "cancellation")
            .map_err(|rejection| rejection.with_id(Some(id.clone())))?;
        Ok(Self {
            version: document.version,
            id,
        })
    }

    /// The message as sent.
    #[must_use]
    pub fn to_wire_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a number and a string always serialise")
    }
}
