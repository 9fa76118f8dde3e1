//! What lapin runs on: tokio, over a stream that is connected already.
//!
//! lapin's own TLS is not used: it brings a hundred crates along, most of them
//! to read key stores, and its runtime fixes the type of the stream. This is
//! tokio's with another type; it must never connect by itself.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_util::io::{AsyncRead, AsyncWrite};
use tokio_util::compat::Compat;

use crate::transport::Stream;

pub(super) type OverStream = RuntimeParts<Tokio, TokioOverStream>;

/// tokio's clock, and our stream.
#[derive(Debug, Clone)]
pub(super) struct TokioOverStream(Tokio);

/// The tokio runtime of the caller.
pub(super) fn current() -> Runtime<OverStream> {
    let tokio = Tokio::current();
    Runtime::new(RuntimeParts::new(tokio.clone(), TokioOverStream(tokio)))
}

impl Reactor for TokioOverStream {
    type TcpStream = Compat<Stream>;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.0.register(socket)
    }

    fn sleep(&self, dur: Duration) -> Self::Sleep {
        self.0.sleep(dur)
    }

    fn interval(
        &self,
        dur: Duration,
    ) -> impl futures_util::Stream<Item = Instant> + Send + 'static {
        self.0.interval(dur)
    }

    fn tcp_connect_addr(
        &self,
        _: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        std::future::ready(Err(io::ErrorKind::Unsupported.into()))
    }
}
