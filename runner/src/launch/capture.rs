//! The program's standard streams: fed, read, bounded.
//!
//! Must never keep more of a stream than its limit, and never stop reading before the pipe's end: a
//! full pipe would hold a program that is about to end.

use std::io::Write as _;
use std::os::fd::OwnedFd;

use nix::fcntl::OFlag;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::sync::Notify;

use super::{LaunchError, io};
use crate::result::StreamTap;

/// How the two streams are called in a job's output stream.
pub(crate) const STDOUT: &str = "stdout";
pub(crate) const STDERR: &str = "stderr";

/// Read at one time; the size of a pipe's buffer (pipe(7)).
const CHUNK: usize = 64 * 1024;

/// Where the beginning of a stream is kept, and how many bytes of it.
#[derive(Debug)]
pub(crate) enum Keep {
    /// In memory, for the result.
    Memory(u64),
    /// In a file that is open for writing.
    File(std::fs::File, u64),
}

/// One stream as far as it was kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Captured {
    pub(crate) bytes: Vec<u8>,
    pub(crate) truncated: bool,
    /// Whether what was within the limit was not kept whole, since all runs of the job printed too much together.
    pub(crate) cut: bool,
}

impl Captured {
    /// Keeps no more than there is room for.
    pub(super) fn fit(&mut self, room: &mut usize) {
        if self.bytes.len() > *room {
            self.cut = true;
            self.bytes.truncate(*room);
            self.bytes.shrink_to_fit();
        }
        *room -= self.bytes.len();
    }
}

/// A pipe that the program writes to: our end, its end.
pub(super) fn pipe() -> Result<(pipe::Receiver, OwnedFd), LaunchError> {
    let failed = io("making a pipe");
    let (ours, theirs) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(|e| failed(e.into()))?;
    let ours = pipe::Receiver::from_owned_fd(ours).map_err(failed)?;
    Ok((ours, theirs))
}

/// What the program reads, and our end of it if there is anything to write.
pub(super) fn stdin(content: &[u8]) -> Result<(OwnedFd, Option<pipe::Sender>), LaunchError> {
    let failed = io("making a pipe for stdin");
    let (theirs, ours) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(|e| failed(e.into()))?;
    if content.is_empty() {
        // Our end closes here: the program reads end-of-file at once.
        return Ok((theirs, None));
    }
    let ours = pipe::Sender::from_owned_fd(ours).map_err(failed)?;
    Ok((theirs, Some(ours)))
}

/// Writes stdin. A program that does not read it to the end is no error.
pub(super) async fn feed(sender: Option<pipe::Sender>, content: &[u8]) {
    if let Some(mut sender) = sender
        && let Err(error) = sender.write_all(content).await
    {
        tracing::trace!(%error, "the program did not read all of its stdin");
    }
}

/// Reads a stream to its end, keeps the beginning of it, and says when it is more.
pub(super) async fn read(
    mut receiver: pipe::Receiver,
    keep: &Keep,
    tap: Option<StreamTap>,
    flooded: &Notify,
) -> Captured {
    let mut captured = Captured::default();
    let mut room = match keep {
        Keep::Memory(most) | Keep::File(_, most) => usize::try_from(*most).unwrap_or(usize::MAX),
    };
    let mut chunk = vec![0u8; CHUNK];
    loop {
        let length = match receiver.read(&mut chunk).await {
            Ok(0) => return captured,
            Ok(length) => length,
            Err(error) => {
                tracing::warn!(%error, "a stream of the program could not be read to its end");
                captured.truncated = true;
                return captured;
            }
        };
        let kept = chunk.get(..length.min(room)).unwrap_or_default();
        match keep {
            Keep::Memory(_) => captured.bytes.extend_from_slice(kept),
            Keep::File(file, _) => {
                if let Err(error) = (&mut &*file).write_all(kept) {
                    tracing::error!(%error, "what the program prints could not be written down");
                    captured.truncated = true;
                    flooded.notify_one();
                }
            }
        }
        if let Some(tap) = &tap
            && !kept.is_empty()
        {
            tap.send(kept).await;
        }
        if length > room && !captured.truncated {
            captured.truncated = true;
            flooded.notify_one();
        }
        room -= kept.len();
    }
}
