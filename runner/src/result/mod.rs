//! Results: where they go, and what is written of a job before it has one.
//!
//! [`redis`] is the only room on the worker's side that knows redis. Must never overwrite a result:
//! the first one stands.

mod letter;
mod memory;
mod redis;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::names::MAX_ATTEMPTS;
use glovebox_schemas::result::{Attempt, JobResult};

pub(crate) use self::letter::Letter;
pub(crate) use self::memory::MemoryStore;
pub use self::redis::Durability;
pub(crate) use self::redis::RedisStore;
use crate::cancel::Registration;
use crate::message::Delivery;
use crate::spool::Spool;
use crate::workshop::Witness;

/// Where results go.
pub(crate) enum Store {
    /// To Redis, keyed by job id, through a spool for the time that it is away.
    Redis(RedisStore, Spool),
    /// To whoever runs jobs in this process.
    Witness(Arc<dyn Witness>),
}

/// What was known of a job when it was to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// It may: it is written that it runs here.
    Begun(Begun),
    /// It has a result already.
    Done,
    /// Its owner has cancelled it.
    Cancelled,
    /// Every attempt that it had ended with the death of its runner, or without a cell.
    Deadly(Begun),
    /// It failed for a reason that was not its own, and is to be left alone for so long.
    Later(Duration),
    /// A runner that lives has it.
    Elsewhere,
    /// Its tenant has as many running as it may.
    Limited,
    /// Nobody knows: the store is away.
    Away,
}

/// The question whether a job may start.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    id: &'a JobId,
    tenant: &'a str,
    /// The tenant's own queue, if it came by that.
    route: Option<&'a str>,
    /// Whether it may if it may have killed an earlier runner.
    suspect: bool,
    /// Whether it runs already, unasked.
    runs: bool,
}

impl<'a> Asked<'a> {
    fn of(job: &'a Job, delivery: &'a Delivery) -> Asked<'a> {
        let is_own = delivery.route != delivery.lane() && !delivery.is_among_others(&job.tenant);
        Asked {
            id: &job.id,
            tenant: &job.tenant,
            route: is_own.then_some(delivery.route.as_str()),
            suspect: false,
            runs: false,
        }
    }
}

/// An attempt that begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Begun {
    /// Those before it.
    pub(crate) earlier: Vec<Attempt>,
}

impl Begun {
    /// Which it is, from 1.
    pub(crate) fn number(&self) -> u32 {
        u32::try_from(self.earlier.len()).map_or(u32::MAX, |earlier| earlier.saturating_add(1))
    }

    /// Whether it may be what made an earlier attempt fail.
    pub(crate) fn is_suspect(&self) -> bool {
        self.failures() > 0
    }

    fn failures(&self) -> usize {
        let failed = |one: &&Attempt| one.ended != GIVEN_BACK;
        self.earlier.iter().filter(failed).count()
    }

    /// Whether nobody will try again when this attempt fails. One that was given back by a runner that stopped has
    /// not failed.
    pub(crate) fn is_last(&self) -> bool {
        self.failures() + 1 >= MAX_ATTEMPTS as usize
    }
}

/// What a job that is done may still be owed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Owed {
    /// Its callback was sent on its way.
    Nothing,
    /// A callback with this result.
    Callback(Box<JobResult>),
    /// A callback with a result that has expired, or that a stranger has made unusable.
    Lost,
}

/// How an attempt ended whose runner stopped.
pub(crate) const GIVEN_BACK: &str = "given_back";

/// What became of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is the job's result.
    Stored,
    /// The job has another one, which stands.
    Other,
    /// The job was taken over by a runner that lives and runs it now: that one's will be its result.
    Elsewhere,
}

impl Store {
    /// Looks whether the job may start, and if so writes that it runs here. One that may have killed an earlier runner
    /// starts only if `suspect` allows that.
    pub(crate) async fn begin(&self, job: &Job, delivery: &Delivery, suspect: bool) -> Before {
        let asked = Asked::of(job, delivery);
        match self {
            Store::Redis(store, _) => store.begin(&Asked { suspect, ..asked }).await,
            Store::Witness(witness) => {
                witness.begun(&job.id);
                Before::Begun(Begun::default())
            }
        }
    }

    /// Waits until the store is there again.
    pub(crate) async fn back(&self) {
        if let Store::Redis(store, _) = self {
            store.back().await;
        }
    }

    /// Waits until the store is away.
    pub(crate) async fn gone(&self) {
        match self {
            Store::Redis(store, _) => store.gone().await,
            Store::Witness(_) => std::future::pending().await,
        }
    }

    /// For a job that was started unasked: writes that it runs here as soon as the store is there, and ends it if
    /// it turns out that it must not.
    pub(crate) async fn write_later(
        &self,
        job: &Job,
        delivery: &Delivery,
        registration: &Registration,
    ) -> Infallible {
        if let Store::Redis(store, _) = self
            && registration.is_unwritten()
        {
            let asked = Asked::of(job, delivery);
            let asked = Asked {
                runs: true,
                ..asked
            };
            store
                .write_later(&asked, delivery.session, registration)
                .await;
        }
        std::future::pending().await
    }

    /// Says that the job does not run here any more, and how that came. If it can't be said, the next runner finds
    /// out by itself.
    pub(crate) async fn release(&self, job: &Job, ended: &str) {
        if let Store::Redis(store, _) = self {
            store.release(&job.id, &job.tenant, ended).await;
        }
    }

    /// Makes the result durable, and counts what it used for its tenant. Returns only when it is, or never will be.
    /// `held` is how many bytes besides the result are held until then.
    pub(crate) async fn put(&self, result: &JobResult, tenant: &str, held: u64) -> Fate {
        match self {
            Store::Redis(store, spool) => {
                let letter = Letter::new(result, tenant, store.instance());
                spool.put(letter, held).await
            }
            Store::Witness(witness) => {
                witness.done(result.clone());
                Fate::Stored
            }
        }
    }

    /// What the job, which is done, may still be owed. Returns only when the store has said so.
    pub(crate) async fn owed(&self, id: &JobId, tenant: &str) -> Owed {
        match self {
            Store::Redis(store, _) => store.owed(id, tenant).await,
            Store::Witness(_) => Owed::Nothing,
        }
    }

    /// Notes that nothing is owed. If it can't be noted, the job's next delivery has the callback sent again.
    pub(crate) async fn called_back(&self, id: &JobId) {
        if let Store::Redis(store, _) = self {
            store.called_back(id).await;
        }
    }

    /// Where the job's output goes while it runs, if it asked for that.
    pub(crate) fn tap(&self, job: &Job) -> Option<Tap> {
        let tap = match self {
            Store::Redis(store, _) => Tap::Redis(store.clone(), job.id.clone()),
            Store::Witness(witness) => Tap::Witness(Arc::clone(witness), job.id.clone()),
        };
        job.stream.then_some(tap)
    }
}

/// The way of one job's live output.
#[derive(Clone)]
pub(crate) enum Tap {
    Redis(RedisStore, JobId),
    Witness(Arc<dyn Witness>, JobId),
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
            Tap::Witness(witness, id) => witness.output(id, self.stream, chunk),
        }
    }
}
