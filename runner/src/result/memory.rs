//! The store of a process that runs jobs without a queue: each result goes to whoever waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use glovebox_schemas::job::JobId;
use glovebox_schemas::result::JobResult;

use crate::embedded::Echo;
use crate::workshop::Witness;

/// Keeps results until they are taken.
pub(crate) struct MemoryStore {
    results: Mutex<HashMap<JobId, JobResult>>,
    echo: Echo,
}

impl MemoryStore {
    pub(crate) fn new(echo: Echo) -> Arc<MemoryStore> {
        Arc::new(MemoryStore {
            results: Mutex::default(),
            echo,
        })
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

impl Witness for MemoryStore {
    fn begun(&self, _: &JobId) {}

    fn output(&self, _: &JobId, stream: &'static str, chunk: &[u8]) {
        (self.echo)(stream, chunk);
    }

    fn done(&self, result: JobResult) {
        self.kept().entry(result.id.clone()).or_insert(result);
    }
}
