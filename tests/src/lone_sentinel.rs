//! A Redis Sentinel that knows nothing yet: for what clients make of Sentinels that are missing,
//! mistaken or cautious. [`Sentinel`](crate::Sentinel) is one with servers to watch over.

use redis::Value;

use crate::certificates::{Certificates, Clients};
use crate::redis::ask;
use crate::sentinel::MASTER;
use crate::supervised::Supervised;

/// One Sentinel. It ends when this is dropped.
#[derive(Debug)]
pub struct LoneSentinel(Supervised);

impl LoneSentinel {
    /// Starts one on a free port.
    ///
    /// # Errors
    ///
    /// When redis-server is not installed or does not start.
    pub fn start() -> anyhow::Result<Self> {
        Supervised::start("sentinel", &[]).map(Self)
    }

    /// Starts one that takes TLS on a second port, and reaches its master by TLS alone.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_tls(certificates: &Certificates) -> anyhow::Result<Self> {
        let lines = certificates.for_redis(Clients::Anyone);
        let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        lines.push("tls-replication yes");
        Supervised::start("sentinel", &lines).map(Self)
    }

    /// Lets it take whoever listens on this port for the master, under the name [`MASTER`].
    ///
    /// # Errors
    ///
    /// When it does so already.
    pub fn watch(&self, port: u16) -> anyhow::Result<()> {
        let port = port.to_string();
        self.ask(&["SENTINEL", "MONITOR", MASTER, "127.0.0.1", &port, "1"])?;
        Ok(())
    }

    /// Gives it one command.
    ///
    /// # Errors
    ///
    /// When it refuses.
    pub fn ask(&self, words: &[&str]) -> anyhow::Result<Value> {
        ask(self.0.url(), words)
    }

    /// Its `host:port`.
    #[must_use]
    pub fn place(&self) -> &str {
        let place = self.0.url().trim_start_matches("redis://");
        place.split('/').next().unwrap_or_default()
    }

    /// The `host:port` of its port for TLS.
    ///
    /// # Errors
    ///
    /// When it was started without.
    pub fn place_for_tls(&self) -> anyhow::Result<String> {
        Ok(format!("localhost:{}", self.0.port_for_tls()?))
    }
}
