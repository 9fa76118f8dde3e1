//! The store of a process that runs jobs without a queue: each result goes to whoever waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use glovebox_schemas::job::JobId;
use glovebox_schemas::result::JobResult;

use crate::embedded::Echo;

/// Keeps results until they are taken.
#[derive(Clone)]
pub(crate) struct MemoryStore {
    results: Arc<Mutex<HashMap<JobId, JobResult>>>,
    echo: Echo,
}

impl MemoryStore {
    pub(crate) fn new(echo: Echo) -> MemoryStore {
        MemoryStore {
            results: Arc::default(),
            echo,
        }
    }

    pub(super) fn put(&self, result: &JobResult) {
        let mut kept = self.kept();
        kept.entry(result.id.clone())
            .or_insert_with(|| result.clone());
    }

    pub(super) fn echo(&self, stream: &'static str, chunk: &[u8]) {
        (self.echo)(stream, chunk);
    }

    /// The result of a process that has run one job, once.
    pub(crate) fn take(&self) -> Option<JobResult> {
        let mut kept = self.kept();
        let id = kept.keys().next().cloned()?;
        kept.remove(&id)
    }

    /// The result of this job, once.
    pub(crate) fn take_of(&self, id: &JobId) -> Option<JobResult> {
        self.kept().remove(id)
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<JobId, JobResult>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
