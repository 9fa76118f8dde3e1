//! The HTTP door: CONNECT, and plain requests with an absolute URL.
//!
//! hyper reads and writes every message: what it can't read is refused, and what it has read is written anew,
//! so that no request can be two things to two readers. Each request of a connection is checked by itself.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::forward;
use crate::host::{Host, escaped};
use crate::keeper::Keeper;
use crate::ledger::{Place, Visit};
use crate::meter;
use crate::verdict::{Refusal, Verdict};

/// The longest head, of a request or a response.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;

/// A host's answer, or our own.
type Answer = Response<Either<Incoming, Full<Bytes>>>;

/// Serves one connection of a job.
pub(crate) async fn serve(keeper: Arc<Keeper>, stream: TcpStream, place: Place) {
    let service = service_fn(|request| {
        let (keeper, place) = (keeper.clone(), place.clone());
        async move { Ok::<_, Infallible>(answer(&keeper, request, &place).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(keeper.patience.head)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(HEAD_BYTES)
        .half_close(true)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a job's HTTP connection broke");
        if error.is_parse() {
            let visit = keeper.ledger.visit(&place, String::new(), 0);
            visit.end(Verdict::Malformed);
        }
    }
}

async fn answer(keeper: &Arc<Keeper>, request: Request<Incoming>, place: &Place) -> Answer {
    let mut answer = decide(keeper, request, place).await;
    if keeper.ledger.is_flooded() {
        // hyper ends the connection after it.
        let close = header::HeaderValue::from_static("close");
        answer.headers_mut().insert(header::CONNECTION, close);
    }
    answer
}

async fn decide(keeper: &Arc<Keeper>, request: Request<Incoming>, place: &Place) -> Answer {
    let (host, port) = match destination(&request) {
        Ok(destination) => destination,
        Err(shown) => {
            let visit = keeper.ledger.visit(place, shown.clone(), 0);
            return refusal(visit.end(Verdict::Malformed), &shown);
        }
    };
    let visit = keeper.ledger.visit(place, host.to_string(), port);
    let answered = match *request.method() {
        Method::CONNECT => connect(keeper, &visit, request, &host, port).await,
        _ => forward::forward(keeper, &visit, request, &host, port)
            .await
            .map(|response| response.map(Either::Left)),
    };
    answered.unwrap_or_else(|why| refusal(visit.end(why.verdict), &format!("{host}:{port}")))
}

/// Where a request is to go, or what it said instead.
fn destination(request: &Request<Incoming>) -> Result<(Host, u16), String> {
    let uri = request.uri();
    let shown = || escaped(uri.to_string().as_bytes());
    let authority = uri.authority().ok_or_else(shown)?;
    let default = match (request.method(), uri.scheme_str()) {
        (&Method::CONNECT, None) => None,
        (&Method::CONNECT, Some(_)) => return Err(shown()),
        (_, Some("http")) => Some(80),
        _ => return Err(shown()),
    };
    // Split here, once: the crate's own accessors leave out what they don't understand.
    let written = authority.as_str();
    let (host, port) = match written.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
            (host, port.parse().ok().filter(|_| is_number))
        }
        _ => (written, default),
    };
    let port = port.filter(|port| *port != 0).ok_or_else(shown)?;
    Ok((host.parse().map_err(|_| shown())?, port))
}

/// Connects first, and says yes only then.
async fn connect(
    keeper: &Arc<Keeper>,
    visit: &Arc<Visit>,
    request: Request<Incoming>,
    host: &Host,
    port: u16,
) -> Result<Answer, Refusal> {
    let outside = keeper.tunnel(visit, host, port).await?;
    keeper.spawn(async {
        let Ok(upgraded) = hyper::upgrade::on(request).await else {
            return;
        };
        if let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() {
            meter::tunnel(parts.io.into_inner(), parts.read_buf, outside).await;
        }
    });
    Ok(Response::new(Either::Right(Full::default())))
}

/// An answer that people can read: what was refused, the verdict, the mend.
fn refusal(verdict: Verdict, shown: &str) -> Answer {
    let text = format!("glovebox: {shown}: {verdict}\n{}\n", verdict.hint());
    let mut response = Response::new(Either::Right(Full::from(text)));
    *response.status_mut() = match verdict {
        Verdict::Malformed => StatusCode::BAD_REQUEST,
        Verdict::Unresolved | Verdict::Unreachable | Verdict::UpstreamRefused => {
            StatusCode::BAD_GATEWAY
        }
        _ => StatusCode::FORBIDDEN,
    };
    let headers = response.headers_mut();
    let plain = header::HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, plain);
    let verdict = header::HeaderValue::from_static(verdict.as_str());
    headers.insert("glovebox-verdict", verdict);
    response
}
