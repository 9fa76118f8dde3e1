//! Whom receivers' certificates may be signed by: the system's authorities, and an operator's own besides.
//!
//! Not those by which RabbitMQ and Redis are trusted, which may be a company's alone. Must never connect unchecked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A file of authorities that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the certificate authorities in {} cannot be read", file.display())]
pub struct AuthoritiesError {
    file: PathBuf,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// A host without any authorities can still call back by plain HTTP.
pub(crate) fn connector(more: Option<&Path>) -> Result<TlsConnector, AuthoritiesError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::warn!(%error, "some of this system's certificate authorities can't be read");
    }
    roots.add_parsable_certificates(system.certs);
    if let Some(file) = more {
        add(&mut roots, file).map_err(|source| AuthoritiesError {
            file: file.to_owned(),
            source,
        })?;
    }
    if roots.is_empty() {
        tracing::warn!("no certificate authority is known: no receiver with https can be reached");
    }
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn add(
    roots: &mut RootCertStore,
    file: &Path,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let pem = std::fs::read(file)?;
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate?)?;
    }
    match roots.len() > before {
        true => Ok(()),
        false => Err("there is no certificate in it (`-----BEGIN CERTIFICATE-----`)".into()),
    }
}
