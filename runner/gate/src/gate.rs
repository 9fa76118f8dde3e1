//! The gate's thread, and a job's passage through it.
//!
//! A thread and a runtime of its own: a job that floods its connections costs other jobs' connections time,
//! and the runner's own business none.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::keeper::{Keeper, Patience};
use crate::ledger::{Account, Permit};
use crate::policy::Policy;
use crate::resolve::{self, Lookup};

/// Threads for lookups, of all jobs.
const LOOKUPS: usize = 128;

/// A job's listening sockets, made inside of its network namespace.
#[derive(Debug)]
pub struct Doors {
    /// Where an HTTP proxy is expected.
    pub http: OwnedFd,
    /// Where a SOCKS5 server is expected.
    pub socks: OwnedFd,
}

/// The way out for all jobs of a runner; closed for all of them when dropped.
#[derive(Debug)]
pub struct Gate {
    handle: Handle,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// One job's way out, until it is closed or dropped.
pub struct Passage {
    keeper: Arc<Keeper>,
    _open: DropGuard,
}

impl Gate {
    /// Starts the gate's thread.
    ///
    /// # Errors
    /// When a thread or a runtime can't be had.
    pub fn start() -> io::Result<Gate> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(LOOKUPS)
            .build()?;
        let handle = runtime.handle().clone();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let serve = move || {
            runtime.block_on(stopped.cancelled());
            // A lookup under way has nobody to answer to any more, and may take its time.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new()
            .name("gate".to_owned())
            .spawn(serve)?;
        Ok(Gate {
            handle,
            stop,
            thread: Some(thread),
        })
    }

    /// Opens the gate for what comes in by a job's doors.
    ///
    /// # Errors
    /// When a door is no listening socket.
    pub fn open(&self, doors: Doors, policy: Policy, permit: Permit) -> io::Result<Passage> {
        let patience = Patience::default();
        self.open_with(doors, policy, permit, patience, resolve::system())
    }

    pub(crate) fn open_with(
        &self,
        doors: Doors,
        policy: Policy,
        permit: Permit,
        patience: Patience,
        lookup: Lookup,
    ) -> io::Result<Passage> {
        let _runtime = self.handle.enter();
        let (http, socks) = (listener(doors.http)?, listener(doors.socks)?);
        let closing = CancellationToken::new();
        let keeper = Arc::new(Keeper::new(
            policy,
            patience,
            lookup,
            permit,
            closing.clone(),
        ));
        keeper.spawn(keeper.clone().attend(http, socks));
        Ok(Passage {
            keeper,
            _open: closing.drop_guard(),
        })
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the gate's thread panicked");
        }
    }
}

impl Passage {
    /// Closes the doors, cuts what is open, and tells what there was. May be called from any runtime.
    pub async fn close(self) -> Account {
        self.keeper.closed().await
    }
}

fn listener(door: OwnedFd) -> io::Result<tokio::net::TcpListener> {
    let door = TcpListener::from(door);
    door.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(door)
}
