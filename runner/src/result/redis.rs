//! The store of a fleet: results written once, a hash for a job's state, a message when it is done.
//!
//! What must happen in one step is a script, in a file of its own beside this one. Must never announce a result that
//! is not stored, and never retry by itself: [`crate::spool`] and the pipeline know what can wait.

mod callback;

use std::sync::Arc;
use std::time::{Duration, Instant};

use glovebox_broker::{Connection, Redis};
use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{
    ALL_TENANTS, MAX_ATTEMPTS, RESULT_TTL_SECONDS, ROUTES_KEY, RUNNERS_KEY, STATE_TTL_SECONDS,
    TENANTS_KEY, USAGE_TTL_SECONDS, cancel_key, done_channel, hint_channel, output_key, queued_key,
    result_key, runner_key, runner_prefix, running_key, state_key, tenant_key, usage_key,
};
use glovebox_schemas::result::Attempt;
use redis::{RedisError, Script};
use tokio::sync::watch;

use super::{Asked, Before, Begun, Fate, Letter};
use crate::cancel::Registration;
use crate::lease::{Claim, Lease, TTL};
use crate::process::Process;

/// Chunks of live output that are kept for one job, roughly.
const MOST_CHUNKS: usize = 10_000;
/// Live output does not hold a job up for longer than this.
const STREAM_WITHIN: Duration = Duration::from_secs(1);

/// How long a job is left alone whose keys in Redis a stranger has made unusable.
const UNUSABLE_FOR: Duration = Duration::from_secs(10);

/// How many replicas must have a result before it counts as stored, and how long to wait for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Durability {
    /// 0 if the master's word is enough.
    pub replicas: u32,
    /// Milliseconds.
    pub within_ms: u32,
}

/// This runner's way to Redis.
#[derive(Clone)]
pub(crate) struct RedisStore {
    connection: Redis,
    /// Results have a connection of their own if it is held up by waiting for replicas.
    results: Redis,
    shared: Arc<Shared>,
}

struct Shared {
    runner: String,
    lease: Arc<Lease>,
    durability: Durability,
    away: watch::Sender<bool>,
    begin: Script,
    put: Script,
    release: Script,
    stream: Script,
}

impl RedisStore {
    pub(crate) fn new(
        connection: Redis,
        runner: String,
        lease: Arc<Lease>,
        durability: Durability,
    ) -> RedisStore {
        let script = |body| Script::new(body);
        RedisStore {
            results: match durability.replicas {
                0 => connection.clone(),
                _ => connection.apart(),
            },
            connection,
            shared: Arc::new(Shared {
                runner,
                lease,
                durability,
                away: watch::Sender::new(false),
                begin: script(concat!(
                    include_str!("history.lua"),
                    include_str!("begin.lua")
                )),
                put: script(include_str!("put.lua")),
                release: script(concat!(
                    include_str!("history.lua"),
                    include_str!("release.lua")
                )),
                stream: script(include_str!("stream.lua")),
            }),
        }
    }

    pub(crate) fn instance(&self) -> &str {
        &self.shared.lease.instance
    }

    /// Whether the last thing that was asked of Redis failed.
    pub(crate) fn is_away(&self) -> bool {
        *self.shared.away.borrow()
    }

    /// Waits until something that was asked of Redis succeeds; the heartbeat asks every second.
    pub(crate) async fn back(&self) {
        let mut away = self.shared.away.subscribe();
        // It can't be closed: we hold the sender.
        drop(away.wait_for(|away| !away).await);
    }

    /// Waits until something that is asked of Redis fails.
    pub(crate) async fn gone(&self) {
        let mut away = self.shared.away.subscribe();
        drop(away.wait_for(|away| *away).await);
    }

    /// Writes that a job runs here which was started without asking.
    pub(super) async fn write_later(
        &self,
        asked: &Asked<'_>,
        session: u64,
        registration: &Registration,
    ) {
        loop {
            self.back().await;
            match self.begin(asked).await {
                Before::Begun(_) => {
                    return registration.claim(Claim {
                        session,
                        written: true,
                    });
                }
                Before::Cancelled => return registration.cancel(),
                // That one which runs is never at its tenant's limit.
                Before::Away | Before::Limited => {}
                Before::Later(pause) => tokio::time::sleep(pause).await,
                Before::Done | Before::Elsewhere | Before::Deadly(_) => return registration.lose(),
            }
        }
    }

