//! An authority of the test's own, and certificates of it that are good or bad in one way each.
//!
//! It must never sign for a name outside this host.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Signed by itself.
    SelfSigned,
    /// Made out to another name.
    WrongName,
    /// Not valid any more.
    Expired,
}

/// Whom a server lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    /// Whoever comes.
    Anyone,
    /// Who shows a certificate as well.
    Certified,
}

/// A folder of certificates; it goes when this is dropped.
#[derive(Debug)]
pub struct Certificates(TempDir);

const KEY: [&str; 5] = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
];

impl Certificates {
    /// An authority, and `server.pem` for `localhost` and `127.0.0.1`.
    ///
    /// # Errors
    ///
    /// When openssl is not installed or fails.
    pub fn new() -> anyhow::Result<Self> {
        let all = Self(tempfile::tempdir()?);
        all.self_sign("ca", "/CN=the authority of a test")?;
        all.sign("server", "DNS:localhost,IP:127.0.0.1", "2")?;
        Ok(all)
    }

    /// Where they are: `ca.pem`, `server.pem`, `server.key`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.0.path()
    }

    /// What has a Redis, or a Sentinel, take TLS on a second port.
    #[must_use]
    pub fn for_redis(&self, clients: Clients) -> [String; 5] {
        let dir = self.dir().display();
        let asked = if clients == Clients::Certified {
            "yes"
        } else {
            "no"
        };
        [
            "tls-port @port-for-tls@".to_owned(),
            format!("tls-ca-cert-file {dir}/ca.pem"),
            format!("tls-cert-file {dir}/server.pem"),
            format!("tls-key-file {dir}/server.key"),
            format!("tls-auth-clients {asked}"),
        ]
    }

    /// What has RabbitMQ do so.
    #[must_use]
    pub fn for_rabbitmq(&self, clients: Clients) -> [String; 6] {
        let dir = self.dir().display();
        let (verify, required) = match clients {
            Clients::Anyone => ("verify_none", false),
            Clients::Certified => ("verify_peer", true),
        };
        [
            "listeners.ssl.1 = 127.0.0.1:@port-for-tls@".to_owned(),
            format!("ssl_options.cacertfile = {dir}/ca.pem"),
            format!("ssl_options.certfile = {dir}/server.pem"),
            format!("ssl_options.keyfile = {dir}/server.key"),
            format!("ssl_options.verify = {verify}"),
            format!("ssl_options.fail_if_no_peer_cert = {required}"),
        ]
    }

    /// The authority's certificate, for `GLOVEBOX_TLS_CA`.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.dir().join("ca.pem")
    }

    /// Makes a bad one: the files of the certificate and of its key.
    ///
    /// # Errors
    ///
    /// When openssl fails.
    pub fn bad(&self, flaw: Flaw) -> anyhow::Result<(PathBuf, PathBuf)> {
        let name = format!("{flaw:?}");
        match flaw {
            Flaw::SelfSigned => self.self_sign(&name, "/CN=localhost")?,
            Flaw::WrongName => self.sign(&name, "DNS:elsewhere.example", "2")?,
            Flaw::Expired => self.sign(&name, "DNS:localhost,IP:127.0.0.1", "-1")?,
        }
        Ok((
            self.dir().join(format!("{name}.pem")),
            self.dir().join(format!("{name}.key")),
        ))
    }

    fn self_sign(&self, name: &str, subject: &str) -> anyhow::Result<()> {
        let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
        let mut arguments = vec!["req", "-x509", "-days", "2", "-subj", subject];
        arguments.extend(KEY);
        arguments.extend(["-out", &certificate, "-keyout", &key]);
        self.openssl(&arguments)
    }

    fn sign(&self, name: &str, names: &str, days: &str) -> anyhow::Result<()> {
        let [certificate, key, request, extensions] =
            ["pem", "key", "csr", "ext"].map(|kind| format!("{name}.{kind}"));
        std::fs::write(
            self.dir().join(&extensions),
            format!("subjectAltName={names}\n"),
        )?;
        let subject = format!("/CN={name}");
        let mut arguments = vec!["req", "-subj", &subject, "-out", &request, "-keyout", &key];
        arguments.extend(KEY);
        self.openssl(&arguments)?;
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            days,
            "-extfile",
            &extensions,
            "-out",
            &certificate,
        ])
    }

    fn openssl(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(self.dir())
            .stdin(Stdio::null())
            .output()
            .context("openssl could not be run: apt-get install openssl")?;
        ensure!(
            output.status.success(),
            "openssl {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}
