//! One connection through the relay, from its accept to whatever ends it.
//!
//! Must never outlive the relay, and never tell one side of the other's end while both are to be left in the dark.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::pump::pump;
use super::{Door, Fate, Orders};

/// Carries one client's bytes to the server and back.
pub(super) async fn carry(client: TcpStream, orders: Arc<Orders>) {
    let _open = Counted::in_(&orders.open);
    let mut fate = orders.fate.subscribe();
    let door = *orders.door.borrow();
    // Whoever it breaks for sees it on its own end.
    let ended = match door {
        Door::Open => through(client, &orders, &mut fate).await,
        Door::Shut => client.set_zero_linger(),
        Door::Mute => alone(client, &mut fate, || ()).await,
    };
    drop(ended);
}

/// Passes on until both sides are done or it is told otherwise.
async fn through(
    mut client: TcpStream,
    orders: &Orders,
    fate: &mut watch::Receiver<Fate>,
) -> io::Result<()> {
    let mut server = match TcpStream::connect(&orders.place).await {
        Ok(server) => server,
        Err(_) => return client.set_zero_linger(),
    };
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let end = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let there = pump(from_client, to_server, orders.to_server.subscribe());
        let back = pump(from_server, to_client, orders.to_client.subscribe());
        tokio::select! {
            passed = async { tokio::try_join!(there, back) } => match passed {
                Ok(_) => Fate::Cut,
                Err(_) => Fate::Reset,
            },
            end = next(fate) => end,
        }
    };
    match end {
        Fate::Cut => {
            client.shutdown().await?;
            server.shutdown().await
        }
        Fate::Reset => {
            client.set_zero_linger()?;
            server.set_zero_linger()
        }
        Fate::Forgotten => {
            let mut same = fate.clone();
            let hopeful = Counted::in_(&orders.forgotten);
            let client = alone(client, &mut same, || drop(hopeful));
            tokio::try_join!(client, alone(server, fate, || ())).map(drop)
        }
    }
}

/// Swallows what one side sends until it is told to end the connection. The side itself can end nothing; `gone` is
/// called when it gives up.
async fn alone(
    mut stream: TcpStream,
    fate: &mut watch::Receiver<Fate>,
    gone: impl FnOnce(),
) -> io::Result<()> {
    let mut bytes = vec![0; 16 << 10];
    let end = loop {
        tokio::select! {
            end = next(fate) => match end {
                Fate::Forgotten => {}
                end => break end,
            },
            read = stream.read(&mut bytes) => if !matches!(read, Ok(1..)) {
                gone();
                break next(fate).await;
            },
        }
    };
    match end {
        Fate::Reset => stream.set_zero_linger(),
        _ => Ok(()),
    }
}

/// The next order. Without anybody to give one, there is none.
async fn next(fate: &mut watch::Receiver<Fate>) -> Fate {
    match fate.changed().await {
        Ok(()) => *fate.borrow_and_update(),
        Err(_) => std::future::pending().await,
    }
}

/// Counts a connection for as long as it is there.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn in_(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
