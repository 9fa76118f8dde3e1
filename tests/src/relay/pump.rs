//! One direction of one connection: reads, waits as it is told, writes.
//!
//! Must never read on while bytes are held: the sender's own buffers have to fill up, as they would.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::Flow;

const CHUNK: usize = 16 << 10;
/// What may be on its way at one time.
const CHUNKS: usize = 64;
/// How often a trickle drips.
const DRIP: Duration = Duration::from_millis(20);

/// A chunk and when it may arrive.
type Due = (Instant, Vec<u8>);

/// Passes bytes on until the sender closes, and then closes.
pub(super) async fn pump(
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    flow: watch::Receiver<Flow>,
) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    tokio::try_join!(
        take(from, sender, flow.clone()),
        give(to, receiver, flow.clone())
    )
    .map(drop)
}

async fn take(
    mut from: ReadHalf<'_>,
    sender: mpsc::Sender<Due>,
    mut flow: watch::Receiver<Flow>,
) -> io::Result<()> {
    let mut bytes = vec![0; CHUNK];
    loop {
        moving(&mut flow).await?;
        let read = from.read(&mut bytes).await?;
        let delay = match *flow.borrow() {
            Flow::Delay(delay) => delay,
            _ => Duration::ZERO,
        };
        let due = (Instant::now() + delay, bytes[..read].to_vec());
        if read == 0 || sender.send(due).await.is_err() {
            return Ok(());
        }
    }
}

async fn give(
    mut to: WriteHalf<'_>,
    mut receiver: mpsc::Receiver<Due>,
    mut flow: watch::Receiver<Flow>,
) -> io::Result<()> {
    while let Some((due, bytes)) = receiver.recv().await {
        sleep_until(due).await;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (now, later) = match moving(&mut flow).await? {
                Flow::Trickle(rate) => rest.split_at(rest.len().min(drop_of(rate))),
                _ => (rest, &[][..]),
            };
            to.write_all(now).await?;
            if !later.is_empty() || matches!(*flow.borrow(), Flow::Trickle(_)) {
                sleep(DRIP).await;
            }
            rest = later;
        }
    }
    moving(&mut flow).await?;
    to.shutdown().await
}

/// How many bytes of a trickle go at once.
fn drop_of(rate: usize) -> usize {
    (rate / 50).max(1)
}

/// Waits until bytes move, and gives how.
async fn moving(flow: &mut watch::Receiver<Flow>) -> io::Result<Flow> {
    let moving = flow.wait_for(|flow| *flow != Flow::Hold).await;
    moving.map(|flow| *flow).map_err(io::Error::other)
}
