//! TLS, by rustls: whom to trust, and what is wrong with a certificate.
//!
//! It must never connect without checking the certificate and the name in it:
//! there is no switch for that here, and must be none.

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, ClientConfig, Error as TlsError, RootCertStore,
};

use crate::error::{BrokerError, Cause, Flaw};
use crate::transport::Place;

/// Of the whole process, and kept: it is read while there is still the power to read it.
static TRUSTED: RwLock<Option<Arc<ClientConfig>>> = RwLock::new(None);

/// Whether this URL asks for TLS.
#[must_use]
pub fn uses_tls(url: &str) -> bool {
    let (scheme, _) = url.split_once("://").unwrap_or_default();
    let (scheme, _) = scheme.split_once('+').unwrap_or((scheme, ""));
    matches!(scheme, "amqps" | "rediss" | "valkeys")
}

/// Reads the certificate authorities that this process trusts from here on: those in a PEM file,
/// or, without one, the system's. Without a call, the system's are read at the first connection
/// that needs them. A process that gives up power calls this before.
///
/// # Errors
///
/// [`BrokerError::Authorities`] when there are none to be read there.
pub fn trust(authorities: Option<&Path>) -> Result<(), BrokerError> {
    let roots = match authorities {
        Some(file) => from_file(file).map_err(|source| (file.display().to_string(), source)),
        None => from_system().map_err(|source| ("this system".to_owned(), source)),
    };
    let roots = roots.map_err(|(place, source)| BrokerError::Authorities { place, source })?;
    let config = Arc::new(trusting(roots));
    *TRUSTED.write().unwrap_or_else(PoisonError::into_inner) = Some(config);
    Ok(())
}

pub(crate) fn trusted() -> Result<Arc<ClientConfig>, BrokerError> {
    loop {
        let known = TRUSTED.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = &*known {
            return Ok(Arc::clone(config));
        }
        drop(known);
        trust(None)?;
    }
}

fn trusting(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn from_file(file: &Path) -> Result<RootCertStore, Cause> {
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(file)?;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate?)?;
    }
    if roots.is_empty() {
        return Err("there is no certificate in it (`-----BEGIN CERTIFICATE-----`)".into());
    }
    Ok(roots)
}

/// One that cannot be used does not take the others along: nobody chose it.
fn from_system() -> Result<RootCertStore, Cause> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    match found.errors.into_iter().next() {
        _ if !roots.is_empty() => Ok(roots),
        Some(error) => Err(error.into()),
        None => Err("none are installed".into()),
    }
}

pub(crate) async fn wrap(
    stream: TcpStream,
    host: &str,
    config: Arc<ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(config).connect(name, stream).await
}

/// Trusts nobody: a refused certificate is an answer as well.
pub(crate) async fn is_spoken_by(stream: TcpStream, host: &str) -> io::Result<bool> {
    let config = Arc::new(trusting(RootCertStore::empty()));
    Ok(match wrap(stream, host, config).await {
        Ok(_) => true,
        Err(error) => cause(&error).is_some_and(|it| !matches!(it, TlsError::InvalidMessage(_))),
    })
}

/// With TLS 1.3 a server says so after the handshake; what a client has sent by then makes the
/// system drop its words. So nothing is sent here.
pub(crate) async fn wants_a_certificate(stream: TcpStream, host: &str) -> io::Result<bool> {
    let mut stream = match trusted() {
        Ok(config) => wrap(stream, host, config).await?,
        Err(_) => return Ok(false),
    };
    let said = stream.read_u8().await;
    Ok(said.is_err_and(|error| {
        cause(&error)
            == Some(&TlsError::AlertReceived(
                AlertDescription::CertificateRequired,
            ))
    }))
}

/// What rustls said, if it did.
fn cause(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}

/// Says why there is no TLS with this server.
pub(crate) fn refused(place: &Place, error: io::Error) -> BrokerError {
    let (service, at) = (place.service, place.at.clone());
    let flaw = match cause(&error) {
        Some(TlsError::InvalidCertificate(flaw)) => flaw_of(flaw),
        Some(TlsError::InvalidMessage(_)) => return BrokerError::NoTls { service, at },
        _ => {
            let (doing, source) = ("agreeing on TLS", Box::new(error));
            return BrokerError::Lost {
                service,
                at,
                doing,
                source,
            };
        }
    };
    BrokerError::Certificate {
        service,
        at,
        flaw,
        source: Box::new(error),
    }
}

fn flaw_of(error: &CertificateError) -> Flaw {
    match error {
        CertificateError::UnknownIssuer => Flaw::UnknownIssuer,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Flaw::WrongName
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Flaw::WrongTime,
        // What webpki says of it has no name of its own in rustls.
        CertificateError::Other(error) if error.to_string().contains("CaUsedAsEndEntity") => {
            Flaw::SelfSigned
        }
        _ => Flaw::Unusable,
    }
}
