//! A connection to the outside on which every byte is counted, and which breaks when the job's bytes are
//! used up.
//!
//! Must never pass a byte on that it did not count.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use crate::ledger::Visit;
use crate::verdict::Verdict;

/// Each way of a tunnel: enough to be fast, and not more, for a job may have many tunnels.
const TUNNEL_BYTES: usize = 128 * 1024;

/// The outside's end of a job's connection.
pub(crate) struct Metered {
    stream: TcpStream,
    /// What came in with an upstream's answer.
    early: Bytes,
    visit: Arc<Visit>,
    /// Bytes came in that the job may not have: the next read breaks it.
    is_cut: bool,
}

impl Metered {
    pub(crate) fn new(stream: TcpStream, early: Bytes, visit: Arc<Visit>) -> Metered {
        Metered {
            stream,
            early,
            visit,
            is_cut: false,
        }
    }

    /// The connection is over, now.
    fn used_up(&self) -> io::Error {
        self.visit.end(Verdict::ByteLimit);
        io::Error::other("the job's bytes are used up")
    }

    fn poll_raw(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let early = self.early.split_to(self.early.len().min(buf.remaining()));
        buf.put_slice(&early);
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_cut {
            return Poll::Ready(Err(self.used_up()));
        }
        let before = buf.filled().len();
        ready!(self.poll_raw(cx, buf))?;
        let read = buf.filled().len() - before;
        let granted = self.visit.ledger().take(read);
        self.visit.received(granted);
        buf.set_filled(before + granted);
        self.is_cut = granted < read;
        match granted {
            0 if read > 0 => Poll::Ready(Err(self.used_up())),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let granted = self.visit.ledger().take(buf.len());
        if granted == 0 && !buf.is_empty() {
            return Poll::Ready(Err(self.used_up()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, &buf[..granted]);
        let passed = match &written {
            Poll::Ready(Ok(passed)) => *passed,
            _ => 0,
        };
        self.visit.ledger().give_back(granted - passed);
        self.visit.sent(passed);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Passes bytes both ways until both ends have no more, or one breaks. `early` is what the job sent before
/// it was told that it may.
pub(crate) async fn tunnel(mut job: TcpStream, early: Bytes, mut outside: Metered) {
    let passed = async {
        outside.write_all(&early).await?;
        tokio::io::copy_bidirectional_with_sizes(&mut job, &mut outside, TUNNEL_BYTES, TUNNEL_BYTES)
            .await
    };
    if let Err(error) = passed.await {
        tracing::debug!(%error, "a tunnel broke");
    }
}
