//! Whether anything new is to be taken from the queue, and if not, why.
//!
//! Must never be closed for good: whoever closes it opens it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// Why nothing new is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Redis is away, and no more results can wait for it.
    SpoolFull,
    /// A cell could not be built.
    Unhealthy,
}

/// How long whoever closes it waits for the intake to have noticed. Without a connection nothing is taken either.
const OBEYED_WITHIN: Duration = Duration::from_secs(5);

/// Open unless there is a reason.
#[derive(Clone)]
pub(crate) struct Valve {
    reasons: Arc<watch::Sender<Vec<Reason>>>,
    obeyed: Arc<watch::Sender<bool>>,
}

impl Valve {
    pub(crate) fn new() -> Valve {
        Valve {
            reasons: Arc::new(watch::Sender::new(Vec::new())),
            obeyed: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Adds a reason; false if it was there.
    pub(crate) fn close(&self, reason: Reason) -> bool {
        self.reasons.send_if_modified(|reasons| {
            let is_new = !reasons.contains(&reason);
            if is_new {
                if reasons.is_empty() {
                    self.obeyed.send_replace(false);
                }
                reasons.push(reason);
            }
            is_new
        })
    }

    /// Takes a reason away; false if it was not there.
    pub(crate) fn open(&self, reason: Reason) -> bool {
        self.reasons.send_if_modified(|reasons| {
            let before = reasons.len();
            reasons.retain(|one| *one != reason);
            reasons.len() != before
        })
    }

    /// Whether it is closed for this reason, perhaps among others.
    pub(crate) fn is_closed_for(&self, reason: Reason) -> bool {
        self.reasons.borrow().contains(&reason)
    }

    /// Why it is closed, if it is.
    pub(crate) fn reason(&self) -> Option<Reason> {
        self.reasons.borrow().first().copied()
    }

    /// The intake takes nothing any more.
    pub(crate) fn obeyed(&self) {
        self.obeyed.send_replace(true);
    }

    /// Waits until the intake takes nothing any more: what is given back now comes to somebody else.
    pub(crate) async fn is_obeyed(&self) {
        let mut obeyed = self.obeyed.subscribe();
        let waited = tokio::time::timeout(OBEYED_WITHIN, obeyed.wait_for(|obeyed| *obeyed));
        // Late or not: what follows is the same.
        drop(waited.await);
    }

    /// For waiting until that changes.
    pub(crate) fn watch(&self) -> watch::Receiver<Vec<Reason>> {
        self.reasons.subscribe()
    }
}
