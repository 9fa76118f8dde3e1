//! Many jobs without any service, several at once, their results in the order in which they came.
//!
//! It must never hold more than a window of jobs, nor pass on a result that only a stop has made.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use glovebox_cell::{Layer, Link};
use glovebox_schemas::job::JobId;
use glovebox_schemas::result::{JobResult, Status};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::{EmbeddedError, block_on};
use crate::Languages;
use crate::result::MemoryStore;
use crate::workshop::Workshop;

/// How many jobs are here for each slot: those that wait for one, and those that have ended before one above them.
const PER_SLOT: usize = 8;
/// How often those that are here are cancelled once it stops.
const CANCEL_EVERY: Duration = Duration::from_millis(100);

/// Where many jobs come from and where their results go.
pub trait Many {
    /// What a job comes as.
    type Item;
    /// Told once what is in force.
    fn layers(&mut self, layers: &[Layer]);
    /// The job's id and its document; `None` if it is not to be run.
    fn job(&self, item: &Self::Item) -> Option<(JobId, Vec<u8>)>;
    /// Told of each item in its turn, with its result if it was run. An error ends everything.
    ///
    /// # Errors
    /// When what comes next would be of no use.
    fn done(&mut self, item: Self::Item, result: Option<JobResult>) -> io::Result<()>;
}

/// Runs the jobs that come, as many at once as there are slots. True when that was all; false when SIGINT or SIGTERM
/// came before: then what ran was cancelled, and has no result.
///
/// # Errors
/// When this host can't isolate as asked, or `many` said so.
pub fn run_many<M: Many>(
    link: Link,
    languages: Languages,
    slots: u16,
    mut items: Receiver<M::Item>,
    many: &mut M,
) -> Result<bool, EmbeddedError> {
    block_on(async {
        let store = MemoryStore::new(Arc::new(|_, _| {}));
        let workshop = Workshop::open(link, languages, slots, Arc::clone(&store) as _).await?;
        many.layers(workshop.layers());
        let mut terminate = signal(SignalKind::terminate()).map_err(EmbeddedError::Runtime)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(EmbeddedError::Runtime)?;
        let most = usize::from(slots) * PER_SLOT;
        let (mut running, mut is_open) = (FuturesOrdered::new(), true);
        while is_open || !running.is_empty() {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                item = items.recv(), if is_open && running.len() < most => match item {
                    Some(item) => {
                        let job = many.job(&item);
                        running.push_back(run(&workshop, &store, item, job));
                    }
                    None => is_open = false,
                },
                Some((item, result)) = running.next() => {
                    many.done(item, result?).map_err(EmbeddedError::Output)?;
                }
            }
        }
        if !is_open && running.is_empty() {
            return Ok(true);
        }
        let mut is_whole = true;
        loop {
            // Again and again: one that was not polled yet is not registered yet.
            workshop.cancel_all();
            let Ok(next) = timeout(CANCEL_EVERY, running.next()).await else {
                continue;
            };
            let Some((item, result)) = next else { break };
            let result = result?;
            is_whole &= result
                .as_ref()
                .is_none_or(|it| it.status != Status::Cancelled);
            if is_whole {
                many.done(item, result).map_err(EmbeddedError::Output)?;
            }
        }
        Ok(false)
    })
}

async fn run<T>(
    workshop: &Workshop,
    store: &MemoryStore,
    item: T,
    job: Option<(JobId, Vec<u8>)>,
) -> (T, Result<Option<JobResult>, EmbeddedError>) {
    let Some((id, body)) = job else {
        return (item, Ok(None));
    };
    workshop.handle(body).await;
    let result = store.take_of(&id).ok_or(EmbeddedError::NoResult);
    (item, result.map(Some))
}
