//! The mark that says that a job is queued, made before the job is sent, and in the same step the question whether its
//! tenant may send it.
//!
//! It must never be made of a job that has run: a result that has expired is no
//! reason to run the job again.

use std::sync::LazyLock;
use std::time::Duration;

use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::names::{
    ALL_TENANTS, DEFAULT_TENANT, ROUTES_KEY, STATE_TTL_SECONDS, TENANT_SERVED_MS, cancel_key,
    queued_key, rate_key, result_key, route, state_key, tenant_key,
};
use redis::{Script, ScriptInvocation};

use crate::client::Client;
use crate::error::{ClientError, Limit};
use crate::store::Doing;

static MARK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("mark.lua")));
static UNMARK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("unmark.lua")));

/// What was found when a job was to be marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marked {
    pub(crate) known: Known,
    /// Whether runners that are there know of the queue, if it is a tenant's own.
    pub(crate) is_served: bool,
}

/// What was known of an id before it was marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing.
    New,
    /// It was sent before.
    Sent,
    /// It has run, or was cancelled.
    Done,
    /// It is another tenant's.
    Taken,
    /// Nothing that would matter: its tenant may not send it now, and it is not marked.
    Limited(Limit, Duration),
}

impl Client {
    /// Says that jobs are queued, unless something is said of one already: an id
    /// sent twice may be running.
    pub(crate) async fn mark_queued(
        &self,
        jobs: &[&Job],
        now_ms: u64,
    ) -> Vec<Result<Marked, ClientError>> {
        let marks: Vec<_> = jobs
            .iter()
            .map(|job| (&job.id, mark(job, now_ms)))
            .collect();
        let ran = self.store.run_each("writing the state", &MARK, &marks);
        let ran = ran.await.into_iter();
        ran.map(|said: Result<Vec<String>, _>| said.map(|words| marked(&words)))
            .collect()
    }

    /// Takes back what [`mark_queued`](Self::mark_queued) said of jobs of these tenants.
    pub(crate) async fn unmark_queued(
        &self,
        jobs: &[(&JobId, &str)],
        now_ms: u64,
    ) -> Result<(), ClientError> {
        let unmarks = jobs.iter().map(|(id, tenant)| {
            let mut unmark = UNMARK.key(state_key(id));
            unmark.key(queued_key(tenant)).arg(now_ms).arg(id.as_str());
            (*id, unmark)
        });
        let unmarks: Vec<_> = unmarks.collect();
        let ran = self
            .store
            .run_each("taking back the state", &UNMARK, &unmarks);
        ran.await.into_iter().collect()
    }

    /// Takes a route that leads nowhere off the list of those that runners serve.
    pub(crate) async fn forget_route(&self, route: &str, id: &JobId) {
        let mut commands = redis::pipe();
        commands.zrem(ROUTES_KEY, route).ignore();
        let doing = Doing::of(id, "forgetting a route");
        if let Err(error) = self.store.ask::<()>(doing, &commands).await {
            tracing::debug!(route, %error, "a route that leads nowhere stays until it is forgotten");
        }
    }
}

fn mark(job: &Job, now_ms: u64) -> ScriptInvocation<'static> {
    // For whoever cancels it: the result says what the job said.
    let metadata = match job.metadata.is_empty() {
        true => String::new(),
        false => serde_json::to_string(&job.metadata).unwrap_or_default(),
    };
    let tenant = &job.tenant;
    let route = Some(route(&job.lane, tenant)).filter(|route| *route != job.lane);
    let mut mark = MARK.prepare_invoke();
    mark.key(result_key(&job.id))
        .key(state_key(&job.id))
        .key(cancel_key(&job.id))
        .key(tenant_key(tenant))
        .key(tenant_key(ALL_TENANTS))
        .key(rate_key(tenant))
        .key(queued_key(tenant))
        .key(ROUTES_KEY)
        .arg(now_ms)
        .arg(STATE_TTL_SECONDS)
        .arg(metadata)
        .arg(job.id.as_str())
        .arg(tenant)
        .arg(route.unwrap_or_default())
        .arg(TENANT_SERVED_MS)
        .arg(DEFAULT_TENANT);
    mark
}

/// Reads what the script says.
fn marked(said: &[String]) -> Marked {
    let word = |at: usize| said.get(at).map_or("", String::as_str);
    Marked {
        known: match word(0) {
            "new" => Known::New,
            "done" => Known::Done,
            "taken" => Known::Taken,
            "limited" => {
                let limit = match word(1) {
                    "rate" => Limit::Rate,
                    _ => Limit::Queued,
                };
                let retry_ms = word(2).parse().unwrap_or(1000);
                Known::Limited(limit, Duration::from_millis(retry_ms))
            }
            _ => Known::Sent,
        },
        is_served: word(1) != "unserved",
    }
}
