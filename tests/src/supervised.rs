//! One server under `ops/lib/servers.sh supervise`, which knows how to start
//! and end it.
//!
//! The supervisor ends with its standard input. So the server lives exactly as
//! long as this process holds the pipe: no `Drop` has to run, no signal has to
//! be caught. It must never share our process group, or a Ctrl-C meant for the
//! tests would end it before it has cleaned up.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, bail};

/// The script that knows how servers start and end.
pub(crate) const SERVERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ops/lib/servers.sh");

/// A server that ends when this value is dropped, or when this process ends.
#[derive(Debug)]
pub(crate) struct Supervised {
    kind: &'static str,
    dir: PathBuf,
    url: String,
    supervisor: Child,
    // Taken on drop: closing it is the order to end.
    pipes: Mutex<Option<Pipes>>,
}

#[derive(Debug)]
struct Pipes {
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Supervised {
    /// Starts a server with these lines in its configuration, and waits until it answers. `kind` is
    /// `rabbitmq`, `redis` or `sentinel`.
    pub(crate) fn start(kind: &'static str, lines: &[&str]) -> anyhow::Result<Self> {
        // The supervisor removes the folder: it outlives us.
        let dir = tempfile::Builder::new()
            .prefix(&format!("glovebox-{kind}-"))
            .tempdir()
            .context("no temporary folder for a private server")?
            .keep();
        let mut supervisor = Command::new(SERVERS)
            .args(["supervise", kind])
            .arg(&dir)
            .args(lines)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Not inherited: nextest waits for whoever holds a test's stderr.
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("{SERVERS} could not be run"))?;
        let (Some(orders), Some(answers)) = (supervisor.stdin.take(), supervisor.stdout.take())
        else {
            bail!("the supervisor of {kind} has no pipes");
        };
        let mut answers = BufReader::new(answers);
        let mut line = String::new();
        answers
            .read_line(&mut line)
            .with_context(|| format!("the supervisor of {kind} said nothing"))?;
        let Some(url) = line.trim_end().strip_prefix("ready ") else {
            bail!("a private {kind} did not start: {}", line.trim_end());
        };
        Ok(Self {
            kind,
            dir,
            url: url.to_owned(),
            supervisor,
            pipes: Mutex::new(Some(Pipes { orders, answers })),
        })
    }

    /// The server's URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The port that it took for `@port-for-tls@` in its lines.
    pub(crate) fn port_for_tls(&self) -> anyhow::Result<u16> {
        let port = std::fs::read_to_string(self.dir.join("port_tls"))
            .context("the server was started without TLS")?;
        Ok(port.trim_end().parse()?)
    }

    /// The server's folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Gives one order and waits until it is done.
    pub(crate) fn order(&self, verb: &str) -> anyhow::Result<()> {
        let kind = self.kind;
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        let pipes = pipes.as_mut().context("the server has ended")?;
        writeln!(pipes.orders, "{verb}")
            .with_context(|| format!("the supervisor of {kind} does not take `{verb}`"))?;
        let mut answer = String::new();
        pipes
            .answers
            .read_line(&mut answer)
            .with_context(|| format!("the supervisor of {kind} said nothing to `{verb}`"))?;
        match answer.trim_end() {
            "ok" => Ok(()),
            other => bail!("`{verb}` did not work on a private {kind}: {other:?}"),
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.pipes
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // It ends by itself now; there is nobody to tell if it does not.
        self.supervisor.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn nothing_is_left_of_a_server_that_was_frozen() {
        let server = Supervised::start("redis", &[]).unwrap();
        let dir = server.dir().to_owned();
        let (_, place) = server.url().split_once("://").unwrap();
        let (place, _) = place.split_once('/').unwrap();
        let place = place.to_owned();
        assert!(TcpStream::connect(&place).is_ok());

        server.order("freeze").unwrap();
        drop(server);

        assert!(TcpStream::connect(&place).is_err());
        assert!(!dir.exists());
    }
}