    /// Looks whether a job may start, and if so writes that it runs here.
    pub(super) async fn begin(&self, asked: &Asked<'_>) -> Before {
        if self.is_away() {
            return Before::Away;
        }
        let mut dead = String::new();
        loop {
            let said = match self.noted(self.ask_to_begin(asked, &dead).await) {
                Ok(said) => said,
                Err(error) if concerns_all(&error) => return Before::Away,
                Err(error) => {
                    tracing::error!(job = %asked.id, %error, "its keys in Redis can't be used");
                    return Before::Later(UNUSABLE_FOR);
                }
            };
            let word = |at: usize| said.get(at).map_or("", String::as_str);
            return match word(0) {
                "done" => Before::Done,
                "cancelled" => Before::Cancelled,
                "begun" => Before::Begun(begun(word(1))),
                "limited" => Before::Limited,
                "deadly" => Before::Deadly(begun(word(1))),
                "later" => Before::Later(Duration::from_millis(word(1).parse().unwrap_or(1000))),
                // Its heartbeat lives for a while longer than it did.
                _ if dead.is_empty() && Process::parse(word(2), word(3)).is_dead() => {
                    word(1).clone_into(&mut dead);
                    continue;
                }
                _ => Before::Elsewhere,
            };
        }
    }

    async fn ask_to_begin(&self, asked: &Asked<'_>, dead: &str) -> Result<Vec<String>, RedisError> {
        let (id, tenant) = (asked.id, asked.tenant);
        let now = jiff::Timestamp::now();
        let flag = |holds| if holds { "1" } else { "0" };
        let mut begin = self.shared.begin.prepare_invoke();
        begin
            .key(result_key(id))
            .key(cancel_key(id))
            .key(state_key(id))
            .key(tenant_key(tenant))
            .key(tenant_key(ALL_TENANTS))
            .key(running_key(tenant))
            .key(queued_key(tenant))
            .key(ROUTES_KEY)
            .key(hint_channel(id))
            .arg(&self.shared.runner)
            .arg(self.instance())
            .arg(now.as_millisecond())
            .arg(now.to_string())
            .arg(STATE_TTL_SECONDS)
            .arg(MAX_ATTEMPTS)
            .arg(runner_prefix())
            .arg(dead)
            .arg(flag(self.shared.lease.can_judge_others()))
            .arg(flag(asked.suspect))
            .arg(id.as_str())
            .arg(flag(asked.runs))
            .arg(asked.route.unwrap_or_default())
            .arg(tenant);
        begin.invoke_async(&mut self.connection.clone()).await
    }

    /// Stores results, in this order, and gives for each what became of it.
    pub(crate) async fn put_all(&self, letters: &[Letter]) -> Vec<Result<Fate, RedisError>> {
        let connection = match self.noted(self.results.connection().await) {
            Ok(connection) => connection,
            Err(error) => return letters.iter().map(|_| Err(error.clone())).collect(),
        };
        let puts = letters.iter().map(|letter| self.put(&connection, letter));
        let mut stored = futures_util::future::join_all(puts).await;
        if self.shared.durability.replicas > 0
            && let Err(error) = self.replicated(connection).await
        {
            tracing::warn!(%error, "stored, but not yet on the replicas");
            let again = || Err((redis::ErrorKind::Extension, "too few replicas have it").into());
            stored.iter_mut().for_each(|one| *one = again());
        }
        stored
    }

