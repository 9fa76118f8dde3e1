//! How far a job is: `glovebox:state:<id>`, a hash that client and runner write.
//!
//! It is advisory. Nothing may be decided by it but what is shown to a person,
//! and whether a missing result was there once.

use std::fmt;

use glovebox_schemas::job::JobId;
use glovebox_schemas::names::state_key;

use crate::client::Client;
use crate::error::ClientError;
use crate::store::Doing;

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobState {
    /// Where on its way.
    pub phase: Phase,
    /// Which attempt it is, counted from 1, once a runner has it.
    pub attempt: Option<u32>,
    /// Which runner has it, or had it last.
    pub runner: Option<String>,
}

/// Where on its way a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Sent, and not started.
    Queued,
    /// A runner has it.
    Running,
    /// Its result is, or was, there.
    Done,
    /// A word of a newer runner.
    Other(String),
}

impl Phase {
    fn from_word(word: &str) -> Self {
        match word {
            "queued" => Self::Queued,
            "running" => Self::Running,
            "done" => Self::Done,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Other(word) => word,
        })
    }
}

impl Client {
    /// How far a job is; `None` when it is not known, or no longer.
    ///
    /// # Errors
    ///
    /// When Redis fails.
    pub async fn state(&self, id: &JobId) -> Result<Option<JobState>, ClientError> {
        let mut commands = redis::pipe();
        commands.hmget(state_key(id), &["state", "attempt", "runner"]);
        type Fields = (Option<String>, Option<String>, Option<String>);
        let ((phase, attempt, runner),): (Fields,) = self
            .store
            .ask(Doing::of(id, "reading the state"), &commands)
            .await?;
        Ok(phase.map(|word| JobState {
            phase: Phase::from_word(&word),
            attempt: attempt.and_then(|number| number.parse().ok()),
            runner,
        }))
    }
}
