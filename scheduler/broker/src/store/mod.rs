//! Redis for commands: a handle that connects anew when its connection is lost,
//! and one connection for commands that belong together.
//!
//! redis-rs's own manager is not used: it keeps a connection that has stopped
//! answering, and one to a server that is no master any more.
//!
//! It must never retry a command (whether it is safe twice only its owner
//! knows), wait without a limit, or hand out a connection to a server that
//! would refuse to write.

mod connection;
mod dial;
mod sentinel;
mod server;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisError, RedisFuture, Value};
use tokio::sync::Mutex;
use tokio::time::Instant;

use self::dial::Dialer;
use crate::Retry;
use crate::error::BrokerError;

pub use self::connection::Connection;
pub use self::dial::subscribe;

/// After a failed attempt nobody makes another one for about this long: what
/// comes meanwhile gets the same answer. Short, since it adds to every outage.
const HOLD_OFF: Duration = Duration::from_millis(150);
const LONGEST_HOLD_OFF: Duration = Duration::from_millis(500);

/// How often Sentinels are asked whether the master is another one by now, while there are commands.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Connects to Redis and checks that it is one that can be written to.
///
/// `url` is `redis://[[user]:password@]host[:port][/db]`, or, where Sentinels watch over it,
/// `redis+sentinel://[[user]:password@]host[:port][,host[:port]…]/name[/db]`: the hosts are the
/// Sentinels', at port 26379 if none is given, the name is what they call the master, user and password are the
/// master's. Sentinels that want a login of their own get it from the parameters `sentinel_password`
/// and `sentinel_user`. They are asked anew at each connect. With `rediss` for `redis` all of them are spoken to
/// with TLS, and [`trust`](crate::trust) says whose certificates will do.
///
/// # Errors
///
/// A [`BrokerError`] that tells a wrong URL, a server out of reach, a mute or a
/// foreign one, wrong credentials, a replica, Sentinels out of reach and a name
/// that they do not know apart.
pub async fn connect_redis(url: &str) -> Result<Redis, BrokerError> {
    let dialer = Dialer::new(url)?;
    let (first, at) = dialer.dial().await?;
    Ok(Redis::new(dialer, Some(Connection::new(first, at))))
}

/// A handle on Redis; its clones share one connection.
///
/// A connection that breaks, gives no answer for five seconds, or leads to a
/// server that is no master any more is given up: the command that met this
/// fails, and the next one connects anew, within eight seconds a server. However many
/// come at once, they make one attempt and share its outcome. With Sentinels, a
/// change of the master is also noticed within a second of the next command.
#[derive(Clone)]
pub struct Redis(Arc<Shared>);

struct Shared {
    dialer: Dialer,
    /// Held while connecting: the others wait for what comes of it.
    slot: Mutex<Slot>,
}

struct Slot {
    current: Option<Connection>,
    asked: Instant,
    failure: Option<Failure>,
    retry: Retry,
}

struct Failure {
    error: Arc<BrokerError>,
    until: Instant,
}

impl Redis {
    /// A handle that connects at its first command.
    ///
    /// # Errors
    ///
    /// [`BrokerError::Url`] when the URL itself is wrong.
    pub fn lazy(url: &str) -> Result<Self, BrokerError> {
        Ok(Self::new(Dialer::new(url)?, None))
    }

    fn new(dialer: Dialer, current: Option<Connection>) -> Self {
        let slot = Slot {
            current,
            asked: Instant::now(),
            failure: None,
            retry: Retry::new(HOLD_OFF, LONGEST_HOLD_OFF),
        };
        Self(Arc::new(Shared {
            dialer,
            slot: Mutex::new(slot),
        }))
    }

    /// A second handle on the same server, with a connection of its own: for
    /// commands that hold up what comes after them, as `WAIT` does.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self::new(self.0.dialer.clone(), None)
    }

    /// The connection that is in use now, or a new one.
    ///
    /// # Errors
    ///
    /// When there is none; [`BrokerError::behind`] tells why.
    pub async fn connection(&self) -> Result<Connection, RedisError> {
        let mut slot = self.0.slot.lock().await;
        if let Some(connection) = slot.current.clone().filter(|it| !it.is_forgotten()) {
            if self.0.dialer.may_change() && slot.asked.elapsed() >= ASK_AGAIN {
                slot.asked = Instant::now();
                self.ask_again(&connection);
            }
            return Ok(connection);
        }
        slot.current = None;
        if let Some(failure) = &slot.failure
            && Instant::now() < failure.until
        {
            return Err(wrapped(&failure.error));
        }
        match self.0.dialer.dial().await {
            Ok((connection, at)) => {
                slot.failure = None;
                slot.retry.reset();
                slot.asked = Instant::now();
                let connection = Connection::new(connection, at);
                Ok(slot.current.insert(connection).clone())
            }
            Err(error) => {
                let error = Arc::new(error);
                let until = Instant::now() + slot.retry.next_delay();
                let outcome = Err(wrapped(&error));
                slot.failure = Some(Failure { error, until });
                outcome
            }
        }
    }

    /// Nobody waits for the answer: it comes in time for one of the next commands.
    fn ask_again(&self, connection: &Connection) {
        let (dialer, state) = (self.0.dialer.clone(), connection.state());
        tokio::spawn(async move {
            if dialer.leads_elsewhere(&state.at).await {
                state.forget();
            }
        });
    }
}

/// redis-rs has one type of error, and what uses a connection expects it.
fn wrapped(error: &Arc<BrokerError>) -> RedisError {
    io::Error::new(io::ErrorKind::NotConnected, Arc::clone(error)).into()
}

impl ConnectionLike for Redis {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let mut connection = self.connection().await?;
            connection.req_packed_command(command).await
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let mut connection = self.connection().await?;
            connection
                .req_packed_commands(commands, offset, count)
                .await
        })
    }

    fn get_db(&self) -> i64 {
        self.0.dialer.db()
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Redis").field(&self.0.dialer).finish()
    }
}
