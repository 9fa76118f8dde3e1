//! The name of a job, which is also the key of its result.
//!
//! A [`JobId`] is always well-formed: it goes into Redis keys, cgroup names and log lines as it is, so there must
//! never be a way to make one that was not checked.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::text::quote;

/// The longest id, in bytes.
pub const MAX_ID_BYTES: usize = 64;

/// A job's id: 1 to 64 letters, digits, `_` or `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(String);

/// A string that is not a job's id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{shown} is not a job id (1 to {MAX_ID_BYTES} letters, digits, \"_\" or \"-\")")]
pub struct InvalidJobId {
    shown: String,
}

impl JobId {
    /// A new id that sorts by the time it was made (UUIDv7).
    #[must_use]
    pub fn new_v7() -> Self {
        Self(Uuid::now_v7().to_string())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text may be an id.
    pub(crate) fn is_valid(text: &str) -> bool {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(allowed)
    }
}

impl TryFrom<String> for JobId {
    type Error = InvalidJobId;

    fn try_from(text: String) -> Result<Self, InvalidJobId> {
        if Self::is_valid(&text) {
            Ok(Self(text))
        } else {
            Err(InvalidJobId {
                shown: quote(&text),
            })
        }
    }
}

impl FromStr for JobId {
    type Err = InvalidJobId;

    fn from_str(text: &str) -> Result<Self, InvalidJobId> {
        if Self::is_valid(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidJobId { shown: quote(text) })
        }
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.0
    }
}

impl AsRef<str> for JobId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl JsonSchema for JobId {
    fn schema_name() -> Cow<'static, str> {
        "JobId".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$" })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn ids_are_checked_however_they_are_made() {
        for good in ["a", "A-z_9", &"x".repeat(64), JobId::new_v7().as_str()] {
            assert_eq!(good.parse::<JobId>().unwrap().to_string(), good);
        }
        for bad in ["", "a/b", "a b", "ä", "a\n", &"x".repeat(65)] {
            assert!(bad.parse::<JobId>().is_err(), "{bad:?}");
            assert!(
                serde_json::from_value::<JobId>(bad.into()).is_err(),
                "{bad:?}"
            );
        }
        assert_eq!(
            "a/b".parse::<JobId>().unwrap_err().to_string(),
            "\"a/b\" is not a job id (1 to 64 letters, digits, \"_\" or \"-\")"
        );
    }

    #[test]
    fn new_ids_differ_and_sort_by_time() {
        let ids: Vec<_> = (0..100).map(|_| JobId::new_v7()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
