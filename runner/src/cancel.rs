//! Cancellation of running jobs, by id.
//!
//! Must never hold an id longer than its job runs: a later job of the same id is another one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use glovebox_schemas::job::JobId;
use tokio_util::sync::CancellationToken;

/// The jobs that run here now.
#[derive(Clone, Default)]
pub(crate) struct Cancellations {
    running: Arc<Mutex<HashMap<JobId, CancellationToken>>>,
    /// Every job is to be given back.
    interrupted: CancellationToken,
}

/// One running job's ear; forgets the id when dropped.
pub(crate) struct Registration {
    cancellations: Cancellations,
    id: JobId,
    pub(crate) cancelled: CancellationToken,
    pub(crate) interrupted: CancellationToken,
}

impl Cancellations {
    pub(crate) fn register(&self, id: &JobId) -> Registration {
        let cancelled = CancellationToken::new();
        self.lock().insert(id.clone(), cancelled.clone());
        Registration {
            cancellations: self.clone(),
            id: id.clone(),
            cancelled,
            interrupted: self.interrupted.clone(),
        }
    }

    /// Whether a job of this id was running here.
    pub(crate) fn cancel(&self, id: &JobId) -> bool {
        let token = self.lock().get(id).cloned();
        token.is_some_and(|token| {
            token.cancel();
            true
        })
    }

    /// Cancels every job that runs here.
    pub(crate) fn cancel_all(&self) {
        for token in self.lock().values() {
            token.cancel();
        }
    }

    /// Ends every job, for it to be given back.
    pub(crate) fn interrupt_all(&self) {
        self.interrupted.cancel();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<JobId, CancellationToken>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.cancellations.lock().remove(&self.id);
    }
}
