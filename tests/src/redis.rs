//! A Redis of one's own, to be killed, frozen, filled and flushed.
//!
//! It must never be used where the shared one would do: ids are unique, so
//! tests do not meet each other there.

use std::time::Duration;

use anyhow::Context as _;
use redis::{Client, Value, cmd};

use crate::certificates::{Certificates, Clients};
use crate::supervised::Supervised;

/// What makes every write outlive a kill.
const DURABLE: [&str; 2] = ["appendonly yes", "appendfsync always"];
/// A server that is to be asked is there.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A private Redis. It ends when this is dropped.
#[derive(Debug)]
pub struct Redis(Supervised);

impl Redis {
    /// Starts one that keeps nothing on disk, on a free port, and waits until it answers.
    ///
    /// # Errors
    ///
    /// When redis-server is not installed or does not start.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(&[])
    }

    /// Starts one that keeps on disk whatever it has confirmed.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn durable() -> anyhow::Result<Self> {
        Self::start_with(&DURABLE)
    }

    /// Starts a copy of another one.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), and when the other one is not there.
    pub fn replica_of(master: &Redis) -> anyhow::Result<Self> {
        // At once, not after the five seconds in which other replicas might come.
        master.ask(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"])?;
        Self::start_with(&[&format!("replicaof 127.0.0.1 {}", master.port())])
    }

    /// Starts one that takes TLS on a second port.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_tls(certificates: &Certificates, clients: Clients) -> anyhow::Result<Self> {
        let lines = certificates.for_redis(clients);
        Self::start_with(&lines.each_ref().map(String::as_str))
    }

    fn start_with(lines: &[&str]) -> anyhow::Result<Self> {
        Supervised::start("redis", lines).map(Self)
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// The URL of its port for TLS.
    ///
    /// # Errors
    ///
    /// When it was started without.
    pub fn url_tls(&self) -> anyhow::Result<String> {
        Ok(format!("rediss://localhost:{}/0", self.port_for_tls()?))
    }

    /// Its port for TLS on 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When it was started without.
    pub fn port_for_tls(&self) -> anyhow::Result<u16> {
        self.0.port_for_tls()
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        let port = self.url().split([':', '/']).nth(4);
        port.and_then(|port| port.parse().ok()).unwrap_or_default()
    }

    /// Gives it one command, such as `["CONFIG", "SET", "maxmemory", "1"]`.
    ///
    /// # Errors
    ///
    /// When it is not there, or refuses.
    pub fn ask(&self, words: &[&str]) -> anyhow::Result<Value> {
        ask(self.url(), words)
    }

    /// Kills it, as a crash would. What it keeps on disk is there when it starts again.
    ///
    /// # Errors
    ///
    /// When the supervisor is gone.
    pub fn kill(&self) -> anyhow::Result<()> {
        self.0.order("kill")
    }

    /// Starts it again after [`kill`](Self::kill): same port, and empty unless it is [`durable`](Self::durable).
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

/// Gives the Redis or Sentinel at this URL one command, on a connection of its own.
pub(crate) fn ask(url: &str, words: &[&str]) -> anyhow::Result<Value> {
    let mut connection = Client::open(url)?.get_connection_with_timeout(ANSWER_WITHIN)?;
    connection.set_read_timeout(Some(ANSWER_WITHIN))?;
    let mut command = cmd(words.first().context("no command")?);
    command.arg(&words[1..]);
    command
        .query(&mut connection)
        .with_context(|| format!("{words:?}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_a_durable_one_has_confirmed_outlives_it() {
        for (redis, kept) in [
            (Redis::durable().unwrap(), Value::Int(1)),
            (Redis::start().unwrap(), Value::Int(0)),
        ] {
            redis.ask(&["SET", "key", "value"]).unwrap();
            redis.kill().unwrap();
            assert!(redis.ask(&["PING"]).is_err());
            redis.restart().unwrap();
            assert_eq!(redis.ask(&["EXISTS", "key"]).unwrap(), kept);
        }
    }
}
