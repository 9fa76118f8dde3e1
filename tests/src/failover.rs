//! A Redis, its replica, and a Sentinel that makes the one of them the other.
//!
//! It must never be used where one Redis would do: it takes a second until all
//! of them know of each other.

use std::collections::HashMap;

use anyhow::Context as _;
use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, FromRedisValue, cmd};

use crate::fleet::eventually;
use crate::redis::Redis;
use crate::supervised::Supervised;

/// What the Sentinel calls the master.
pub const MASTER: &str = "main";

/// Two Redis and one Sentinel. They end when this is dropped.
#[derive(Debug)]
pub struct Failover {
    /// The master at first.
    pub first: Redis,
    /// Its replica at first.
    pub second: Redis,
    /// Half a second after the master's death it begins to make the replica the master.
    pub sentinel: Sentinel,
}

/// One Sentinel. It ends when this is dropped.
#[derive(Debug)]
pub struct Sentinel(Supervised);

impl Failover {
    /// Starts them and waits until everything that a failover needs is known.
    ///
    /// # Errors
    ///
    /// When redis-server is not installed or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let all = Self {
            first: Redis::start()?,
            second: Redis::start()?,
            sentinel: Sentinel::start()?,
        };
        // It would wait five seconds for more replicas to come.
        let mut sync = cmd("CONFIG");
        sync.arg(&["SET", "repl-diskless-sync-delay", "0"]);
        let () = ask(all.first.url(), &sync).await?;
        let mut replicate = cmd("REPLICAOF");
        replicate.arg("127.0.0.1").arg(port(all.first.url())?);
        let () = ask(all.second.url(), &replicate).await?;
        all.sentinel.watch(&all.first).await?;
        eventually("the replica is in step and known", async || {
            all.is_complete().await
        })
        .await?;
        Ok(all)
    }

    /// The URL for clients.
    ///
    /// # Errors
    ///
    /// Never: the Sentinel has a port.
    pub fn url(&self) -> anyhow::Result<String> {
        Ok(format!(
            "redis+sentinel://{}/{MASTER}/0",
            self.sentinel.address()?
        ))
    }

    /// What the Sentinel wants to see before it makes a replica the master.
    async fn is_complete(&self) -> anyhow::Result<bool> {
        let mut replicas = cmd("SENTINEL");
        replicas.arg("REPLICAS").arg(MASTER);
        let replicas: Vec<HashMap<String, String>> = ask(self.sentinel.0.url(), &replicas).await?;
        let is = |replica: &HashMap<String, String>, field, value| {
            replica.get(field).is_some_and(|it| it == value)
        };
        Ok(replicas.iter().any(|replica| {
            is(replica, "flags", "slave") && is(replica, "master-link-status", "ok")
        }))
    }
}

impl Sentinel {
    /// Starts one that watches over nothing.
    ///
    /// # Errors
    ///
    /// When redis-server is not installed or does not start.
    pub fn start() -> anyhow::Result<Self> {
        Supervised::start("sentinel", &[]).map(Self)
    }

    /// Lets it watch over this master, as [`MASTER`].
    ///
    /// # Errors
    ///
    /// When it does so already.
    pub async fn watch(&self, redis: &Redis) -> anyhow::Result<()> {
        let mut monitor = cmd("SENTINEL");
        monitor.arg("MONITOR").arg(MASTER).arg("127.0.0.1");
        monitor.arg(port(redis.url())?).arg(1);
        let () = ask(self.0.url(), &monitor).await?;
        // A master counts as dead soon, and a failover that failed is tried again soon.
        let mut set = cmd("SENTINEL");
        set.arg("SET").arg(MASTER);
        set.arg("down-after-milliseconds").arg(500);
        set.arg("failover-timeout").arg(3000);
        ask(self.0.url(), &set).await
    }

    /// Its `host:port`.
    ///
    /// # Errors
    ///
    /// Never: it has a port.
    pub fn address(&self) -> anyhow::Result<String> {
        Ok(format!("127.0.0.1:{}", port(self.0.url())?))
    }

    /// Waits until it calls this Redis the master.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub async fn chooses(&self, redis: &Redis) -> anyhow::Result<()> {
        let expected = port(redis.url())?;
        let mut which = cmd("SENTINEL");
        which.arg("GET-MASTER-ADDR-BY-NAME").arg(MASTER);
        eventually("the Sentinel knows the new master", async || {
            let (_, master): (String, u16) = ask(self.0.url(), &which).await?;
            Ok(master == expected)
        })
        .await
    }

    /// Lets master and replica change places in order.
    ///
    /// # Errors
    ///
    /// When there is no replica.
    pub async fn switch(&self) -> anyhow::Result<()> {
        let mut failover = cmd("SENTINEL");
        failover.arg("FAILOVER").arg(MASTER);
        ask(self.0.url(), &failover).await
    }

    /// Kills it: nobody changes the master any more.
    ///
    /// # Errors
    ///
    /// When the supervisor is gone.
    pub fn kill(&self) -> anyhow::Result<()> {
        self.0.order("kill")
    }
}

fn port(url: &str) -> anyhow::Result<u16> {
    let (_, place) = url.rsplit_once(':').context("a URL without a port")?;
    Ok(place.split('/').next().unwrap_or_default().parse()?)
}

async fn ask<T: FromRedisValue>(url: &str, command: &Cmd) -> anyhow::Result<T> {
    let mut connection: MultiplexedConnection = Client::open(url)?
        .get_multiplexed_async_connection()
        .await?;
    Ok(command.query_async(&mut connection).await?)
}
