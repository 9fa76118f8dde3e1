//! One connection to Redis, and when it is of no use any more.
//!
//! It must never judge by the command: what a server refuses for the command's
//! own sake, it would refuse on a new connection as well.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, Value};

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
}

impl State {
    pub(super) fn forget(&self) {
        self.forgotten.store(true, Ordering::Release);
    }
}

impl Connection {
    pub(super) fn new(inner: MultiplexedConnection, at: String) -> Self {
        let forgotten = AtomicBool::new(false);
        Self {
            inner,
            state: Arc::new(State { at, forgotten }),
        }
    }

    /// The handle that it came from will not use it again.
    pub fn forget(&self) {
        self.state.forget();
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
