//! CONNECT through the proxy that stands between the gate and the outside.
//!
//! Must never pass on what it says: a refusal of its own becomes one of ours.

use std::io::ErrorKind;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::host::Host;
use crate::http::HEAD_BYTES;
use crate::keeper::Keeper;
use crate::verdict::{Refusal, Verdict};

impl Keeper {
    /// Has the proxy at the other end of `stream` connect it to `target`. With the connection comes what the
    /// target said at once.
    pub(crate) async fn through(
        &self,
        stream: TcpStream,
        target: &Host,
        port: u16,
    ) -> Result<(TcpStream, Bytes), Refusal> {
        let asked = self.connect(stream, format!("{target}:{port}"));
        match timeout(self.patience.connect, asked).await {
            Ok(Ok(connected)) => Ok(connected),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the upstream proxy did not connect");
                Err(Verdict::UpstreamRefused.into())
            }
            Err(_) => Err(Refusal::unreachable(ErrorKind::TimedOut)),
        }
    }

    async fn connect(
        &self,
        stream: TcpStream,
        target: String,
    ) -> Result<(TcpStream, Bytes), Failed> {
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(HEAD_BYTES)
            .handshake(TokioIo::new(stream))
            .await?;
        // How it ends is said to whoever waits for the answer.
        self.spawn(async { connection.with_upgrades().await.unwrap_or_default() });
        let request = Request::builder()
            .method(Method::CONNECT)
            .uri(&target)
            .header(header::HOST, &target)
            .body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        if !response.status().is_success() {
            return Err(Failed::Status(response.status().as_u16()));
        }
        let upgraded = hyper::upgrade::on(response).await?;
        let parts = upgraded.downcast::<TokioIo<TcpStream>>();
        let parts = parts.map_err(|_| Failed::Status(0))?;
        Ok((parts.io.into_inner(), parts.read_buf))
    }
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("{0}")]
    Target(#[from] hyper::http::Error),
    #[error("its status is {0}")]
    Status(u16),
}
