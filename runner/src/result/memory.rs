//! The store of a process that runs one job: the result goes to whoever waits for it.

use std::sync::{Arc, Mutex, PoisonError};

use glovebox_schemas::result::JobResult;

use crate::embedded::Echo;

/// Keeps one result.
#[derive(Clone)]
pub(crate) struct MemoryStore {
    result: Arc<Mutex<Option<JobResult>>>,
    echo: Echo,
}

impl MemoryStore {
    pub(crate) fn new(echo: Echo) -> MemoryStore {
        MemoryStore {
            result: Arc::default(),
            echo,
        }
    }

    pub(super) fn put(&self, result: &JobResult) {
        let mut kept = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get_or_insert_with(|| result.clone());
    }

    pub(super) fn echo(&self, stream: &'static str, chunk: &[u8]) {
        (self.echo)(stream, chunk);
    }

    /// The result, once.
    pub(crate) fn take(&self) -> Option<JobResult> {
        self.result
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}
