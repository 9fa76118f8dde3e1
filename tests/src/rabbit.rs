//! A RabbitMQ of one's own, to be killed and frozen.
//!
//! It must never be used where a virtual host would do: starting one costs
//! 3.5 s, three of them on the processor; a virtual host costs 10 ms.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};

use crate::supervised::{SERVERS, Supervised};

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
        Supervised::start("rabbitmq").map(Self)
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
}

/// Makes a virtual host on the private broker whose folder is `dir`.
pub(crate) fn new_vhost(broker_url: &str, dir: &Path) -> anyhow::Result<String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("test-{now}-{}-{count}", std::process::id());

    let made = Command::new(SERVERS)
        .arg("vhost")
        .arg(dir)
        .arg(&name)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{SERVERS} could not be run"))?;
    ensure!(
        made.status.success(),
        "no virtual host on the broker in {}: {}",
        dir.display(),
        String::from_utf8_lossy(&made.stderr).trim_end()
    );
    let (place, _) = broker_url
        .rsplit_once('/')
        .context("the broker's URL names no virtual host")?;
    Ok(format!("{place}/{name}"))
}
