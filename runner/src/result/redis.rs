//! The store of a fleet: `SET … NX EX` for results, a hash for a job's state, a message when it is done.
//!
//! Every write is retried for as long as it takes: nothing is acknowledged before its result is here.
//! Must never announce a result that is not stored; both happen in one script.

use std::sync::Arc;
use std::time::Duration;

use glovebox_broker::{Redis, Retry};
use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{
    RESULT_TTL_SECONDS, cancel_key, done_channel, output_key, result_key, state_key,
};
use glovebox_schemas::result::JobResult;
use redis::{RedisError, Script};

use super::Before;

/// Looks and marks in one step: a job must not be called running once it is done. A state that still
/// says `running` was left by a runner that died, since one that gives a job back says so.
const BEGIN: &str = r"
if redis.call('EXISTS', KEYS[1]) == 1 then return 'done' end
if redis.call('EXISTS', KEYS[2]) == 1 then return 'cancelled' end
if ARGV[5] == 'last' and redis.call('HGET', KEYS[3], 'state') == 'running' then return 'deadly' end
redis.call('HSET', KEYS[3], 'state', 'running', 'attempt', ARGV[1], 'runner', ARGV[2], 'since', ARGV[3])
redis.call('EXPIRE', KEYS[3], ARGV[4])
return 'new'
";
/// Only the first result is stored, and only what is stored is announced.
const PUT: &str = r"
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2]) then return 0 end
redis.call('HSET', KEYS[2], 'state', 'done', 'attempt', ARGV[3], 'runner', ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[2])
redis.call('PUBLISH', KEYS[3], ARGV[5])
return 1
";
/// Given back: it waits again, unless somebody else has begun it meanwhile.
const RELEASE: &str = r"
if redis.call('HGET', KEYS[1], 'state') == 'running' then redis.call('HSET', KEYS[1], 'state', 'queued') end
return 0
";
/// Chunks of live output that are kept for one job, roughly.
const MOST_CHUNKS: usize = 10_000;
/// Live output does not hold a job up for longer than this.
const STREAM_WITHIN: Duration = Duration::from_secs(1);

/// A connection that mends itself.
#[derive(Clone)]
pub(crate) struct RedisStore {
    connection: Redis,
    scripts: Arc<Scripts>,
}

struct Scripts {
    begin: Script,
    put: Script,
    release: Script,
}

impl RedisStore {
    pub(crate) fn new(connection: Redis) -> RedisStore {
        RedisStore {
            connection,
            scripts: Arc::new(Scripts {
                begin: Script::new(BEGIN),
                put: Script::new(PUT),
                release: Script::new(RELEASE),
            }),
        }
    }

    pub(super) async fn begin(&self, id: &JobId, attempt: u32, last: bool, runner: &str) -> Before {
        let mut begin = self.scripts.begin.prepare_invoke();
        begin
            .key(result_key(id))
            .key(cancel_key(id))
            .key(state_key(id))
            .arg(attempt)
            .arg(runner)
            .arg(jiff::Timestamp::now().as_millisecond())
            .arg(RESULT_TTL_SECONDS)
            .arg(if last { "last" } else { "" });
        let begin = &begin;
        let said: String = self
            .insist(|mut connection| async move { begin.invoke_async(&mut connection).await })
            .await;
        match said.as_str() {
            "done" => Before::Done,
            "cancelled" => Before::Cancelled,
            "deadly" => Before::Deadly,
            _ => Before::New,
        }
    }

    pub(super) async fn put(&self, result: &JobResult) {
        let mut put = self.scripts.put.prepare_invoke();
        put.key(result_key(&result.id))
            .key(state_key(&result.id))
            .key(done_channel(&result.id))
            .arg(result.to_json())
            .arg(RESULT_TTL_SECONDS)
            .arg(result.attempt)
            .arg(&result.runner)
            .arg(result.status.as_str());
        let put = &put;
        let stored: bool = self
            .insist(|mut connection| async move { put.invoke_async(&mut connection).await })
            .await;
        if !stored {
            tracing::warn!(job = %result.id, "it had a result already; the first one stands");
        }
    }

    pub(super) async fn release(&self, id: &JobId) {
        let mut connection = self.connection.clone();
        let released = self
            .scripts
            .release
            .key(state_key(id))
            .invoke_async::<()>(&mut connection)
            .await;
        if let Err(error) = released {
            tracing::warn!(job = %id, %error, "its state still says that it runs here");
        }
    }

    pub(super) async fn stream(&self, id: &JobId, stream: &'static str, chunk: &[u8]) {
        let key = output_key(id);
        let mut commands = redis::pipe();
        commands
            .cmd("XADD")
            .arg(&key)
            .arg("MAXLEN")
            .arg("~")
            .arg(MOST_CHUNKS)
            .arg("*")
            .arg("stream")
            .arg(stream)
            .arg("data")
            .arg(chunk)
            .ignore()
            .cmd("EXPIRE")
            .arg(&key)
            .arg(RESULT_TTL_SECONDS)
            .ignore();
        let mut connection = self.connection.clone();
        let sent = commands.query_async::<()>(&mut connection);
        match tokio::time::timeout(STREAM_WITHIN, sent).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(job = %id, %error, "live output is lost"),
            Err(_) => tracing::warn!(job = %id, "live output is lost: Redis did not answer"),
        }
    }

    /// Writes this runner's heartbeat; one that fails is followed by the next.
    pub(crate) async fn heartbeat(
        &self,
        key: &str,
        fields: &[(&str, String)],
        ttl: Duration,
    ) -> Result<(), RedisError> {
        let mut commands = redis::pipe();
        commands
            .atomic()
            .hset_multiple(key, fields)
            .ignore()
            .expire(key, i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX))
            .ignore();
        let mut connection = self.connection.clone();
        commands.query_async(&mut connection).await
    }

    /// Removes it, when the runner stops.
    pub(crate) async fn forget(&self, key: &str) -> Result<(), RedisError> {
        let mut connection = self.connection.clone();
        redis::cmd("DEL")
            .arg(key)
            .query_async(&mut connection)
            .await
    }

    /// Repeats until it succeeds, with backoff.
    async fn insist<T, F>(&self, attempt: impl Fn(Redis) -> F) -> T
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let mut retry = Retry::for_servers();
        loop {
            match attempt(self.connection.clone()).await {
                Ok(value) => return value,
                Err(error) => {
                    let delay = retry.next_delay();
                    let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                    tracing::warn!(%error, delay_ms, "Redis is away; trying again");
                    tokio::time::sleep(delay).await;
                }
            }
        }
    }
}
