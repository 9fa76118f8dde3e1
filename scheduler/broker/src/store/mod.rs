//! Redis for commands: a handle that connects anew when its connection is lost,
//! and one connection for commands that belong together.
//!
//! redis-rs's own manager is not used: it keeps a connection that has stopped
//! answering, and one to a server that is no master any more.
//!
//! It must never retry a command (whether it is safe twice only its owner
//! knows), wait without a limit, or hand out a connection to a server that
//! would refuse to write.

mod dial;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, Value};
use tokio::sync::Mutex;
use tokio::time::Instant;

use self::dial::Dialer;
use crate::Retry;
use crate::error::BrokerError;

pub use self::dial::subscribe;

/// After a failed attempt nobody makes another one for about this long: what
/// comes meanwhile gets the same answer. Short, since it adds to every outage.
const HOLD_OFF: Duration = Duration::from_millis(150);
const LONGEST_HOLD_OFF: Duration = Duration::from_millis(500);

/// What a server says that will not do for us any longer, though it answers:
/// it is a replica now, has lost its master, or has just been started.
const NO_MASTER: [&str; 6] = [
    "READONLY",
    "MASTERDOWN",
    "LOADING",
    "CLUSTERDOWN",
    "MOVED",
    "UNBLOCKED",
];

/// Connects to Redis and checks that it is one that can be written to.
///
/// # Errors
///
/// A [`BrokerError`] that tells a wrong URL, a server out of reach, a mute or a
/// foreign one and wrong credentials apart.
pub async fn connect_redis(url: &str) -> Result<Redis, BrokerError> {
    let dialer = Dialer::new(url)?;
    let first = dialer.dial().await?;
    Ok(Redis::new(dialer, Some(first)))
}

/// A handle on Redis; its clones share one connection.
///
/// A connection that breaks, gives no answer for five seconds, or leads to a
/// server that is no master any more is given up: the command that met this
/// fails, and the next one connects anew, within eight seconds. However many
/// come at once, they make one attempt and share its outcome.
#[derive(Clone)]
pub struct Redis(Arc<Shared>);

struct Shared {
    dialer: Dialer,
    /// Held while connecting: the others wait for what comes of it.
    slot: Mutex<Slot>,
}

struct Slot {
    current: Option<Connection>,
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

    fn new(dialer: Dialer, first: Option<MultiplexedConnection>) -> Self {
        let slot = Slot {
            current: first.map(Connection::new),
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
        if let Some(connection) = slot.current.as_ref().filter(|it| !it.is_forgotten()) {
            return Ok(connection.clone());
        }
        slot.current = None;
        if let Some(failure) = &slot.failure
            && Instant::now() < failure.until
        {
            return Err(wrapped(&failure.error));
        }
        match self.0.dialer.dial().await {
            Ok(connection) => {
                slot.failure = None;
                slot.retry.reset();
                Ok(slot.current.insert(Connection::new(connection)).clone())
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
}

/// redis-rs has one type of error, and what uses a connection expects it.
fn wrapped(error: &Arc<BrokerError>) -> RedisError {
    io::Error::new(io::ErrorKind::NotConnected, Arc::clone(error)).into()
}

/// One connection: what is sent through it, and through its clones, reaches one
/// server in this order.
#[derive(Clone)]
pub struct Connection {
    inner: MultiplexedConnection,
    forgotten: Arc<AtomicBool>,
}

impl Connection {
    fn new(inner: MultiplexedConnection) -> Self {
        Self {
            inner,
            forgotten: Arc::default(),
        }
    }

    /// The handle that it came from will not use it again.
    pub fn forget(&self) {
        self.forgotten.store(true, Ordering::Release);
    }

    fn is_forgotten(&self) -> bool {
        self.forgotten.load(Ordering::Acquire)
    }

    fn forget_if(&self, is_of_no_use: bool) {
        if is_of_no_use {
            self.forget();
        }
    }
}

/// A timeout counts: the peer may be frozen, and what comes late would be the
/// answer to something else.
fn ends_the_connection(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Io | ErrorKind::Parse => true,
        _ => error
            .clone()
            .into_server_errors()
            .is_some_and(|errors| errors.iter().any(|(_, error)| says_no_master(error.code()))),
    }
}

fn says_no_master(code: &str) -> bool {
    NO_MASTER.contains(&code)
}

/// A server's refusal arrives as a value here.
fn refuses(value: &Value) -> bool {
    match value {
        Value::ServerError(error) => says_no_master(error.code()),
        // What a transaction answers.
        Value::Array(values) => values.iter().any(refuses),
        _ => false,
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let outcome = self.inner.req_packed_command(command).await;
            self.forget_if(match &outcome {
                Ok(value) => refuses(value),
                Err(error) => ends_the_connection(error),
            });
            outcome
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let outcome = self
                .inner
                .req_packed_commands(commands, offset, count)
                .await;
            self.forget_if(match &outcome {
                Ok(values) => values.iter().any(refuses),
                Err(error) => ends_the_connection(error),
            });
            outcome
        })
    }

    fn get_db(&self) -> i64 {
        self.inner.get_db()
    }
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

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("forgotten", &self.forgotten)
            .finish_non_exhaustive()
    }
}
