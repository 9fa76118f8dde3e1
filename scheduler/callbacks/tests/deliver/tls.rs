//! Receivers with certificates, good and bad.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use glovebox_tests::certificates::{Certificates, Flaw};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::rig::Rig;

const SERVER: &str = "
import http.server, ssl, sys
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers['Content-Length'])).decode(), flush=True)
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(*sys.argv[1:])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
";

/// A receiver with a certificate, until it is dropped.
struct Secure {
    _child: Child,
    said: Lines<BufReader<ChildStdout>>,
    port: String,
}

impl Secure {
    async fn start(certificate: &Path, key: &Path) -> Secure {
        let mut child = Command::new("python3")
            .args(["-c", SERVER])
            .args([certificate, key])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = said.next_line().await.unwrap().unwrap();
        Secure {
            _child: child,
            said,
            port,
        }
    }
}

async fn trusting(authorities: Option<PathBuf>) -> Rig {
    Rig::start_with(|config| config.authorities = authorities).await
}

#[tokio::test]
async fn one_with_a_certificate_of_a_trusted_authority_is_told() {
    let certificates = Certificates::new().unwrap();
    let here = certificates.dir();
    let mut receiver = Secure::start(&here.join("server.pem"), &here.join("server.key")).await;
    let rig = trusting(Some(certificates.authority())).await;
    for host in ["localhost", "127.0.0.1"] {
        let order = rig
            .order(&format!("https://{host}:{}/", receiver.port))
            .await;
        let heard = receiver.said.next_line().await.unwrap().unwrap();
        assert_eq!(heard.as_bytes(), order.body(), "{host}");
    }
    rig.stop_settled().await;
}

#[tokio::test]
async fn one_with_any_other_certificate_is_not() {
    let certificates = Certificates::new().unwrap();
    let here = certificates.dir();
    let good = (here.join("server.pem"), here.join("server.key"));
    let authority = Some(certificates.authority());
    for ((certificate, key), authorities) in [
        (good, None),
        (
            certificates.bad(Flaw::SelfSigned).unwrap(),
            authority.clone(),
        ),
        (
            certificates.bad(Flaw::WrongName).unwrap(),
            authority.clone(),
        ),
        (certificates.bad(Flaw::Expired).unwrap(), authority.clone()),
    ] {
        let receiver = Secure::start(&certificate, &key).await;
        let rig = trusting(authorities).await;
        rig.order(&format!("https://localhost:{}/", receiver.port))
            .await;
        assert_eq!(rig.dead_letter().await.ends(), ["tls_failed"; 3]);
        rig.stop_settled().await;
    }
}

#[tokio::test]
async fn a_file_without_authorities_is_an_error_at_the_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let rig = Rig::start().await;
    let mut config = rig.config();
    config.authorities = Some(file.path().to_owned());
    let error = glovebox_callbacks::run(config, tokio_util::sync::CancellationToken::new()).await;
    let said = error.unwrap_err().to_string();
    assert!(said.contains(&file.path().display().to_string()), "{said}");
}
