//! A bad network: a relay on 127.0.0.1 between a server and whoever speaks to it, which loses, delays, closes and
//! forgets as it is told, while connections are open.
//!
//! It has a thread of its own: a test that blocks while it waits for a server or a runner must not stop the network.
//! Must never lose bytes and then pass later ones on: TCP does not either.

mod connection;
mod pump;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use crate::services::place;

/// How bytes travel in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// At once.
    Pass,
    /// Not at all. They arrive, in order, once this is over, if their connection still stands: packets that are
    /// lost are sent again.
    Hold,
    /// That much later.
    Delay(Duration),
    /// That many bytes a second.
    Trickle(usize),
}

/// What becomes of new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// They reach the server.
    Open,
    /// They are reset at once.
    Shut,
    /// They stand, and nobody answers.
    Mute,
}

/// What becomes of the connections that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Cut,
    Reset,
    Forgotten,
}

/// The relay. When it is dropped, its connections are cut.
#[derive(Debug)]
pub struct Relay {
    url: String,
    orders: Arc<Orders>,
    // Taken on drop.
    runtime: Option<Runtime>,
}

/// What each connection listens to, and where it is counted.
#[derive(Debug)]
struct Orders {
    /// Of the server.
    place: String,
    to_server: watch::Sender<Flow>,
    to_client: watch::Sender<Flow>,
    door: watch::Sender<Door>,
    fate: watch::Sender<Fate>,
    made: Mutex<Vec<Instant>>,
    open: AtomicUsize,
    /// Half open, as far as their clients know.
    forgotten: AtomicUsize,
}

impl Orders {
    fn made(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Relay {
    /// Starts one before the server at this URL. It passes everything on.
    ///
    /// # Errors
    ///
    /// When the URL names no host and port, or nothing can be listened on.
    pub fn start(server_url: &str) -> anyhow::Result<Self> {
        let place = place(server_url).with_context(|| format!("no place in {server_url}"))?;
        let orders = Arc::new(Orders {
            place: place.to_owned(),
            to_server: watch::Sender::new(Flow::Pass),
            to_client: watch::Sender::new(Flow::Pass),
            door: watch::Sender::new(Door::Open),
            fate: watch::Sender::new(Fate::Cut),
            made: Mutex::default(),
            open: AtomicUsize::new(0),
            forgotten: AtomicUsize::new(0),
        });
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let here: SocketAddr = listener.local_addr()?;
        let listener = {
            let _here = runtime.enter();
            TcpListener::from_std(listener)?
        };
        runtime.spawn(listen(listener, Arc::clone(&orders)));
        Ok(Self {
            url: server_url.replacen(place, &here.to_string(), 1),
            orders,
            runtime: Some(runtime),
        })
    }

    /// The server's URL with the relay's place in it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on bytes travel so in both directions.
    pub fn both(&self, flow: Flow) {
        self.to_server(flow);
        self.to_client(flow);
    }

    /// From now on bytes travel so to the server.
    pub fn to_server(&self, flow: Flow) {
        self.orders.to_server.send_replace(flow);
    }

    /// From now on bytes travel so from the server.
    pub fn to_client(&self, flow: Flow) {
        self.orders.to_client.send_replace(flow);
    }

    /// From now on this becomes of new connections.
    pub fn door(&self, door: Door) {
        self.orders.door.send_replace(door);
    }

    /// Everything as it was at first.
    pub fn mend(&self) {
        self.both(Flow::Pass);
        self.door(Door::Open);
    }

    /// Closes every open connection, to both sides.
    pub fn cut(&self) {
        self.orders.fate.send_replace(Fate::Cut);
    }

    /// Resets every open connection, to both sides.
    pub fn reset(&self) {
        self.orders.fate.send_replace(Fate::Reset);
    }

    /// Nothing travels on the open connections any more, and neither side is told: they are half open.
    pub fn forget(&self) {
        self.orders.fate.send_replace(Fate::Forgotten);
    }

    /// How many connections were asked for so far.
    #[must_use]
    pub fn made(&self) -> usize {
        self.orders.made().len()
    }

    /// When each was.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Instant> {
        self.orders.made().clone()
    }

    /// How many that were forgotten their clients have not given up.
    #[must_use]
    pub fn forgotten(&self) -> usize {
        self.orders.forgotten.load(Ordering::Relaxed)
    }

    /// How many are open now, forgotten ones included.
    #[must_use]
    pub fn open(&self) -> usize {
        self.orders.open.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Not awaited: a test's own runtime may be the one that drops this.
            runtime.shutdown_background();
        }
    }
}

async fn listen(listener: TcpListener, orders: Arc<Orders>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                orders.made().push(Instant::now());
                tokio::spawn(connection::carry(client, Arc::clone(&orders)));
            }
            // Out of descriptors: those that are open will end.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
