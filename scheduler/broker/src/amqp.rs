//! A connection to RabbitMQ: plain, named, with a heartbeat and time limits.
//!
//! It must never turn on lapin's recovery: its owner notices the loss, waits
//! ([`crate::Retry`]) and connects again, or the silence that follows a failed
//! recovery looks like an idle queue.

mod runtime;

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::tcp::AsyncTcpStream;
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties, ErrorKind};
use tokio::time::{Instant, timeout_at};
use tokio_util::compat::TokioAsyncReadCompatExt as _;

use crate::error::{BrokerError, Service, innermost};
use crate::transport::{Address, Place, Stream};
use crate::url::without_password;

/// For the whole of it: name lookup, TCP, and RabbitMQ's handshake.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Connects to the virtual host that `url` names: `amqp://[user:password@]host[:port][/vhost]`, or `amqps://` for TLS.
///
/// `name` is what RabbitMQ's own tools show for the connection. `heartbeat` is
/// in whole seconds, at least one, unless the URL sets its own
/// (`?heartbeat=20`): a peer that freezes is noticed after two to three of them.
///
/// # Errors
///
/// A [`BrokerError`] that tells a wrong URL, a server out of reach, a mute or a
/// foreign one, a bad certificate, wrong credentials and a wrong virtual host apart.
pub async fn connect_amqp(
    url: &str,
    name: &str,
    heartbeat: Duration,
) -> Result<Connection, BrokerError> {
    let uri = parse(url, heartbeat)?;
    let vhost = uri.vhost.clone();
    let place = Place {
        service: Service::RabbitMq,
        at: without_password(url),
        address: Address::Tcp(uri.authority.host.clone(), uri.authority.port),
        tls: uri.scheme == AMQPScheme::AMQPS,
    };
    let deadline = Instant::now() + CONNECT_WITHIN;
    let connected = place.connect(CONNECT_WITHIN).await?;
    let mut login = Login(Some(connected.socket));
    let logging_in = log_in(uri, connected.stream, name);
    match timeout_at(deadline, logging_in).await {
        Ok(Ok(connection)) => {
            login.0 = None;
            place.has_let_us_in();
            Ok(connection)
        }
        Ok(Err(error)) => Err(place.explain(refused(&place, error, vhost)).await),
        Err(_) => Err(place.silent(CONNECT_WITHIN)),
    }
}

/// A login that is given up is to end: lapin's thread would keep it until the server speaks.
struct Login(Option<OwnedFd>);

impl Drop for Login {
    fn drop(&mut self) {
        if let Some(socket) = self.0.take() {
            // One that has ended already cannot be ended.
            TcpStream::from(socket).shutdown(Shutdown::Both).ok();
        }
    }
}

async fn log_in(uri: AMQPUri, stream: Stream, name: &str) -> lapin::Result<Connection> {
    let properties = ConnectionProperties::default()
        .with_connection_name(name.into())
        .with_client_property("product".into(), "Glovebox".into());
    let stream = Mutex::new(Some(stream));
    let connected = async move |_, _| {
        let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Asked for once: this connection is never made again.
        let stream = stream.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))?;
        Ok(AsyncTcpStream::Plain(stream.compat()))
    };
    Connection::connector(uri, runtime::current(), connected, properties).await
}

/// The parser's own errors can repeat the URL, password and all: they are dropped.
fn parse(url: &str, heartbeat: Duration) -> Result<AMQPUri, BrokerError> {
    let wrong = |reason| BrokerError::Url {
        service: Service::RabbitMq,
        reason,
    };
    let mut uri: AMQPUri = url
        .parse()
        .map_err(|_| wrong("it is not of the form amqp://user:password@host:port/vhost"))?;
    // lapin takes an IPv6 address in brackets for localhost.
    if let Some(address) = bracketed_host(url) {
        address.clone_into(&mut uri.authority.host);
    }
    // `amqp://host/` means a virtual host without a name, which nobody has.
    if uri.vhost.is_empty() {
        "/".clone_into(&mut uri.vhost);
    }
    let seconds = u16::try_from(heartbeat.as_secs().max(1)).unwrap_or(u16::MAX);
    uri.query.heartbeat.get_or_insert(seconds);
    Ok(uri)
}

fn bracketed_host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    let (address, _) = place.strip_prefix('[')?.split_once(']')?;
    Some(address)
}

/// The connection stood, and the login failed.
fn refused(place: &Place, error: lapin::Error, vhost: String) -> BrokerError {
    let (service, at) = (place.service, place.at.clone());
    match error.kind() {
        ErrorKind::ProtocolError(protocol) => match protocol.kind() {
            // A refused login, and a user who may not enter the virtual host,
            // come with one code; only the text differs.
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)
                if !protocol.get_message().as_str().contains("vhost") =>
            {
                BrokerError::Credentials {
                    service,
                    at,
                    source: innermost(error),
                }
            }
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)
            | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED | AMQPHardError::INVALIDPATH) => {
                BrokerError::VirtualHost {
                    at,
                    vhost,
                    source: innermost(error),
                }
            }
            _ => BrokerError::Lost {
                service,
                at,
                doing: "logging in",
                source: innermost(error),
            },
        },
        ErrorKind::ParsingError(_) | ErrorKind::InvalidProtocolVersion(_) => {
            BrokerError::NotTheService {
                service,
                at,
                source: innermost(error),
            }
        }
        _ => BrokerError::Lost {
            service,
            at,
            doing: "logging in",
            source: innermost(error),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const HEARTBEAT: Duration = Duration::from_secs(7);

    #[test]
    fn the_url_is_read_as_people_write_it() {
        let uri = parse("amqp://u:p@[::1]:5673/", HEARTBEAT).unwrap();

        assert_eq!(uri.authority.host, "::1");
        assert_eq!(uri.authority.port, 5673);
        assert_eq!(uri.vhost, "/");
        assert_eq!(uri.query.heartbeat, Some(7));
    }

    #[test]
    fn the_url_may_set_its_own_heartbeat() {
        let uri = parse("amqp://h/v?heartbeat=20", HEARTBEAT).unwrap();

        assert_eq!(uri.query.heartbeat, Some(20));
        assert_eq!(uri.vhost, "v");
    }

    #[test]
    fn a_heartbeat_is_never_off_by_rounding() {
        let uri = parse("amqp://h/v", Duration::from_millis(300)).unwrap();

        assert_eq!(uri.query.heartbeat, Some(1));
    }

    #[test]
    fn a_wrong_url_is_an_error_without_the_password() {
        for url in ["amqp:u:s3cret", "http://u:s3cret@h/", "s3cret"] {
            let error = parse(url, HEARTBEAT).unwrap_err();
            let shown = format!("{error} {error:?} {}", error.hint());

            assert!(!shown.contains("s3cret"), "{shown}");
            assert!(shown.contains("GLOVEBOX_AMQP_URL"), "{shown}");
        }
    }
}
