//! The keeper of one job's gate: lets in what comes by its doors, a bounded number at a time, and ends it all.
//!
//! Everything that is done for a job is a task of its keeper. Must never start one otherwise: what it does not
//! know of, it can't end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::dial::Dialer;
use crate::ledger::{Account, Ledger, Permit, Place};
use crate::policy::Policy;
use crate::resolve::{AT_ONCE as LOOKUPS, Lookup, Resolver};
use crate::{http, socks};

/// A job's connections at one time; more wait in the door's backlog. Each needs two descriptors.
const AT_ONCE: usize = 64;
/// After a descriptor could not be had, so that others may give theirs back.
const BREATH: Duration = Duration::from_millis(50);

/// How long the gate waits for others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For a job to say what it wants.
    pub(crate) head: Duration,
    /// For the resolver.
    pub(crate) lookup: Duration,
    /// For a host to accept.
    pub(crate) connect: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            head: Duration::from_secs(10),
            lookup: Duration::from_secs(5),
            connect: Duration::from_secs(10),
        }
    }
}

pub(crate) struct Keeper {
    pub(crate) policy: Policy,
    pub(crate) patience: Patience,
    pub(crate) dialer: Dialer,
    pub(crate) ledger: Arc<Ledger>,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    closing: CancellationToken,
}

impl Keeper {
    pub(crate) fn new(
        policy: Policy,
        patience: Patience,
        lookup: Lookup,
        permit: Permit,
        closing: CancellationToken,
    ) -> Keeper {
        Keeper {
            ledger: Arc::new(Ledger::new(policy.connections, policy.bytes, permit)),
            policy,
            patience,
            dialer: Dialer::new(patience, Resolver::new(lookup, LOOKUPS)),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            tasks: TaskTracker::new(),
            closing,
        }
    }

    /// Starts what ends at the latest when the gate is closed for this job.
    pub(crate) fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let closing = self.closing.clone();
        self.tasks.spawn(async move {
            // What it was in the middle of is dropped with it.
            closing.run_until_cancelled(task).await.unwrap_or_default();
        });
    }

    /// Waits until nothing is left of what was done for the job.
    pub(crate) async fn closed(&self) -> Account {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.ledger.account()
    }

    /// Lets in, for as long as the gate is open and the job does not flood it.
    pub(crate) async fn attend(self: Arc<Self>, http: TcpListener, socks: TcpListener) {
        for _ in 0..self.ledger.most_answers() {
            let Ok(place) = self.places.clone().acquire_owned().await else {
                return;
            };
            let place: Place = Arc::new(place);
            tokio::select! {
                came = http.accept() => match came {
                    Ok(_) if self.ledger.is_flooded() => return,
                    Ok((stream, _)) => self.spawn(http::serve(self.clone(), greet(stream), place)),
                    Err(error) => pause(&error).await,
                },
                came = socks.accept() => match came {
                    Ok(_) if self.ledger.is_flooded() => return,
                    Ok((stream, _)) => self.spawn(socks::serve(self.clone(), greet(stream), place)),
                    Err(error) => pause(&error).await,
                },
            }
        }
    }
}

fn greet(stream: TcpStream) -> TcpStream {
    // A socket that is gone already says so when it is used.
    stream.set_nodelay(true).unwrap_or_default();
    stream
}

async fn pause(error: &std::io::Error) {
    tracing::debug!(%error, "a job's connection could not be accepted");
    tokio::time::sleep(BREATH).await;
}
