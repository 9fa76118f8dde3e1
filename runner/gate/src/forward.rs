//! One plain HTTP request, to its host and back, on a connection of its own.
//!
//! Must never pass on what is meant for the next hop only, nor a `Host` that the job chose.

use std::io::ErrorKind;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, Uri, Version};
use hyper_util::rt::TokioIo;

use crate::host::Host;
use crate::http::HEAD_BYTES;
use crate::keeper::Keeper;
use crate::ledger::Visit;
use crate::reach::Plain;
use crate::verdict::{Refusal, Verdict};

/// RFC 9110's, and what older agents send to proxies.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Sends `request` to `host`, and gives the answer as far as its head; the body follows as it comes.
pub(crate) async fn forward(
    keeper: &Keeper,
    visit: &Arc<Visit>,
    mut request: Request<Incoming>,
    host: &Host,
    port: u16,
) -> Result<Response<Incoming>, Refusal> {
    let (stream, to_proxy) = match keeper.plain(visit, host, port).await? {
        Plain::Host(stream) => (stream, false),
        Plain::Proxy(stream) => (stream, true),
    };
    rewrite(&mut request, host, port, to_proxy)?;
    let broken = |error: hyper::Error| {
        tracing::debug!(%error, "a plain HTTP request broke");
        Refusal::unreachable(ErrorKind::BrokenPipe)
    };
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // How it ends is said to whoever reads the body.
    keeper.spawn(async { connection.await.unwrap_or_default() });
    let mut response = sender.send_request(request).await.map_err(broken)?;
    drop_hop_by_hop(response.headers_mut());
    Ok(response)
}

fn rewrite(
    request: &mut Request<Incoming>,
    host: &Host,
    port: u16,
    to_proxy: bool,
) -> Result<(), Refusal> {
    let authority = match port {
        80 => host.to_string(),
        port => format!("{host}:{port}"),
    };
    let path = request.uri().path_and_query();
    let path = path.map_or("/", |path| path.as_str());
    let target = match to_proxy {
        true => format!("http://{authority}{path}"),
        false => path.to_owned(),
    };
    *request.uri_mut() = target.parse::<Uri>().map_err(|_| Verdict::Malformed)?;
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    drop_hop_by_hop(headers);
    // hyper says the length of the body that it has read itself.
    headers.remove(header::CONTENT_LENGTH);
    let authority = HeaderValue::try_from(authority).map_err(|_| Verdict::Malformed)?;
    headers.insert(header::HOST, authority);
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(())
}

/// Removes what is for this hop only: the known headers, and those that `Connection` names.
fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // The length belongs to the message, whatever is said of it.
        .filter(|name| *name != header::CONTENT_LENGTH)
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}
