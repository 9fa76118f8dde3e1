//! What goes over the control exchange: cancellations.
//!
//! Every runner gets every message, so they are small, and reading one must never cost more than that.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::JobId;
use crate::read::{self, VERSION};
use crate::rejection::Rejection;

/// The largest control message that is read.
pub const MAX_CONTROL_BYTES: usize = 4 * 1024;

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
