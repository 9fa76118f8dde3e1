//! The mark that says that a job is queued, made before the job is sent.
//!
//! It must never be made of a job that has run: a result that has expired is no
//! reason to run the job again.

use std::sync::LazyLock;

use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::names::{
    DEFAULT_TENANT, STATE_TTL_SECONDS, cancel_key, result_key, state_key,
};
use redis::{Script, ScriptInvocation};

use crate::client::Client;
use crate::error::ClientError;

static MARK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("mark.lua")));
static UNMARK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("unmark.lua")));

/// What was known of an id before it was marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing.
    New,
    /// It was sent before.
    Sent,
    /// It has run, or was cancelled.
    Done,
    /// It is another tenant's.
    Taken,
}

impl Client {
    /// Says that jobs are queued, unless something is said of one already: an id
    /// sent twice may be running.
    pub(crate) async fn mark_queued(
        &self,
        jobs: &[&Job],
        now_ms: u64,
    ) -> Vec<Result<Known, ClientError>> {
        let marks: Vec<_> = jobs
            .iter()
            .map(|job| (&job.id, mark(job, now_ms)))
            .collect();
        let ran = self.store.run_each("writing the state", &MARK, &marks);
        let known = |word: String| match word.as_str() {
            "new" => Known::New,
            "done" => Known::Done,
            "taken" => Known::Taken,
            _ => Known::Sent,
        };
        let ran = ran.await.into_iter();
        ran.map(|said| said.map(known)).collect()
    }

    /// Takes back what [`mark_queued`](Self::mark_queued) said.
    pub(crate) async fn unmark_queued(
        &self,
        ids: &[&JobId],
        now_ms: u64,
    ) -> Result<(), ClientError> {
        let unmarks = ids.iter().map(|id| {
            let mut unmark = UNMARK.key(state_key(id));
            unmark.arg(now_ms);
            (*id, unmark)
        });
        let unmarks: Vec<_> = unmarks.collect();
        let ran = self
            .store
            .run_each("taking back the state", &UNMARK, &unmarks);
        ran.await.into_iter().collect()
    }
}

fn mark(job: &Job, now_ms: u64) -> ScriptInvocation<'static> {
    // For whoever cancels it: the result says what the job said.
    let metadata = match job.metadata.is_empty() {
        true => String::new(),
        false => serde_json::to_string(&job.metadata).unwrap_or_default(),
    };
    let mut mark = MARK.prepare_invoke();
    mark.key(result_key(&job.id))
        .key(state_key(&job.id))
        .key(cancel_key(&job.id))
        .arg(now_ms)
        .arg(STATE_TTL_SECONDS)
        .arg(metadata)
        .arg(&job.tenant)
        .arg(DEFAULT_TENANT);
    mark
}
