//! The line to the warden: requests out, events in, and the next warden when one has died.
//!
//! Must never block the runtime, and never let a caller wait for a cell whose warden is gone.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use glovebox_cell::protocol::{self, Event, Request};
use glovebox_cell::{Evidence, KillReason, Layer, Link, WorkerError};
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::sync::{oneshot, watch};

use super::{LaunchError, io, lend};

/// How long a launch waits for a warden that is to be started anew; then the job is given back.
const WARDEN_WITHIN: Duration = Duration::from_secs(10);

type Answer = Result<Ended, LaunchError>;
type DoorFds = [OwnedFd; 2];

/// A cell that has ended.
pub(crate) struct Ended {
    pub(crate) evidence: Evidence,
    /// Whether it came from a template.
    pub(crate) warm: bool,
}

/// How often the warden is told that this process runs.
const ALIVE_EVERY: Duration = Duration::from_millis(500);

/// The way to whichever warden lives.
pub(crate) struct Line {
    shared: Arc<Shared>,
}

struct Shared {
    /// `None` between the death of one warden and the birth of the next.
    socket: watch::Sender<Option<Arc<UnixDatagram>>>,
    waiting: Mutex<HashMap<u64, Waiting>>,
}

/// Who waits for a cell: for its end, and until then for the sockets of its network.
struct Waiting {
    ended: oneshot::Sender<Answer>,
    doors: Option<oneshot::Sender<DoorFds>>,
}

/// A cell that was asked for.
pub(crate) struct CellHandle {
    ended: oneshot::Receiver<Answer>,
    doors: oneshot::Receiver<DoorFds>,
}

impl CellHandle {
    /// Waits for the sockets of the cell's network, which come before the cell itself: the HTTP proxy's and
    /// the SOCKS proxy's. `None` if it was not made.
    pub(crate) async fn doors(&mut self) -> Option<DoorFds> {
        (&mut self.doors).await.ok()
    }

    /// Waits until the cell is gone, or was never made.
    pub(crate) async fn ended(&mut self) -> Answer {
        (&mut self.ended)
            .await
            .unwrap_or(Err(LaunchError::WardenDied))
    }
}

impl Line {
    /// Waits until the first warden says that it can make cells.
    pub(crate) async fn open(link: Link) -> Result<(Line, Vec<Layer>), LaunchError> {
        let link = watch_socket(link.into_socket())?;
        let (socket, layers) = next_warden(&link).await?;
        let shared = Arc::new(Shared {
            socket: watch::Sender::new(Some(Arc::clone(&socket))),
            waiting: Mutex::default(),
        });
        tokio::spawn(Arc::clone(&shared).listen(link, socket));
        Ok((Line { shared }, layers))
    }

    /// Asks for a cell.
    pub(crate) async fn launch(
        &self,
        slot: u16,
        ticket: u64,
        launch_bytes: u64,
        beside: &[&OwnedFd],
    ) -> Result<CellHandle, LaunchError> {
        let (answer, ended) = oneshot::channel();
        let (sockets, doors) = oneshot::channel();
        let waiting = Waiting {
            ended: answer,
            doors: Some(sockets),
        };
        self.shared.lock().insert(ticket, waiting);
        let request = Request::Launch {
            slot,
            ticket,
            launch_bytes,
        };
        let sent = self.shared.send(&request, &lend(beside)).await;
        if sent.is_err() {
            self.shared.lock().remove(&ticket);
        }
        sent.map(|()| CellHandle { ended, doors })
    }

    /// Says that this process runs, again and again: when it is frozen instead, the warden ends its cells.
    pub(crate) async fn stay_alive(&self) {
        let mut ticks = tokio::time::interval(ALIVE_EVERY);
        let mut sockets = self.shared.socket.subscribe();
        // The first one is there already.
        sockets.mark_changed();
        loop {
            // Each warden is told at once: it counts from the first word on.
            let is_new = tokio::select! {
                _ = ticks.tick() => false,
                changed = sockets.changed() => changed.is_ok(),
            };
            let socket = sockets.borrow_and_update().clone();
            let has_cells = !self.shared.lock().is_empty();
            // A warden that is gone has no cells.
            if let Some(socket) = socket.filter(|_| is_new || has_cells) {
                protocol::send(socket.as_fd(), &Request::Alive, &[]).unwrap_or_default();
            }
        }
    }

    /// Ends a cell before its time. If the warden is gone, so is the cell.
    pub(crate) async fn kill(&self, slot: u16, ticket: u64, reason: KillReason) {
        let request = Request::Kill {
            slot,
            ticket,
            reason,
        };
        if let Err(error) = self.shared.send(&request, &[]).await {
            tracing::warn!(%error, slot, "a cell to be killed went with its warden");
        }
    }
}

