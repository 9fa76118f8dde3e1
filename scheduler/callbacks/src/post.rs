//! One POST: through the gate's rules, on a connection of its own, within its time.
//!
//! A redirect is an answer like any other and not followed: where it leads to was not checked. Must never keep more of
//! what a receiver says than the status and when to come again.

use std::time::Duration;

use glovebox_gate::WayOut;
use glovebox_schemas::callback::Order;
use glovebox_schemas::names::{self, DELIVERY_HEADER, SIGNATURE_HEADER};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{
    CONNECTION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use url::{Host, Position, Url};

use crate::answer::{Answer, retry_after};

/// Of an answer's head.
const HEAD_BYTES: usize = 64 << 10;
/// Of an answer's body, so that a receiver that writes a little before it closes sees no reset.
const BODY_BYTES: usize = 64 << 10;
/// A receiver that has said 200 and then drips is not waited for.
const BODY_WITHIN: Duration = Duration::from_secs(1);

/// How long a receiver may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// To be found, and as long again to accept a connection.
    pub connect: Duration,
    /// For all of it.
    pub total: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            connect: Duration::from_secs(5),
            total: Duration::from_secs(20),
        }
    }
}

/// The way to receivers.
pub(crate) struct Poster {
    pub(crate) way: WayOut,
    pub(crate) tls: TlsConnector,
    pub(crate) patience: Patience,
}

impl Poster {
    /// Sends the order's body once.
    pub(crate) async fn post(&self, order: &Order, url: &Url, signature: &str) -> Answer {
        let Some(request) = request(order, url, signature) else {
            return Answer::NoRequest;
        };
        let answer = timeout(self.patience.total, self.send(url, request)).await;
        answer.unwrap_or(Answer::TimedOut)
    }

    async fn send(&self, url: &Url, request: Request<Full<Bytes>>) -> Answer {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Answer::NoRequest;
        };
        let stream = match self.way.connect(host, port).await {
            Ok(stream) => stream,
            Err(verdict) => return Answer::NotReached(verdict),
        };
        if url.scheme() == "http" {
            return speak(stream, request).await;
        }
        let Some(name) = server_name(url) else {
            return Answer::NoRequest;
        };
        match self.tls.connect(name, stream).await {
            Ok(stream) => speak(stream, request).await,
            Err(error) => {
                tracing::debug!(%error, host, "no TLS with a receiver");
                Answer::NoTls
            }
        }
    }
}

fn server_name(url: &Url) -> Option<ServerName<'static>> {
    match url.host()? {
        Host::Domain(name) => ServerName::try_from(name.to_owned()).ok(),
        Host::Ipv4(address) => Some(ServerName::from(std::net::IpAddr::from(address))),
        Host::Ipv6(address) => Some(ServerName::from(std::net::IpAddr::from(address))),
    }
}

fn request(order: &Order, url: &Url, signature: &str) -> Option<Request<Full<Bytes>>> {
    let own = |name: &'static str| HeaderName::from_bytes(name.as_bytes());
    let mut request = Request::post(&url[Position::BeforePath..Position::AfterQuery])
        .header(HOST, &url[Position::BeforeHost..Position::AfterPort])
        .header(CONTENT_TYPE, names::CONTENT_TYPE)
        .header(USER_AGENT, concat!("Glovebox/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, HeaderValue::from_static("close"))
        .header(own(SIGNATURE_HEADER).ok()?, signature)
        .header(own(DELIVERY_HEADER).ok()?, order.id.as_str());
    for (name, value) in &order.headers {
        request = request.header(name, value);
    }
    request.body(Full::from(order.body().to_vec())).ok()
}

async fn speak<S>(stream: S, request: Request<Full<Bytes>>) -> Answer
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let handshake = http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await;
    let Ok((mut sender, connection)) = handshake else {
        return Answer::Broken;
    };
    // Ends when this is dropped, however far it is.
    let mut driver = JoinSet::new();
    driver.spawn(async { connection.await.unwrap_or_default() });
    match sender.send_request(request).await {
        Ok(response) => {
            let answer = read(&response);
            discard(response).await;
            answer
        }
        Err(error) => {
            tracing::debug!(%error, "a receiver's answer broke");
            Answer::Broken
        }
    }
}

fn read(response: &Response<Incoming>) -> Answer {
    let after = response.headers().get(RETRY_AFTER);
    let after = after.and_then(|value| retry_after(value.to_str().ok()?, Timestamp::now()));
    Answer::Status(response.status().as_u16(), after)
}

/// The status stands, whatever comes after it, and however it ends.
async fn discard(response: Response<Incoming>) {
    let mut body = response.into_body();
    let mut left = BODY_BYTES;
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            let read = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(read) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    timeout(BODY_WITHIN, reading).await.unwrap_or_default();
}
