//! Results: where they go, and what is written of a job before it has one.
//!
//! [`redis`] is the only room on the worker's side that knows redis. Must never overwrite a result:
//! the first one stands.

mod memory;
mod redis;

use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::result::JobResult;

pub(crate) use self::memory::MemoryStore;
pub(crate) use self::redis::RedisStore;
use crate::message::Delivery;

/// Where results go.
pub(crate) enum Store {
    /// To Redis, keyed by job id.
    Redis(RedisStore),
    /// To whoever started the one job of this process.
    Memory(MemoryStore),
}

/// What was known of a job when it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing: it may start.
    New,
    /// It has a result already.
    Done,
    /// Its owner has cancelled it.
    Cancelled,
    /// This is its last delivery, and whoever had it before died with it.
    Deadly,
}

impl Store {
    /// Looks whether the job may start, and if so says that it runs here. Waits for as long as the
    /// store is away: without it, nobody knows whether the job has run.
    pub(crate) async fn begin(&self, job: &Job, delivery: &Delivery, runner: &str) -> Before {
        match self {
            Store::Redis(store) => {
                let last = delivery.is_last_attempt();
                store.begin(&job.id, delivery.attempt, last, runner).await
            }
            Store::Memory(_) => Before::New,
        }
    }

    /// Says that the job does not run here any more. If that can't be said, the next runner finds it
    /// out by itself.
    pub(crate) async fn release(&self, id: &JobId) {
        if let Store::Redis(store) = self {
            store.release(id).await;
        }
    }

    /// Makes the result durable. Returns only when it is.
    pub(crate) async fn put(&self, result: &JobResult) {
        match self {
            Store::Redis(store) => store.put(result).await,
            Store::Memory(store) => store.put(result),
        }
    }

    /// Where the job's output goes while it runs, if it asked for that.
    pub(crate) fn tap(&self, job: &Job) -> Option<Tap> {
        let tap = match self {
            Store::Redis(store) => Tap::Redis(store.clone(), job.id.clone()),
            Store::Memory(store) => Tap::Memory(store.clone()),
        };
        job.stream.then_some(tap)
    }
}

/// The way of one job's live output.
#[derive(Clone)]
pub(crate) enum Tap {
    Redis(RedisStore, JobId),
    Memory(MemoryStore),
}

/// The way of one of its streams.
pub(crate) struct StreamTap {
    tap: Tap,
    stream: &'static str,
}

impl Tap {
    /// The tap of the stream called so.
    pub(crate) fn of(self, stream: &'static str) -> StreamTap {
        StreamTap { tap: self, stream }
    }
}

impl StreamTap {
    /// Passes a chunk on. Live output is a convenience: what can't be passed on is in the result.
    pub(crate) async fn send(&self, chunk: &[u8]) {
        match &self.tap {
            Tap::Redis(store, id) => store.stream(id, self.stream, chunk).await,
            Tap::Memory(store) => store.echo(self.stream, chunk),
        }
    }
}