impl Shared {
    async fn send(&self, request: &Request, beside: &[BorrowedFd<'_>]) -> Result<(), LaunchError> {
        let mut sockets = self.socket.subscribe();
        let socket = tokio::time::timeout(WARDEN_WITHIN, sockets.wait_for(Option::is_some))
            .await
            .ok()
            .and_then(|socket| socket.ok()?.clone())
            .ok_or(LaunchError::WardenDied)?;
        socket
            .async_io(Interest::WRITABLE, || {
                protocol::send(socket.as_fd(), request, beside).map_err(std::io::Error::from)
            })
            .await
            .map_err(|_| LaunchError::WardenDied)
    }

    /// Receives events for ever, from one warden after the other.
    async fn listen(self: Arc<Self>, link: UnixDatagram, mut socket: Arc<UnixDatagram>) {
        loop {
            self.listen_to(&socket).await;
            self.socket.send_replace(None);
            self.abandon_all();
            tracing::error!("the warden died; waiting for the next one");
            socket = loop {
                match next_warden(&link).await {
                    Ok((next, _)) => break next,
                    // The supervisor is gone, and takes this process along.
                    Err(error @ LaunchError::Io { .. }) => {
                        return tracing::error!(%error, "there will be no other warden");
                    }
                    Err(error) => tracing::error!(%error, "the next warden can't work"),
                }
            };
            tracing::info!("the next warden is ready");
            self.socket.send_replace(Some(Arc::clone(&socket)));
        }
    }

    async fn listen_to(&self, socket: &UnixDatagram) {
        while let Ok(Some((event, descriptors))) = receive(socket).await {
            let (ticket, answer) = match event {
                Event::Ended {
                    ticket,
                    evidence,
                    warm,
                } => (ticket, Ok(Ended { evidence, warm })),
                Event::Cold { name, reason } => {
                    tracing::warn!(profile = name, reason, "nothing warm for now");
                    continue;
                }
                Event::Failed {
                    ticket,
                    step,
                    errno,
                } => (ticket, Err(LaunchError::Step { step, errno })),
                Event::Doors { ticket } => {
                    self.hand_over_doors(ticket, descriptors);
                    continue;
                }
                Event::Ready { .. } | Event::Unable { .. } => continue,
            };
            if let Some(waiting) = self.lock().remove(&ticket) {
                // A caller that has given up does not need the answer.
                waiting.ended.send(answer).unwrap_or_default();
            }
        }
    }

    fn hand_over_doors(&self, ticket: u64, descriptors: Vec<OwnedFd>) {
        let mut waiting = self.lock();
        let doors = waiting
            .get_mut(&ticket)
            .and_then(|waiting| waiting.doors.take());
        if let (Some(doors), Ok(sockets)) = (doors, <DoorFds>::try_from(descriptors)) {
            // A caller without a use for them closes them.
            doors.send(sockets).map_err(drop).unwrap_or_default();
        }
    }

    fn abandon_all(&self) {
        for (_, waiting) in self.lock().drain() {
            waiting
                .ended
                .send(Err(LaunchError::WardenDied))
                .unwrap_or_default();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn receive(socket: &UnixDatagram) -> std::io::Result<Option<(Event, Vec<OwnedFd>)>> {
    socket
        .async_io(Interest::READABLE, || {
            protocol::receive(socket.as_fd()).map_err(std::io::Error::from)
        })
        .await
}

/// The socket of the next warden, once it says that it can make cells.
async fn next_warden(link: &UnixDatagram) -> Result<(Arc<UnixDatagram>, Vec<Layer>), LaunchError> {
    let socket = link
        .async_io(Interest::READABLE, || {
            Link::next_warden(link.as_fd()).map_err(|error| match error {
                WorkerError::Line(errno) => errno.into(),
                error @ WorkerError::Orphaned => std::io::Error::other(error),
            })
        })
        .await
        .map_err(io("waiting for a warden"))?;
    let socket = watch_socket(socket)?;
    match receive(&socket).await {
        Ok(Some((Event::Ready { layers }, _))) => Ok((Arc::new(socket), layers)),
        Ok(Some((Event::Unable { message, mend }, _))) => {
            Err(LaunchError::Unable { message, mend })
        }
        _ => Err(LaunchError::WardenDied),
    }
}

/// Both sockets keep packets apart as datagram sockets do, so that tokio's type for those serves to
/// wait on them; what is sent and received goes through [`protocol`].
fn watch_socket(socket: OwnedFd) -> Result<UnixDatagram, LaunchError> {
    let failed = io("watching a socket of the warden's");
    let socket = std::os::unix::net::UnixDatagram::from(socket);
    socket.set_nonblocking(true).map_err(&failed)?;
    UnixDatagram::from_std(socket).map_err(failed)
}
