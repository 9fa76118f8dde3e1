//! What every request is answered with, and who asks.
//!
//! Nothing here lives longer than a request but what another of these servers could make anew: any of them answers any
//! request.

use std::collections::HashMap;
use std::sync::{self, Arc, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use glovebox_schemas::job::{Job, MAX_JOB_BYTES};
use glovebox_schemas::language::Language;
use glovebox_schemas::names::DEFAULT_TENANT;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::backend::Backend;
use crate::dify;
use crate::keys::{Holder, Keys};
use crate::metrics::{Metrics, Waiting};
use crate::problem::Problem;

/// How long the list of languages may be old.
const LANGUAGES_FOR: Duration = Duration::from_secs(5);

/// What an operator can set.
#[derive(Debug, Clone)]
pub struct Config {
    /// The keys that are let in.
    pub keys: Keys,
    /// The largest body of one job, in bytes.
    pub max_body: usize,
    /// The largest body of a batch, in bytes.
    pub max_batch_body: usize,
    /// Bytes of bodies that are held at one time, by all requests together.
    pub max_bodies: usize,
    /// Requests that wait for a result or follow a job at one time.
    pub max_waiters: usize,
    /// What DifySandbox's endpoints do.
    pub dify: dify::DifyConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            keys: Keys::default(),
            max_body: MAX_JOB_BYTES,
            max_batch_body: 64 << 20,
            max_bodies: 256 << 20,
            max_waiters: 10_000,
            dify: dify::DifyConfig::default(),
        }
    }
}

/// What every request is answered with.
pub struct App {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) config: Config,
    pub(crate) metrics: Metrics,
    waiters: Arc<Semaphore>,
    own_waiters: Arc<OwnWaiters>,
    /// In KiB.
    pub(crate) bodies: Semaphore,
    /// Cancelled when the server stops: nobody is to be kept waiting then.
    pub(crate) stopping: CancellationToken,
    languages: Mutex<Option<(Instant, Arc<[Language]>)>>,
    pub(crate) dependencies: dify::Known,
}

impl App {
    /// A server for this backend that answers nothing yet.
    #[must_use]
    pub fn new(backend: Arc<dyn Backend>, config: Config) -> Arc<Self> {
        Arc::new(Self {
            backend,
            metrics: Metrics::new(),
            waiters: Arc::new(Semaphore::new(config.max_waiters)),
            own_waiters: Arc::default(),
            bodies: Semaphore::new(config.max_bodies >> 10),
            stopping: CancellationToken::new(),
            languages: Mutex::default(),
            dependencies: dify::Known::default(),
            config,
        })
    }

    /// What jobs can be written in, as it was a few seconds ago.
    pub(crate) async fn languages(&self) -> Result<Arc<[Language]>, Problem> {
        let mut known = self.languages.lock().await;
        if let Some((at, languages)) = &*known
            && at.elapsed() < LANGUAGES_FOR
        {
            return Ok(Arc::clone(languages));
        }
        let languages: Arc<[Language]> = self.backend.languages().await?.into();
        *known = Some((Instant::now(), Arc::clone(&languages)));
        Ok(languages)
    }

    /// A place among those who wait. No tenant may have more than half of all.
    pub(crate) fn waiter(&self, tenant: &str) -> Result<Place, Problem> {
        let full = |count: usize| {
            let detail = format!("{count} requests wait here already");
            Problem::limited(detail, Duration::from_secs(1))
        };
        let most = self.config.max_waiters.div_ceil(2);
        let own = Arc::clone(&self.own_waiters).enter(tenant, most);
        let own = own.ok_or_else(|| full(most))?;
        let permit = Arc::clone(&self.waiters).try_acquire_owned();
        let permit = permit.map_err(|_| full(self.config.max_waiters))?;
        Ok(Place {
            _permit: permit,
            _own: own,
            _counted: self.metrics.waiting(),
        })
    }
}

/// A place among those who wait, until it is dropped.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    _own: Own,
    _counted: Waiting,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) tenant: String,
}

impl Caller {
    /// The job is the caller's tenant's; one that names another is refused.
    pub(crate) fn owns(&self, mut job: Job) -> Result<Job, Problem> {
        if job.tenant != DEFAULT_TENANT && job.tenant != self.tenant {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "other_tenant",
                format!("tenant: this key is not for jobs of {:?}", job.tenant),
                "leave the field away: a job is its key's tenant's",
            ));
        }
        job.tenant.clone_from(&self.tenant);
        Ok(job)
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let holder = holder(parts, &app.config.keys).ok_or_else(|| {
            Problem::new(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "there is no key with this request, or a wrong one",
                "send the key as `Authorization: Bearer KEY` or as `X-Api-Key: KEY`",
            )
        })?;
        Ok(Self {
            tenant: holder.tenant,
        })
    }
}

/// Whose key came with the request. Without any keys everybody is the default tenant.
pub(crate) fn holder(parts: &Parts, keys: &Keys) -> Option<Holder> {
    if keys.is_empty() {
        return Some(Holder {
            name: String::new(),
            tenant: DEFAULT_TENANT.to_owned(),
        });
    }
    let header = |name| parts.headers.get(name)?.to_str().ok();
    let bearer = header(AUTHORIZATION.as_str()).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    keys.holder(bearer.or_else(|| header("x-api-key"))?)
        .cloned()
}

/// How many wait of each tenant.
#[derive(Debug, Default)]
pub(crate) struct OwnWaiters(sync::Mutex<HashMap<String, usize>>);

/// One of a tenant's, until it is dropped.
struct Own {
    of: Arc<OwnWaiters>,
    tenant: String,
}

impl OwnWaiters {
    fn enter(self: Arc<Self>, tenant: &str, most: usize) -> Option<Own> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(tenant.to_owned()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Own {
            of: self,
            tenant: tenant.to_owned(),
        })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let mut counts = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.tenant) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.tenant);
            }
        }
    }
}
