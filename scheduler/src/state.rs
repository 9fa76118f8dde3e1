//! How far a job is: `glovebox:state:<id>`, a hash that client and runner write.
//!
//! It is advisory. Nothing may be decided by it but what is shown to a person,
//! whether a missing result was there once, and whether a job has begun.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{runner_key, state_key};
use glovebox_schemas::result::Attempt;
use jiff::Timestamp;

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
    /// Since when it is queued or running, by the clock of whoever said so.
    pub since: Option<Timestamp>,
    /// It is running, and nothing is heard of its runner any more. RabbitMQ
    /// delivers it again, unless the runner comes back.
    pub is_lost: bool,
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
    pub(crate) fn from_word(word: &str) -> Self {
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

/// All that is written of a job. A field that cannot be read counts as absent.
pub(crate) struct Record(pub(crate) HashMap<String, String>);

impl Record {
    pub(crate) fn phase(&self) -> Option<Phase> {
        self.text("state").map(Phase::from_word)
    }

    pub(crate) fn attempt(&self) -> Option<u32> {
        self.parsed("attempt")
    }

    pub(crate) fn enqueued_at(&self) -> Option<Timestamp> {
        self.time("enqueued_at")
    }

    /// The attempts that came to nothing.
    pub(crate) fn history(&self) -> Vec<Attempt> {
        let history = self.text("history");
        history
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default()
    }

    /// The job's own, where its client has written it down.
    pub(crate) fn metadata(&self) -> BTreeMap<String, String> {
        let metadata = self.text("metadata");
        metadata
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default()
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }

    fn parsed<T: FromStr>(&self, field: &str) -> Option<T> {
        self.text(field)?.parse().ok()
    }

    fn time(&self, field: &str) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.parsed(field)?).ok()
    }
}

impl Client {
    /// How far a job is; `None` when it is not known, or no longer.
    ///
    /// # Errors
    ///
    /// When Redis fails.
    pub async fn state(&self, id: &JobId) -> Result<Option<JobState>, ClientError> {
        let record = self.record(id).await?;
        match record.phase() {
            Some(phase) => self.judge(id, &record, phase).await.map(Some),
            None => Ok(None),
        }
    }

    pub(crate) async fn record(&self, id: &JobId) -> Result<Record, ClientError> {
        let mut commands = redis::pipe();
        commands.hgetall(state_key(id));
        let doing = Doing::of(id, "reading the state");
        let (fields,) = self.store.ask(doing, &commands).await?;
        Ok(Record(fields))
    }

    /// What a record says of a job that is in this phase.
    pub(crate) async fn judge(
        &self,
        id: &JobId,
        record: &Record,
        phase: Phase,
    ) -> Result<JobState, ClientError> {
        let runner = record.text("runner");
        let since = match phase {
            Phase::Queued => record.enqueued_at(),
            Phase::Running => record.time("since"),
            Phase::Done | Phase::Other(_) => None,
        };
        let is_lost = match (&phase, runner) {
            (Phase::Running, Some(runner)) => {
                !self.lives(id, runner, record.text("instance")).await?
            }
            _ => false,
        };
        Ok(JobState {
            phase,
            attempt: record.attempt(),
            runner: runner.map(str::to_owned),
            since,
            is_lost,
        })
    }

    /// Whether a runner is heard of, and is still the process that began the
    /// job. Runners of the release before this one did not write which they are.
    async fn lives(
        &self,
        id: &JobId,
        runner: &str,
        instance: Option<&str>,
    ) -> Result<bool, ClientError> {
        let mut commands = redis::pipe();
        commands.hmget(runner_key(runner), &["seen_at", "instance"]);
        let doing = Doing::of(id, "looking for the runner");
        type Heartbeat = (Option<String>, Option<String>);
        let ((seen_at, heard),): (Heartbeat,) = self.store.ask(doing, &commands).await?;
        Ok(seen_at.is_some() && instance.is_none_or(|begun_by| heard.as_deref() == Some(begun_by)))
    }
}
