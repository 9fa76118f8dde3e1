//! A RabbitMQ of one's own, to be killed and frozen.
//!
//! It must never be used where a virtual host would do: starting one costs
//! 3.5 s, three of them on the processor; a virtual host costs 10 ms.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};

use crate::certificates::{Certificates, Clients};
use crate::services::place;
use crate::supervised::{SERVERS, Supervised};

/// The folders of the brokers that this process has started, by `host:port`: what is asked about a virtual host is
/// asked there.
static FOLDERS: LazyLock<Mutex<HashMap<String, PathBuf>>> = LazyLock::new(Mutex::default);

/// A private RabbitMQ. It ends, with all that it started, when this is dropped.
#[derive(Debug)]
pub struct Rabbit(Supervised);

impl Rabbit {
    /// Starts one on free ports and waits until it takes connections.
    ///
    /// # Errors
    ///
    /// When rabbitmq-server is not installed or does not start.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(&[])
    }

    /// The same with these lines in its `rabbitmq.conf`.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_with(lines: &[&str]) -> anyhow::Result<Self> {
        let server = Supervised::start("rabbitmq", lines)?;
        let here = place(server.url()).context("the broker's URL names no place")?;
        let mut folders = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
        folders.insert(here.to_owned(), server.dir().to_owned());
        Ok(Self(server))
    }

    /// Starts one that takes TLS on a second port.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_tls(certificates: &Certificates, clients: Clients) -> anyhow::Result<Self> {
        let lines = certificates.for_rabbitmq(clients);
        Self::start_with(&lines.each_ref().map(String::as_str))
    }

    /// The URL of its virtual host `/` through its port for TLS.
    ///
    /// # Errors
    ///
    /// When it was started without.
    pub fn url_tls(&self) -> anyhow::Result<String> {
        let port = self.0.port_for_tls()?;
        Ok(format!("amqps://guest:guest@localhost:{port}/%2f"))
    }

    /// The URL of its virtual host `/`.
    #[must_use]
    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// Makes a virtual host with a new name and returns its URL.
    ///
    /// # Errors
    ///
    /// When the broker is not running.
    pub fn vhost(&self) -> anyhow::Result<String> {
        new_vhost(self.url(), self.0.dir())
    }

    /// Kills it, as a crash or a power cut would.
    ///
    /// # Errors
    ///
    /// When the supervisor is gone.
    pub fn kill(&self) -> anyhow::Result<()> {
        self.0.order("kill")
    }

    /// Starts it again after [`kill`](Self::kill): same port, same data.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn restart(&self) -> anyhow::Result<()> {
        self.0.order("start")
    }

    /// Stops it from running, with its connections open.
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.0.order("freeze")
    }

    /// Lets it run on after [`freeze`](Self::freeze).
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.0.order("thaw")
    }

    /// Raises the alarm of a broker that has no memory left: it takes no messages until [`clear_alarm`](Self::clear_alarm).
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn raise_alarm(&self) -> anyhow::Result<()> {
        // It is only told; an answer to a question shows that it has heard.
        self.erl("rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []}), rabbit_alarm:get_alarms()")
            .map(drop)
    }

    /// Ends [`raise_alarm`](Self::raise_alarm).
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn clear_alarm(&self) -> anyhow::Result<()> {
        self.erl("rabbit_alarm:clear_alarm({resource_limit, memory, node()})")
            .map(drop)
    }

    /// Has it evaluate Erlang and gives the value as Erlang writes it.
    ///
    /// # Errors
    ///
    /// When it is not running, or what is evaluated fails.
    pub fn erl(&self, expression: &str) -> anyhow::Result<String> {
        erl(self.0.dir(), expression)
    }

    /// Its folder.
    pub(crate) fn dir(&self) -> &Path {
        self.0.dir()
    }
}

/// The folder of the private broker that this URL leads to.
pub(crate) fn folder_of(url: &str) -> anyhow::Result<PathBuf> {
    let folders = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = place(url).and_then(|place| folders.get(place));
    folder
        .cloned()
        .with_context(|| format!("{url} is no broker of this process"))
}

/// Has the broker whose folder is `dir` evaluate Erlang.
pub(crate) fn erl(dir: &Path, expression: &str) -> anyhow::Result<String> {
    let answer = servers(&["erl".as_ref(), dir, format!("{expression}.").as_ref()])?;
    let value = answer
        .strip_prefix("{ok, ")
        .and_then(|rest| rest.strip_suffix('}'));
    let value = value.with_context(|| format!("{expression} failed: {answer}"))?;
    Ok(value.to_owned())
}

/// Runs the script and gives what it prints.
fn servers(arguments: &[&Path]) -> anyhow::Result<String> {
    let ended = Command::new(SERVERS)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{SERVERS} could not be run"))?;
    ensure!(
        ended.status.success(),
        "{arguments:?} did not work: {}",
        String::from_utf8_lossy(&ended.stderr).trim_end()
    );
    Ok(String::from_utf8(ended.stdout)?)
}

/// Makes a virtual host on the private broker whose folder is `dir`.
pub(crate) fn new_vhost(broker_url: &str, dir: &Path) -> anyhow::Result<String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("test-{now}-{}-{count}", std::process::id());

    servers(&["vhost".as_ref(), dir, name.as_ref()])?;
    let (place, _) = broker_url
        .rsplit_once('/')
        .context("the broker's URL names no virtual host")?;
    Ok(format!("{place}/{name}"))
}
