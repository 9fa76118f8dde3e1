//! The way to a server's port: a socket, with TLS around it or not.
//!
//! RabbitMQ and Redis are both reached through here, so that what is trusted,
//! and what is said when it is not, is the same for both. It must never send a
//! byte of a login before the certificate has been checked.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::{BrokerError, Service};
use crate::tls;

/// For the question whether a port would rather have TLS, or none.
const PROBE_WITHIN: Duration = Duration::from_secs(2);

/// What a connection carries, without its TLS.
pub(crate) type Stream = Box<dyn Bytes>;

/// Both ways at once.
pub(crate) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Bytes for S {}

/// A connection, and its socket for whoever wants to end it from outside.
pub(crate) struct Connected {
    pub(crate) stream: Stream,
    pub(crate) socket: OwnedFd,
}

#[derive(Clone)]
pub(crate) enum Address {
    /// A name, or an IP address without brackets, and a port.
    Tcp(String, u16),
    Unix(PathBuf),
}

/// One port of one server.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) service: Service,
    /// Its URL without the password.
    pub(crate) at: String,
    pub(crate) address: Address,
    pub(crate) tls: bool,
}

impl Place {
    /// Connects within `limit`; with TLS, to somebody whose certificate is in order.
    pub(crate) async fn connect(&self, limit: Duration) -> Result<Connected, BrokerError> {
        let deadline = Instant::now() + limit;
        let (host, port) = match &self.address {
            Address::Tcp(host, port) => (host.as_str(), *port),
            Address::Unix(path) => {
                let (stream, socket) = self.reach(deadline, UnixStream::connect(path)).await?;
                let stream = Box::new(stream);
                return Ok(Connected { stream, socket });
            }
        };
        let (stream, socket) = self.reach(deadline, tcp(host, port)).await?;
        if !self.tls {
            let stream = Box::new(stream);
            return Ok(Connected { stream, socket });
        }
        let handshake = tls::wrap(stream, host, tls::trusted()?);
        match timeout_at(deadline, handshake).await {
            Ok(Ok(stream)) => {
                let stream = Box::new(stream);
                Ok(Connected { stream, socket })
            }
            Ok(Err(error)) => Err(tls::refused(self, error)),
            Err(_) if self.service != Service::RabbitMq && speaks_plainly(host, port).await => {
                let (service, at) = (self.service, self.at.clone());
                Err(BrokerError::NoTls { service, at })
            }
            Err(_) => Err(self.silent(limit)),
        }
    }

    async fn reach<S: AsFd>(
        &self,
        deadline: Instant,
        connecting: impl Future<Output = io::Result<S>>,
    ) -> Result<(S, OwnedFd), BrokerError> {
        let connecting = async {
            let stream = connecting.await?;
            let socket = stream.as_fd().try_clone_to_owned()?;
            Ok::<_, io::Error>((stream, socket))
        };
        let source = match timeout_at(deadline, connecting).await {
            Ok(Ok(both)) => return Ok(both),
            Ok(Err(error)) => Box::from(error),
            Err(elapsed) => Box::from(elapsed),
        };
        Err(BrokerError::Unreachable {
            service: self.service,
            at: self.at.clone(),
            source,
        })
    }

    pub(crate) fn silent(&self, limit: Duration) -> BrokerError {
        BrokerError::Silent {
            service: self.service,
            at: self.at.clone(),
            seconds: limit.as_secs(),
        }
    }

    /// A login went well: when a later one does not, TLS is not the reason.
    pub(crate) fn has_let_us_in(&self) {
        have_let_us_in().insert(self.at.clone());
    }

    /// What makes a first login look as if the server had hung up, or were a stranger, may be known to
    /// TLS: it wants TLS, or, having it, a certificate of ours. So it is asked.
    pub(crate) async fn explain(&self, error: BrokerError) -> BrokerError {
        let (
            BrokerError::Lost { .. } | BrokerError::NotTheService { .. },
            Address::Tcp(host, port),
        ) = (&error, &self.address)
        else {
            return error;
        };
        if have_let_us_in().contains(&self.at) {
            return error;
        }
        let asking = async {
            let stream = tcp(host, *port).await?;
            match self.tls {
                true => tls::wants_a_certificate(stream, host).await,
                false => tls::is_spoken_by(stream, host).await,
            }
        };
        let is_that = matches!(timeout(PROBE_WITHIN, asking).await, Ok(Ok(true)));
        let (service, at) = (self.service, self.at.clone());
        match (is_that, self.tls) {
            (true, true) => BrokerError::CertificateWanted { service, at },
            (true, false) => BrokerError::TlsWanted { service, at },
            (false, _) => error,
        }
    }
}

/// Of this process, by URL: as many as it has servers.
fn have_let_us_in() -> MutexGuard<'static, BTreeSet<String>> {
    static ALL: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A Redis without TLS waits for the end of what it takes for a command, instead of refusing it.
async fn speaks_plainly(host: &str, port: u16) -> bool {
    let asking = async {
        let mut stream = tcp(host, port).await?;
        stream.write_all(b"PING\r\n").await?;
        stream.read_u8().await
    };
    let answer = timeout(PROBE_WITHIN, asking).await;
    matches!(answer, Ok(Ok(b'+' | b'-')))
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
