//! A virtual host and a Redis for one test, on servers that tests share.
//!
//! `ops/test` starts one RabbitMQ and one Redis for the whole run and names
//! them in `GLOVEBOX_TEST_AMQP_URL`, `GLOVEBOX_TEST_RABBITMQ_DIR` (its folder,
//! through which virtual hosts are made) and `GLOVEBOX_TEST_REDIS_URL`. Without
//! these, each process starts its own at first use, and they end with it.
//!
//! RabbitMQ is isolated by a virtual host per test, because the names of
//! exchanges and queues are fixed by the contract. Redis is not isolated: every
//! key there carries a job's id, and ids are unique. So a test must never
//! flush the shared Redis or count its keys.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;

use crate::rabbit::{Rabbit, erl, folder_of, new_vhost};
use crate::redis::Redis;

/// The URLs of a test's own virtual host and of the shared Redis.
#[derive(Debug, Clone)]
pub struct Services {
    /// For `GLOVEBOX_AMQP_URL`.
    pub amqp_url: String,
    /// For `GLOVEBOX_REDIS_URL`.
    pub redis_url: String,
}

impl Services {
    /// Both, new and empty as far as this test can see.
    ///
    /// # Errors
    ///
    /// When a server is not installed or does not start.
    pub fn isolated() -> anyhow::Result<Self> {
        Ok(Self {
            amqp_url: Self::isolated_vhost()?,
            redis_url: Self::shared_redis()?,
        })
    }

    /// The URL of a new virtual host alone.
    ///
    /// # Errors
    ///
    /// When RabbitMQ is not installed or does not start.
    pub fn isolated_vhost() -> anyhow::Result<String> {
        let (url, dir) = shared_rabbit()?;
        new_vhost(&url, &dir)
    }

    /// Closes every connection to the virtual host, as its operator could.
    ///
    /// # Errors
    ///
    /// When the broker does not answer.
    pub fn close_connections(&self) -> anyhow::Result<()> {
        let all = format!("rabbit_connection_tracking:list(<<\"{}\">>)", self.vhost());
        self.erl(&format!(
            "rabbit_connection_tracking:close_connections({all}, \"test\", 0)"
        ))
        .map(drop)
    }

    /// How many messages a quorum queue has, those included that somebody has taken and not settled, and those that are
    /// on their way to the dead letters. A passive declare counts neither, and what RabbitMQ's own tools show is some
    /// seconds old.
    ///
    /// # Errors
    ///
    /// When the broker does not answer, or there is no such queue.
    pub fn messages(&self, queue: &str) -> anyhow::Result<usize> {
        let name = format!(
            "rabbit_misc:r(<<\"{}\">>, queue, <<\"{queue}\">>)",
            self.vhost()
        );
        let total = "fun rabbit_fifo:query_messages_total/1";
        let count = self.erl(&format!(
            "{{ok, Q}} = rabbit_amqqueue:lookup({name}),
             {{ok, {{_, N}}, _}} = ra:local_query(amqqueue:get_pid(Q), {total}), N"
        ))?;
        count
            .parse()
            .with_context(|| format!("{queue} has {count:?} messages"))
    }

    fn vhost(&self) -> &str {
        match self.amqp_url.rsplit('/').next() {
            Some("%2f") | None => "/",
            Some(name) => name,
        }
    }

    fn erl(&self, expression: &str) -> anyhow::Result<String> {
        let (shared, dir) = shared_rabbit()?;
        let is_shared = place(&shared) == place(&self.amqp_url);
        let dir = if is_shared {
            dir
        } else {
            folder_of(&self.amqp_url)?
        };
        erl(&dir, expression)
    }

    /// The URL of the shared Redis alone.
    ///
    /// # Errors
    ///
    /// When Redis is not installed or does not start.
    pub fn shared_redis() -> anyhow::Result<String> {
        static OWN: Mutex<Option<Redis>> = Mutex::new(None);
        if let Ok(url) = std::env::var("GLOVEBOX_TEST_REDIS_URL") {
            return Ok(url);
        }
        let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        match &*own {
            Some(redis) => Ok(redis.url().to_owned()),
            None => Ok(own.insert(Redis::start()?).url().to_owned()),
        }
    }
}

/// The URL and the folder of the RabbitMQ that tests share.
fn shared_rabbit() -> anyhow::Result<(String, PathBuf)> {
    static OWN: Mutex<Option<Rabbit>> = Mutex::new(None);
    if let Ok(url) = std::env::var("GLOVEBOX_TEST_AMQP_URL") {
        let dir = std::env::var_os("GLOVEBOX_TEST_RABBITMQ_DIR")
            .context("GLOVEBOX_TEST_AMQP_URL is set and GLOVEBOX_TEST_RABBITMQ_DIR is not: unset both, or let `ops/test` set them")?;
        return Ok((url, dir.into()));
    }
    let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    let rabbit = match own.take() {
        Some(rabbit) => rabbit,
        None => Rabbit::start()?,
    };
    let rabbit = own.insert(rabbit);
    Ok((rabbit.url().to_owned(), rabbit.dir().to_owned()))
}

/// `host:port` of a URL.
pub(crate) fn place(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let rest = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    let place = rest.split('/').next()?;
    place.contains(':').then_some(place)
}
