//! One connection to Redis, and when it is of no use any more.
//!
//! It must never judge by the command: what a server refuses for the command's
//! own sake, it would refuse on a new connection as well.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, Value};
use tokio_util::task::AbortOnDropHandle;

use super::server::Opened;

/// Below the time after which a connection without an answer counts as lost.
const LONGEST_WAIT: Duration = Duration::from_secs(4);

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

/// One connection: what is sent through it, and through its clones, reaches one
/// server in this order.
#[derive(Clone)]
pub struct Connection {
    inner: MultiplexedConnection,
    state: Arc<State>,
}

/// What its clones share.
pub(super) struct State {
    /// The server's URL without the password.
    pub(super) at: String,
    forgotten: AtomicBool,
    /// Ends with the last clone: a frozen server would keep it for ever.
    _driver: AbortOnDropHandle<()>,
}

impl State {
    pub(super) fn forget(&self) {
        self.forgotten.store(true, Ordering::Release);
    }
}

impl Connection {
    pub(super) fn new(opened: Opened, at: String) -> Self {
        Self {
            inner: opened.connection,
            state: Arc::new(State {
                at,
                forgotten: AtomicBool::new(false),
                _driver: opened.driver,
            }),
        }
    }

    /// The handle that it came from will not use it again.
    pub fn forget(&self) {
        self.state.forget();
    }

    /// Waits until so many replicas have all that was written through this connection, for at most
    /// `within` (a millisecond at least, four seconds at most), and returns how many have it then:
    /// fewer, if time was up. They have it in memory; what is on their disks this does not tell.
    ///
    /// Commands that other clones send meanwhile wait behind it: on [`Redis::apart`](crate::Redis::apart)
    /// they are nobody else's. A master that was deposed has no replicas: too few is no reason to try
    /// again here, but on the next connection.
    ///
    /// See <https://redis.io/docs/latest/commands/wait/>.
    ///
    /// # Errors
    ///
    /// When the connection is lost, or leads to a replica by now.
    pub async fn replicated(&mut self, replicas: u32, within: Duration) -> Result<u32, RedisError> {
        // To Redis, 0 is for ever.
        let within = within.clamp(Duration::from_millis(1), LONGEST_WAIT);
        let mut wait = redis::cmd("WAIT");
        wait.arg(replicas)
            .arg(u64::try_from(within.as_millis()).unwrap_or(1));
        let outcome = wait.query_async(&mut *self).await;
        // It is refused for one reason: this is no master.
        self.forget_if(outcome.is_err());
        outcome
    }

    pub(super) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    pub(super) fn is_forgotten(&self) -> bool {
        self.state.forgotten.load(Ordering::Acquire)
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

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.state.at).finish()
    }
}
