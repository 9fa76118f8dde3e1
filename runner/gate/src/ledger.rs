//! What a job did with the network: each connection it asked for, and what is left of its limits.
//!
//! Must never grow with what a job does: after so many connections it only counts.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

use crate::verdict::Verdict;

/// One connection that a job asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The host in its one spelling; escaped, where it is none; empty, where the job named none.
    pub host: String,
    /// The port; 0 where the job named none.
    pub port: u16,
    /// The address that was connected to, if the gate knows it.
    pub address: Option<IpAddr>,
    /// Bytes from the job to the host.
    pub bytes_sent: u64,
    /// Bytes from the host to the job.
    pub bytes_received: u64,
    /// What became of it.
    pub verdict: Verdict,
}

/// All that a job did with the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Its first connections, in the order in which it asked for them.
    pub connections: Vec<Connection>,
    /// How many more there were.
    pub unlisted: u64,
}

/// So many connections are written down.
const LISTED: u64 = 1_000;

/// So many connections beyond its limit a job is told that it is over; then the gate closes.
pub(crate) const PATIENCE: u64 = 1_000;

/// A place among a job's connections at one time; shared by all that one of them needs.
pub(crate) type Place = Arc<OwnedSemaphorePermit>;

/// Asked before each byte goes out or comes in: whether the job is still to have a network. One that may have been
/// begun elsewhere is not.
#[derive(Clone)]
pub struct Permit(Arc<dyn Fn() -> bool + Send + Sync>);

impl Permit {
    /// For as long as `holds` says so. It is asked often, and must not wait.
    #[must_use]
    pub fn new(holds: impl Fn() -> bool + Send + Sync + 'static) -> Permit {
        Permit(Arc::new(holds))
    }

    /// Whether it holds now.
    #[must_use]
    pub fn holds(&self) -> bool {
        (self.0)()
    }

    /// For as long as the job runs.
    #[must_use]
    pub fn always() -> Permit {
        Permit::new(|| true)
    }
}

/// The books of one job.
pub(crate) struct Ledger {
    permit: Permit,
    connections: u64,
    begun: AtomicU64,
    bytes_left: AtomicU64,
    ended: Mutex<Vec<(u64, Connection)>>,
}

impl Ledger {
    pub(crate) fn new(connections: u32, bytes: u64, permit: Permit) -> Ledger {
        Ledger {
            permit,
            connections: connections.into(),
            begun: AtomicU64::new(0),
            bytes_left: AtomicU64::new(bytes),
            ended: Mutex::default(),
        }
    }

    /// Opens an entry; it is written down when the last share of it is dropped.
    pub(crate) fn visit(self: &Arc<Self>, place: &Place, host: String, port: u16) -> Arc<Visit> {
        Arc::new(Visit {
            number: self.begun.fetch_add(1, Ordering::Relaxed),
            ledger: self.clone(),
            connection: Mutex::new(Connection {
                host,
                port,
                address: None,
                bytes_sent: 0,
                bytes_received: 0,
                verdict: Verdict::Allowed,
            }),
            _place: place.clone(),
        })
    }

    /// Takes from the job's bytes, as many as are left and at most `wanted`; none without a permit.
    pub(crate) fn take(&self, wanted: usize) -> usize {
        if !self.permit.holds() {
            return 0;
        }
        let take = |left: u64| left.checked_sub(left.min(wanted as u64));
        let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
        let left = self.bytes_left.fetch_update(set, get, take);
        let left = left.unwrap_or_default();
        usize::try_from(left).unwrap_or(usize::MAX).min(wanted)
    }

    /// Gives back what was taken and not used.
    pub(crate) fn give_back(&self, unused: usize) {
        self.bytes_left.fetch_add(unused as u64, Ordering::Relaxed);
    }

    /// Whether the job was told often enough that it has no connections left. Answering costs the gate time that is not
    /// counted against the job.
    pub(crate) fn is_flooded(&self) -> bool {
        self.begun.load(Ordering::Relaxed) >= self.most_answers()
    }

    /// The most answers that a job gets, and the most connections to the gate itself.
    pub(crate) fn most_answers(&self) -> u64 {
        self.connections + PATIENCE
    }

    /// Everything so far; complete once every entry is dropped.
    pub(crate) fn account(&self) -> Account {
        let mut ended = std::mem::take(&mut *lock(&self.ended));
        ended.sort_unstable_by_key(|(number, _)| *number);
        let connections: Vec<Connection> = ended.into_iter().map(|(_, one)| one).collect();
        let listed = connections.len() as u64;
        Account {
            connections,
            unlisted: self.begun.load(Ordering::Relaxed).saturating_sub(listed),
        }
    }
}

/// An entry that is still written.
pub(crate) struct Visit {
    number: u64,
    ledger: Arc<Ledger>,
    connection: Mutex<Connection>,
    /// Until nothing of it is left, it takes up a place.
    _place: Place,
}

impl Visit {
    /// What the job's limits say to one more connection.
    pub(crate) fn within_limits(&self) -> Result<(), Verdict> {
        if self.number >= self.ledger.connections {
            return Err(Verdict::ConnectionLimit);
        }
        match self.ledger.bytes_left.load(Ordering::Relaxed) {
            0 => Err(Verdict::ByteLimit),
            _ => Ok(()),
        }
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) fn connected_to(&self, address: IpAddr) {
        lock(&self.connection).address = Some(address);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        lock(&self.connection).bytes_sent += bytes as u64;
    }

    pub(crate) fn received(&self, bytes: usize) {
        lock(&self.connection).bytes_received += bytes as u64;
    }

    /// Says how it ended; the first to say so is right.
    pub(crate) fn end(&self, verdict: Verdict) -> Verdict {
        let mut connection = lock(&self.connection);
        if connection.verdict == Verdict::Allowed {
            connection.verdict = verdict;
        }
        connection.verdict
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let connection = lock(&self.connection).clone();
        tracing::debug!(
            host = connection.host,
            port = connection.port,
            verdict = connection.verdict.as_str(),
            bytes_sent = connection.bytes_sent,
            bytes_received = connection.bytes_received,
            "a job's connection has ended"
        );
        if self.number < LISTED {
            lock(&self.ledger.ended).push((self.number, connection));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
