//! Jobs without any service: the same pipeline, a queue of one and a store in memory.
//!
//! Must never differ from the fleet in what it says of a job.

mod many;

use std::sync::Arc;

use glovebox_cell::{Layer, Link};
use glovebox_schemas::job::JobId;
use glovebox_schemas::result::JobResult;
use tokio::signal::unix::{SignalKind, signal};

pub use self::many::{Many, run_many};
use crate::Languages;
use crate::cancel::{Cancellations, Registration};
use crate::launch::{Cells, LaunchError, Slot};
use crate::result::MemoryStore;
use crate::workshop::Workshop;

/// Takes a job's output as it comes: the stream's name and a chunk of it.
pub type Echo = Arc<dyn Fn(&'static str, &[u8]) + Send + Sync>;

/// Why a job could not be run here.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// This host can't isolate.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The runtime itself.
    #[error("starting the runtime")]
    Runtime(#[source] std::io::Error),
    /// Whoever wants the results takes no more.
    #[error("writing the results")]
    Output(#[source] std::io::Error),
    /// The document has no id, so that there is nothing to give a result to.
    #[error("the job has no id and is no job")]
    NoResult,
}

/// Runs the job document `body` and gives its result, with the layers that were in force. Its tests share `slots`, which
/// are the warden's. A job with `stream` set has its output passed to `echo` as it comes. SIGINT and SIGTERM cancel the
/// job.
///
/// # Errors
/// When this host can't isolate as asked.
pub fn run_one(
    link: Link,
    languages: Languages,
    slots: u16,
    body: Vec<u8>,
    echo: Echo,
) -> Result<(JobResult, Vec<Layer>), EmbeddedError> {
    block_on(async {
        let store = MemoryStore::new(echo);
        let workshop = Workshop::open(link, languages, slots, Arc::clone(&store) as _).await?;
        cancellable(workshop.handle(body), || workshop.cancel_all()).await?;
        let result = store.take().ok_or(EmbeddedError::NoResult)?;
        Ok((result, workshop.layers().to_vec()))
    })
}

/// Runs one job document after the other in the same slot; `each` gets the result of each, and whether it came from a
/// template.
///
/// # Errors
/// When this host can't isolate as asked.
pub fn run_each(
    link: Link,
    languages: Languages,
    bodies: impl Iterator<Item = Vec<u8>>,
    mut each: impl FnMut(JobResult, bool),
) -> Result<(), EmbeddedError> {
    block_on(async {
        let store = MemoryStore::new(Arc::new(|_, _| {}));
        let workshop = Workshop::open(link, languages, 1, Arc::clone(&store) as _).await?;
        for body in bodies {
            let (before, _) = workshop.warmth();
            cancellable(workshop.handle(body), || workshop.cancel_all()).await?;
            let (after, _) = workshop.warmth();
            each(store.take().ok_or(EmbeddedError::NoResult)?, after > before);
        }
        Ok(())
    })
}

/// Runs a future in a runtime of its own, within this thread.
pub(crate) fn block_on<T>(
    future: impl Future<Output = Result<T, EmbeddedError>>,
) -> Result<T, EmbeddedError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(EmbeddedError::Runtime)?
        .block_on(future)
}

/// Does `work` in the only slot of a process that has one job. SIGINT and SIGTERM cancel what runs there.
pub(crate) async fn alone<T>(
    link: Link,
    id: &JobId,
    work: impl AsyncFnOnce(&Cells, &Slot, &Registration) -> Result<T, LaunchError>,
) -> Result<T, EmbeddedError> {
    let cells = Cells::open(link, 1, &[], |_| {}).await?;
    let cancellations = Cancellations::default();
    let registration = cancellations.register(id).await;
    let registration = registration.ok_or(EmbeddedError::NoResult)?;
    let place = cells.queue.place("", "");
    let slot = cells.take_slot(&place, &registration).await;
    let slot = slot.map_err(|_| EmbeddedError::NoResult)?;
    let done = work(&cells, &slot, &registration);
    Ok(cancellable(done, || cancellations.cancel_all()).await??)
}

/// Finishes `future`; SIGINT and SIGTERM `cancel` what it runs, and it is waited for all the same.
async fn cancellable<T>(
    future: impl Future<Output = T>,
    cancel: impl FnOnce(),
) -> Result<T, EmbeddedError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(EmbeddedError::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(EmbeddedError::Runtime)?;
    tokio::pin!(future);
    tokio::select! {
        done = &mut future => return Ok(done),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    cancel();
    Ok(future.await)
}