    async fn put(&self, connection: &Connection, letter: &Letter) -> Result<Fate, RedisError> {
        let mut put = self.shared.put.prepare_invoke();
        put.key(result_key(&letter.id))
            .key(state_key(&letter.id))
            .key(done_channel(&letter.id))
            .key(running_key(&letter.tenant))
            .key(usage_key(&letter.tenant, &letter.day))
            .key(TENANTS_KEY)
            .key(queued_key(&letter.tenant))
            .arg(&letter.document)
            .arg(RESULT_TTL_SECONDS)
            .arg(letter.attempt)
            .arg(&letter.runner)
            .arg(&letter.instance)
            .arg(letter.status)
            .arg(runner_prefix())
            .arg(STATE_TTL_SECONDS)
            .arg(letter.id.as_str())
            .arg(USAGE_TTL_SECONDS)
            .arg(&letter.tenant);
        for (what, amount) in letter.used {
            put.arg(what).arg(amount);
        }
        let said: String = self.noted(put.invoke_async(&mut connection.clone()).await)?;
        Ok(match said.as_str() {
            "stored" => Fate::Stored,
            "elsewhere" => Fate::Elsewhere,
            _ => {
                tracing::warn!(job = %letter.id, "it had a result already; the first one stands");
                Fate::Other
            }
        })
    }

    /// What this connection wrote is on as many replicas as are asked for.
    async fn replicated(&self, mut connection: Connection) -> Result<(), RedisError> {
        let Durability {
            replicas,
            within_ms,
        } = self.shared.durability;
        let within = Duration::from_millis(within_ms.into());
        let have = connection.replicated(replicas, within).await?;
        match have >= replicas {
            true => Ok(()),
            false => Err((
                redis::ErrorKind::Extension,
                "too few replicas answered in time",
            )
                .into()),
        }
    }

    pub(super) async fn release(&self, id: &JobId, tenant: &str, ended: &str) {
        let mut release = self.shared.release.prepare_invoke();
        release
            .key(state_key(id))
            .key(running_key(tenant))
            .arg(self.instance())
            .arg(ended)
            .arg(id.as_str())
            .arg(&self.shared.runner);
        let released = release
            .invoke_async::<()>(&mut self.connection.clone())
            .await;
        if let Err(error) = self.noted(released) {
            tracing::warn!(job = %id, %error, "its state still says that it runs here");
        }
    }

