//! The jobs that are here now, by id: each at most once, and each with an ear for its owner's wish to
//! cancel it, for the runner's own stop, and for the loss of the claim to it.
//!
//! Must never hold an id longer than its job is here: a later job of the same id is another one.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use glovebox_gate::Permit;
use glovebox_schemas::job::JobId;
use tokio_util::sync::CancellationToken;

use crate::lease::{Claim, Lease};

/// Cancellations of jobs that are not here, kept for those that start while Redis can't be asked.
const REMEMBERED: usize = 65_536;

/// The jobs that are here now.
#[derive(Clone, Default)]
pub(crate) struct Cancellations {
    /// What entitles us to run jobs; without one every job is ours.
    lease: Option<Arc<Lease>>,
    here: Arc<Mutex<HashMap<JobId, Entry>>>,
    remembered: Arc<Mutex<Remembered>>,
    /// Nothing new is to be started.
    stopping: CancellationToken,
    /// What runs is to be given back.
    interrupted: CancellationToken,
}

#[derive(Clone, Default)]
struct Entry {
    cancelled: CancellationToken,
    /// It may be somebody else's.
    lost: CancellationToken,
    gone: CancellationToken,
    /// What entitles us to run it, once it runs.
    claim: Option<Claim>,
}

#[derive(Default)]
struct Remembered {
    order: VecDeque<JobId>,
    ids: HashSet<JobId>,
}

/// One job's place among those that are here; forgets it when dropped.
pub(crate) struct Registration {
    cancellations: Cancellations,
    id: JobId,
    entry: Entry,
}

impl Cancellations {
    /// Of jobs that are ours for as long as the lease says so.
    pub(crate) fn under(lease: Arc<Lease>) -> Cancellations {
        Cancellations {
            lease: Some(lease),
            ..Cancellations::default()
        }
    }

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

    /// Whether a job of this id was here; it is cancelled. One that is not may still be in the queue.
    pub(crate) fn cancel(&self, id: &JobId) -> bool {
        let entry = self.lock().get(id).cloned();
        match entry {
            Some(entry) => entry.cancelled.cancel(),
            None => self.remembered().add(id.clone()),
        }
        self.lock().contains_key(id)
    }

    /// Whether an earlier cancellation of a job is remembered.
    pub(crate) fn was_cancelled(&self, id: &JobId) -> bool {
        self.remembered().ids.contains(id)
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

    /// Those that are here.
    pub(crate) fn ids(&self) -> Vec<JobId> {
        self.lock().keys().cloned().collect()
    }

    /// Those that run here, as Redis knows.
    pub(crate) fn written(&self) -> Vec<JobId> {
        let here = self.lock();
        let written = here
            .iter()
            .filter(|(_, entry)| entry.claim.is_some_and(|claim| claim.written));
        written.map(|(id, _)| id.clone()).collect()
    }

    /// Ends a job that runs here and has turned out to be another runner's.
    pub(crate) fn lose(&self, id: &JobId) {
        if let Some(entry) = self.lock().get(id)
            && entry.claim.is_some()
            && !entry.lost.is_cancelled()
        {
            tracing::warn!(job = %id, "another runner has taken it over: it is ended here");
            entry.lost.cancel();
        }
    }

    /// Ends every job that runs here and is not surely ours any more.
    pub(crate) fn end_lost(&self) {
        for (id, entry) in &*self.lock() {
            if !self.holds(entry) && !entry.lost.is_cancelled() {
                tracing::warn!(job = %id, "its message and the lease are lost: it is ended, since it may run elsewhere");
                entry.lost.cancel();
            }
        }
    }

    fn holds(&self, entry: &Entry) -> bool {
        match (&self.lease, entry.claim) {
            (Some(lease), Some(claim)) => lease.holds(claim),
            _ => true,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Entry>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn add(&mut self, id: JobId) {
        if !self.ids.insert(id.clone()) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }
}

impl Registration {
    /// The owner does not want the job any more.
    pub(crate) async fn cancelled(&self) {
        self.entry.cancelled.cancelled().await;
    }

    /// Whether that is so already.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.entry.cancelled.is_cancelled()
    }

    /// Cancels it.
    pub(crate) fn cancel(&self) {
        self.entry.cancelled.cancel();
    }

    /// The job is not to be started any more.
    pub(crate) async fn stopping(&self) {
        self.cancellations.stopping.cancelled().await;
    }

    /// The job is to be ended and given back.
    pub(crate) async fn interrupted(&self) {
        tokio::select! {
            () = self.cancellations.interrupted.cancelled() => {}
            () = self.entry.lost.cancelled() => {}
        }
    }

    /// From here on it runs, for as long as the claim holds.
    pub(crate) fn claim(&self, claim: Claim) {
        if let Some(entry) = self.cancellations.lock().get_mut(&self.id) {
            entry.claim = Some(claim);
        }
    }

    /// Whether it runs without Redis knowing.
    pub(crate) fn is_unwritten(&self) -> bool {
        let here = self.cancellations.lock();
        let claim = here.get(&self.id).and_then(|entry| entry.claim);
        claim.is_some_and(|claim| !claim.written)
    }

    /// For the gate: whether it is still ours.
    pub(crate) fn permit(&self) -> Permit {
        let (cancellations, id) = (self.cancellations.clone(), self.id.clone());
        Permit::new(move || {
            let entry = cancellations.lock().get(&id).cloned();
            entry.is_some_and(|entry| cancellations.holds(&entry))
        })
    }

    /// It does not run any more.
    pub(crate) fn unclaim(&self) {
        if let Some(entry) = self.cancellations.lock().get_mut(&self.id) {
            entry.claim = None;
        }
    }

    /// It is another runner's.
    pub(crate) fn lose(&self) {
        self.entry.lost.cancel();
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
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
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

    #[tokio::test(flavor = "current_thread")]
    async fn a_cancellation_that_came_too_early_is_remembered_for_a_while() {
        let cancellations = Cancellations::default();
        let id = JobId::new_v7();
        assert!(!cancellations.cancel(&id));
        assert!(cancellations.was_cancelled(&id));
        for _ in 0..REMEMBERED {
            cancellations.cancel(&JobId::new_v7());
        }
        assert!(!cancellations.was_cancelled(&id));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_runs_without_a_claim_that_holds_is_ended() {
        let lease = Arc::new(Lease::new("a".into()));
        let cancellations = Cancellations::under(Arc::clone(&lease));
        let session = lease.next_session();
        let job = cancellations.register(&JobId::new_v7()).await.unwrap();
        let waits = cancellations.register(&JobId::new_v7()).await.unwrap();
        job.claim(Claim {
            session,
            written: false,
        });
        let permit = job.permit();
        assert!(permit.holds());
        cancellations.end_lost();
        assert!(job.interrupted().now_or_never().is_none());
        lease.session_lost();
        assert!(!permit.holds());
        cancellations.end_lost();
        assert!(job.interrupted().now_or_never().is_some());
        assert!(
            waits.interrupted().now_or_never().is_none(),
            "it does not run"
        );
    }
}
