//! The jobs that are here now, by id: each at most once, and each with an ear for its owner's wish to
//! cancel it and for the runner's own stop.
//!
//! Must never hold an id longer than its job is here: a later job of the same id is another one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use glovebox_schemas::job::JobId;
use tokio_util::sync::CancellationToken;

/// The jobs that are here now.
#[derive(Clone, Default)]
pub(crate) struct Cancellations {
    here: Arc<Mutex<HashMap<JobId, Entry>>>,
    /// Nothing new is to be started.
    stopping: CancellationToken,
    /// What runs is to be given back.
    interrupted: CancellationToken,
}

#[derive(Clone, Default)]
struct Entry {
    cancelled: CancellationToken,
    gone: CancellationToken,
}

/// One job's place among those that are here; forgets it when dropped.
pub(crate) struct Registration {
    cancellations: Cancellations,
    id: JobId,
    entry: Entry,
}

impl Cancellations {
    /// Registers a job. While one of the same id is here, waits for its end: a message may come twice,
    /// and the second finds the first one's result. `None` when the runner is to stop.
    pub(crate) async fn register(&self, id: &JobId) -> Option<Registration> {
        loop {
            let entry = Entry::default();
            let earlier = {
                let mut here = self.lock();
                match here.get(id) {
                    Some(earlier) => earlier.gone.clone(),
                    None => {
                        here.insert(id.clone(), entry.clone());
                        return Some(Registration {
                            cancellations: self.clone(),
                            id: id.clone(),
                            entry,
                        });
                    }
                }
            };
            tokio::select! {
                () = earlier.cancelled() => {}
                () = self.stopping.cancelled() => return None,
            }
        }
    }

    /// Whether a job of this id was here; it is cancelled.
    pub(crate) fn cancel(&self, id: &JobId) -> bool {
        let entry = self.lock().get(id).cloned();
        entry.is_some_and(|entry| {
            entry.cancelled.cancel();
            true
        })
    }

    /// Cancels every job that is here.
    pub(crate) fn cancel_all(&self) {
        for entry in self.lock().values() {
            entry.cancelled.cancel();
        }
    }

    /// From here on nothing is started; what runs goes on.
    pub(crate) fn stop(&self) {
        self.stopping.cancel();
    }

    /// Ends every job, for it to be given back.
    pub(crate) fn interrupt_all(&self) {
        self.interrupted.cancel();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<JobId, Entry>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registration {
    /// The owner does not want the job any more.
    pub(crate) async fn cancelled(&self) {
        self.entry.cancelled.cancelled().await;
    }

    /// The job is not to be started any more.
    pub(crate) async fn stopping(&self) {
        self.cancellations.stopping.cancelled().await;
    }

    /// The job is to be ended and given back.
    pub(crate) async fn interrupted(&self) {
        self.cancellations.interrupted.cancelled().await;
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.cancellations.lock().remove(&self.id);
        self.entry.gone.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test(flavor = "current_thread")]
    async fn an_id_is_here_once_and_the_second_waits_for_the_first() {
        let cancellations = Cancellations::default();
        let id = JobId::new_v7();
        let first = cancellations.register(&id).await;
        let mut second = std::pin::pin!(cancellations.register(&id));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        assert!(second.await.is_some());
        assert!(!cancellations.cancel(&id), "both are gone");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn whoever_waits_is_sent_home_when_the_runner_stops() {
        let cancellations = Cancellations::default();
        let id = JobId::new_v7();
        let _first = cancellations.register(&id).await;
        cancellations.stop();
        assert!(cancellations.register(&id).await.is_none());
    }
}
