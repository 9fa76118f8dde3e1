//! The SOCKS5 door (RFC 1928): CONNECT, without authentication. Names are resolved by the gate.
//!
//! Must never read more of the job's bytes than a request has before the connection is made.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use hyper::body::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::host::{Host, escaped};
use crate::keeper::Keeper;
use crate::ledger::Place;
use crate::meter;
use crate::verdict::{Refusal, Verdict};

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const NO_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// What a request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Reply {
    Succeeded = 0,
    Failure = 1,
    NotAllowed = 2,
    HostUnreachable = 4,
    Refused = 5,
    NoSuchCommand = 7,
    NoSuchAddressType = 8,
}

/// Why there is no request.
enum NoRequest {
    /// The job left, or was too slow; nobody is to be answered.
    Gone,
    /// It asked for what this door does not have: the answer, and what is to be shown of it.
    Wrong(Vec<u8>, String),
}

impl From<io::Error> for NoRequest {
    fn from(_: io::Error) -> NoRequest {
        NoRequest::Gone
    }
}

/// Serves one connection of a job.
pub(crate) async fn serve(keeper: Arc<Keeper>, mut stream: TcpStream, place: Place) {
    let asked = timeout(keeper.patience.head, request(&mut stream)).await;
    let (host, port) = match asked.unwrap_or(Err(NoRequest::Gone)) {
        Ok(destination) => destination,
        Err(NoRequest::Gone) => return,
        Err(NoRequest::Wrong(reply, shown)) => {
            keeper
                .ledger
                .visit(&place, shown, 0)
                .end(Verdict::Malformed);
            // Whoever does not stay for the answer misses it.
            stream.write_all(&reply).await.unwrap_or_default();
            return;
        }
    };
    let visit = keeper.ledger.visit(&place, host.to_string(), port);
    match keeper.tunnel(&visit, &host, port).await {
        Ok(outside) => {
            if stream.write_all(&Reply::Succeeded.message()).await.is_ok() {
                meter::tunnel(stream, Bytes::new(), outside).await;
            }
        }
        Err(why) => {
            visit.end(why.verdict);
            stream
                .write_all(&reply_to(why).message())
                .await
                .unwrap_or_default();
        }
    }
}

/// Reads the greeting and the request.
async fn request(stream: &mut TcpStream) -> Result<(Host, u16), NoRequest> {
    let version = stream.read_u8().await?;
    if version != VERSION {
        return Err(NoRequest::Wrong(vec![], String::new()));
    }
    let mut methods = vec![0; stream.read_u8().await?.into()];
    stream.read_exact(&mut methods).await?;
    if !methods.contains(&NO_AUTHENTICATION) {
        return Err(NoRequest::Wrong(vec![VERSION, NO_METHOD], String::new()));
    }
    stream.write_all(&[VERSION, NO_AUTHENTICATION]).await?;

    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let [version, command, _, kind] = head;
    if version != VERSION {
        return Err(wrong(Reply::Failure, String::new()));
    }
    let host = match kind {
        IPV4 => Ok(Host::Address(
            Ipv4Addr::from(stream.read_u32().await?).into(),
        )),
        IPV6 => Ok(Host::Address(
            Ipv6Addr::from(stream.read_u128().await?).into(),
        )),
        NAME => {
            let mut name = vec![0; stream.read_u8().await?.into()];
            stream.read_exact(&mut name).await?;
            let host = std::str::from_utf8(&name)
                .ok()
                .and_then(|name| name.parse().ok());
            host.ok_or_else(|| escaped(&name))
        }
        _ => return Err(wrong(Reply::NoSuchAddressType, String::new())),
    };
    let port = stream.read_u16().await?;
    match host {
        Ok(host) if command == CONNECT && port != 0 => Ok((host, port)),
        Ok(host) if command == CONNECT => Err(wrong(Reply::Failure, host.to_string())),
        Ok(host) => Err(wrong(Reply::NoSuchCommand, host.to_string())),
        Err(shown) => Err(wrong(Reply::Failure, shown)),
    }
}

fn reply_to(why: Refusal) -> Reply {
    match (why.verdict, why.cause) {
        (Verdict::Unreachable, Some(ErrorKind::ConnectionRefused)) => Reply::Refused,
        (Verdict::Unreachable | Verdict::Unresolved, _) => Reply::HostUnreachable,
        (Verdict::UpstreamRefused | Verdict::Malformed, _) => Reply::Failure,
        _ => Reply::NotAllowed,
    }
}

fn wrong(reply: Reply, shown: String) -> NoRequest {
    NoRequest::Wrong(reply.message().to_vec(), shown)
}

impl Reply {
    /// As it is sent; the address that the gate connects from is not the job's business.
    const fn message(self) -> [u8; 10] {
        [VERSION, self as u8, 0, IPV4, 0, 0, 0, 0, 0, 0]
    }
}
