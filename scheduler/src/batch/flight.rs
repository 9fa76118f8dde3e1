//! A job between its submission and its end.
//!
//! It must never keep a result: that stays in Redis until its turn has come.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use glovebox_broker::Retry;
use glovebox_schemas::job::JobId;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::client::Client;
use crate::listening::Ear;
use crate::wait::LOOK_AGAIN;

/// One wait of many.
pub(super) const WAIT: Duration = Duration::from_secs(3600);

/// The jobs that were sent, or are being sent, and have not ended.
#[derive(Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<HashSet<JobId>>>);

impl InFlight {
    pub(super) fn enter(&self, id: &JobId) {
        self.lock().insert(id.clone());
    }

    pub(super) fn ids(&self) -> Vec<JobId> {
        self.lock().iter().cloned().collect()
    }

    fn leave(&self, id: &JobId) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<JobId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that was taken. Not followed any longer when this is dropped, but not cancelled either.
pub(super) struct Flight {
    pub(super) id: JobId,
    following: AbortOnDropHandle<()>,
}

impl Flight {
    /// Holds a place in the window until the job ends. `ear` has listened since before it was sent; one without has ended.
    pub(super) fn follow(
        client: Arc<Client>,
        id: JobId,
        ear: Option<Ear>,
        place: OwnedSemaphorePermit,
        all: InFlight,
    ) -> Self {
        let followed = id.clone();
        let following = async move {
            if let Some(ear) = ear {
                end(&client, &followed, ear).await;
            }
            all.leave(&followed);
            drop(place);
        };
        Self {
            id,
            following: AbortOnDropHandle::new(tokio::spawn(following)),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.following.is_finished()
    }

    /// Returns when the job has ended, as far as can be heard: whoever fetches its result finds out whether it has.
    pub(super) async fn end(&mut self) {
        // It neither panics nor is it stopped while this is here.
        (&mut self.following).await.unwrap_or_default();
    }
}

async fn end(client: &Client, id: &JobId, mut ear: Ear) {
    if matches!(timeout(LOOK_AGAIN, ear.told()).await, Ok(true)) {
        return;
    }
    // It takes its time, or the connection is gone: from here on as any other waiter.
    let mut retry = Retry::for_servers();
    loop {
        match client.wait(id, WAIT).await {
            Ok(None) => {}
            Err(error) if error.is_temporary() => sleep(retry.next_delay()).await,
            Ok(Some(_)) | Err(_) => return,
        }
    }
}
