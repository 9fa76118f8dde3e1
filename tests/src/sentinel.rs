//! A Redis with a replica, and a Sentinel that makes the replica the master when the master is gone.
//!
//! It must never be waited for by time: [`Sentinel::await_master`] asks it.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use redis::{FromRedisValue as _, Value};

use crate::fleet::PATIENCE;
use crate::redis::{Redis, ask};
use crate::supervised::Supervised;

/// What the Sentinel calls the master.
pub const MASTER: &str = "main";

/// The three servers. They end when this is dropped.
#[derive(Debug)]
pub struct Sentinel {
    /// The master at first.
    pub first: Redis,
    /// Its replica at first.
    pub second: Redis,
    sentinel: Supervised,
}

impl Sentinel {
    /// Starts all three, and waits until the Sentinel knows the replica.
    ///
    /// # Errors
    ///
    /// When redis-server is not installed or does not start.
    pub fn start() -> anyhow::Result<Self> {
        let first = Redis::durable()?;
        let second = Redis::replica_of(&first)?;
        until("the replica has every write", || {
            Ok(first.ask(&["WAIT", "1", "1000"])? == Value::Int(1))
        })?;
        // It asks the master for its replicas when it starts, and not again for ten seconds.
        let lines = [
            format!("sentinel monitor {MASTER} 127.0.0.1 {} 1", first.port()),
            format!("sentinel down-after-milliseconds {MASTER} 500"),
            format!("sentinel failover-timeout {MASTER} 2000"),
        ];
        let sentinel = Supervised::start("sentinel", &lines.each_ref().map(String::as_str))?;
        let started = Self {
            first,
            second,
            sentinel,
        };
        // Ten seconds and one second otherwise: a test has no time.
        started.ask(&[
            "SENTINEL",
            "DEBUG",
            "INFO-PERIOD",
            "200",
            "PING-PERIOD",
            "100",
        ])?;
        until("the replica is known", || {
            Ok(!rows(started.ask(&["SENTINEL", "REPLICAS", MASTER])?)?.is_empty())
        })?;
        Ok(started)
    }

    /// The URL of the Sentinel itself.
    #[must_use]
    pub fn url(&self) -> &str {
        self.sentinel.url()
    }

    /// `host:port` of the Sentinel.
    #[must_use]
    pub fn place(&self) -> &str {
        let place = self.url().trim_start_matches("redis://");
        place.split('/').next().unwrap_or_default()
    }

    /// Waits until the Sentinel names `redis` as the master, and that is one.
    ///
    /// # Errors
    ///
    /// When it does not come to that.
    pub fn await_master(&self, redis: &Redis) -> anyhow::Result<()> {
        until("the other one is the master", || {
            let master = self.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER])?;
            let place = Vec::<String>::from_redis_value(master)?;
            let role = rows(redis.ask(&["ROLE"])?)?;
            let named = place.get(1) == Some(&redis.port().to_string());
            Ok(named && role.first() == Some(&Value::BulkString(b"master".to_vec())))
        })
    }

    /// Lets master and replica change places in order.
    ///
    /// # Errors
    ///
    /// When the Sentinel does not answer.
    pub fn relieve(&self) -> anyhow::Result<()> {
        // It refuses until it has looked at the replica.
        until("the failover begins", || {
            Ok(self.ask(&["SENTINEL", "FAILOVER", MASTER]).is_ok())
        })
    }

    /// Kills the Sentinel: nobody changes the master any more.
    ///
    /// # Errors
    ///
    /// When the supervisor is gone.
    pub fn kill(&self) -> anyhow::Result<()> {
        self.sentinel.order("kill")
    }

    fn ask(&self, words: &[&str]) -> anyhow::Result<Value> {
        ask(self.url(), words)
    }
}

fn rows(value: Value) -> anyhow::Result<Vec<Value>> {
    match value {
        Value::Array(rows) => Ok(rows),
        other => bail!("no list: {other:?}"),
    }
}

fn until(what: &str, condition: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !condition()? {
        ensure!(Instant::now() < deadline, "it did not come to this: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_replica_takes_over_with_what_it_has() {
        let servers = Sentinel::start().unwrap();
        servers.first.ask(&["SET", "key", "value"]).unwrap();
        servers.first.ask(&["WAIT", "1", "0"]).unwrap();
        servers.first.kill().unwrap();

        servers.await_master(&servers.second).unwrap();
        let kept = servers.second.ask(&["GET", "key"]).unwrap();
        assert_eq!(kept, Value::BulkString(b"value".to_vec()));
        servers.second.ask(&["SET", "key", "other"]).unwrap();
    }
}
