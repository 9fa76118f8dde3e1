//! The certificate that this server shows.
//!
//! The key is read once, before any power is given up, and must never reach an error or a log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("reading {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is nothing of the kind in a file.
    #[error("{} has no {what} in PEM", path.display())]
    Nothing {
        /// What was looked for.
        what: &'static str,
        /// Which file.
        path: PathBuf,
    },
    /// The two do not go together, or are of a kind that rustls does not take.
    #[error("the certificate and the key can't be used")]
    Pair(#[source] rustls::Error),
}

/// Shows the chain of certificates in one PEM file, with the private key in another.
///
/// # Errors
/// When they can't be read, or do not go together.
pub fn acceptor(certificates: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&read(certificates)?)
        .filter_map(Result::ok)
        .collect();
    if chain.is_empty() {
        return Err(nothing("certificate", certificates));
    }
    let key =
        PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| nothing("private key", key))?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Pair)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}

fn nothing(what: &'static str, path: &Path) -> TlsError {
    TlsError::Nothing {
        what,
        path: path.to_owned(),
    }
}
