//! Why a document was refused: which field, what is wrong with it and how to mend it.
//!
//! A rejection is the sender's mistake. What went wrong on our side must never be told with this type.

use std::error::Error;
use std::fmt;

use crate::codes;
use crate::id::{InvalidJobId, JobId};

/// A document that was refused, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The job's id, whenever the document has a valid one.
    pub id: Option<JobId>,
    /// A stable code, see [`crate::codes`].
    pub code: &'static str,
    /// What is wrong; begins with the field's path. Safe to log: bounded, without control characters.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Rejection {
    /// A rejection of a job whose id is not known yet.
    pub fn new(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            id: None,
            code,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// The same rejection, of the job with this id.
    #[must_use]
    pub fn with_id(mut self, id: Option<JobId>) -> Self {
        self.id = id;
        self
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Rejection {}

impl From<InvalidJobId> for Rejection {
    fn from(error: InvalidJobId) -> Self {
        Self::new(
            codes::INVALID_ID,
            format!("id: {error}"),
            "name the job otherwise, by a UUID for instance",
        )
    }
}