    pub(super) async fn stream(&self, id: &JobId, stream: &'static str, chunk: &[u8]) {
        let mut add = self.shared.stream.prepare_invoke();
        add.key(output_key(id))
            .key(result_key(id))
            .key(hint_channel(id))
            .arg(MOST_CHUNKS)
            .arg(RESULT_TTL_SECONDS)
            .arg(stream)
            .arg(chunk);
        let mut connection = self.connection.clone();
        let sent = add.invoke_async::<()>(&mut connection);
        match tokio::time::timeout(STREAM_WITHIN, sent).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(job = %id, %error, "live output is lost"),
            Err(_) => tracing::warn!(job = %id, "live output is lost: Redis did not answer"),
        }
    }

    /// Whether another process lives under this runner's name, or may.
    pub(crate) async fn namesake(&self) -> Result<bool, RedisError> {
        let mut look = redis::cmd("HMGET");
        look.arg(runner_key(&self.shared.runner))
            .arg(&["instance", "host", "pid"]);
        let found: (Option<String>, Option<String>, Option<String>) =
            look.query_async(&mut self.connection.clone()).await?;
        let (instance, host, pid) = found;
        let here = Process::parse(&host.unwrap_or_default(), &pid.unwrap_or_default());
        Ok(instance.is_some_and(|instance| instance != self.instance()) && !here.is_dead())
    }

    /// Renews the lease, and gives those of `ids` that their owners have cancelled.
    pub(crate) async fn beat(
        &self,
        fields: &[(&str, String)],
        ids: &[JobId],
    ) -> Result<Vec<JobId>, RedisError> {
        let key = runner_key(&self.shared.runner);
        let mut commands = redis::pipe();
        commands
            .atomic()
            .hset_multiple(&key, fields)
            .ignore()
            .expire(&key, i64::try_from(TTL.as_secs()).unwrap_or(i64::MAX))
            .ignore()
            .zadd(
                RUNNERS_KEY,
                &self.shared.runner,
                jiff::Timestamp::now().as_millisecond(),
            )
            .ignore();
        for id in ids {
            commands.exists(cancel_key(id));
        }
        let sent = Instant::now();
        let marks: Vec<bool> =
            self.noted(commands.query_async(&mut self.connection.clone()).await)?;
        self.shared.lease.renewed(sent);
        let marked = ids.iter().zip(marks).filter(|(_, marked)| *marked);
        Ok(marked.map(|(id, _)| id.clone()).collect())
    }

    /// Those of `ids` of which Redis says that another process has them. One by one: a stranger may have made the
    /// state of one unusable.
    pub(crate) async fn taken_over(&self, ids: Vec<JobId>) -> Vec<JobId> {
        let looks = ids.into_iter().map(|id| async {
            let mut look = redis::cmd("HGET");
            look.arg(state_key(&id)).arg("instance");
            let found = look.query_async(&mut self.connection.clone()).await;
            // What can't be asked is asked again with the next beat.
            let instance: Option<String> = found.unwrap_or_default();
            (instance.is_some_and(|instance| instance != self.instance())).then_some(id)
        });
        let taken = futures_util::future::join_all(looks).await;
        taken.into_iter().flatten().collect()
    }

    /// The routes of tenants, and for each the milliseconds since it was last used.
    pub(crate) async fn routes(&self) -> Result<Vec<(String, u64)>, RedisError> {
        let mut commands = redis::pipe();
        commands.cmd("TIME").zrange_withscores(ROUTES_KEY, 0, -1);
        type Answer = ((u64, u64), Vec<(String, f64)>);
        let answer = commands.query_async(&mut self.connection.clone()).await;
        let ((seconds, _), routes): Answer = self.noted(answer)?;
        let idle_ms = |used_ms: f64| {
            let used = Duration::try_from_secs_f64(used_ms / 1000.0).unwrap_or_default();
            let idle = Duration::from_secs(seconds).saturating_sub(used);
            u64::try_from(idle.as_millis()).unwrap_or(u64::MAX)
        };
        let routes = routes.into_iter();
        Ok(routes.map(|(route, used)| (route, idle_ms(used))).collect())
    }

    /// Lists routes that nobody lists any more. Whatever prevents that is met by the next look as well.
    pub(crate) async fn list_routes(&self, routes: &[String]) {
        let now = jiff::Timestamp::now().as_millisecond();
        let mut commands = redis::pipe();
        for route in routes {
            let mut add = redis::cmd("ZADD");
            add.arg(ROUTES_KEY).arg("NX").arg(now).arg(route);
            commands.add_command(add).ignore();
        }
        let added: Result<(), _> = commands.query_async(&mut self.connection.clone()).await;
        if let Err(error) = self.noted(added) {
            tracing::warn!(%error, "queues of tenants are not listed");
        }
    }

    /// Takes the heartbeat away, when the runner stops.
    pub(crate) async fn forget(&self) -> Result<(), RedisError> {
        let mut commands = redis::pipe();
        commands
            .del(runner_key(&self.shared.runner))
            .ignore()
            .zrem(RUNNERS_KEY, &self.shared.runner)
            .ignore();
        commands.query_async(&mut self.connection.clone()).await
    }

    /// Notes from an answer whether Redis is there.
    fn noted<T>(&self, answer: Result<T, RedisError>) -> Result<T, RedisError> {
        let failed = answer
            .as_ref()
            .err()
            .filter(|error| concerns_all(error))
            .map(ToString::to_string);
        self.shared.away.send_if_modified(|away| {
            let before = std::mem::replace(away, failed.is_some());
            match (&failed, before) {
                (Some(error), false) => tracing::warn!(%error, "Redis is away"),
                (None, true) => tracing::info!("Redis is back"),
                _ => {}
            }
            before != failed.is_some()
        });
        answer
    }
}

/// Whether an error would have met any other job as well. A stranger's key of another type does not.
fn concerns_all(error: &RedisError) -> bool {
    !matches!(error.code(), Some("WRONGTYPE" | "ERR"))
}

/// The attempt that follows those of a history as the scripts give it.
fn begun(history: &str) -> Begun {
    let earlier: Vec<Attempt> = serde_json::from_str(history).unwrap_or_else(|error| {
        // Only a stranger in Redis can have written that.
        tracing::warn!(%error, "the history of a job's attempts can't be read");
        Vec::new()
    });
    Begun { earlier }
}
