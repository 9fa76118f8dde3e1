//! What can go wrong for a client, told apart by who can mend it.
//!
//! No message may hold a password or anything of a job but its id, its lane and its tenant.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use glovebox_broker::BrokerError;
use glovebox_schemas::job::JobId;
use glovebox_schemas::job::Rejection;
use redis::RedisError;
use thiserror::Error;

/// A question or an order to Glovebox that failed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// A server could not be reached or logged into. Several callers may have
    /// shared the attempt.
    #[error(transparent)]
    Broker(Arc<BrokerError>),

    /// Redis failed in the midst of something.
    #[error("Redis failed while {doing}{}", of_job(id.as_ref()))]
    Store {
        /// What was being done.
        doing: &'static str,
        /// Of which job, if it was about one.
        id: Option<JobId>,
        /// What Redis or the connection said.
        #[source]
        source: RedisError,
    },

    /// What is stored as the result is none.
    #[error("the stored result of job {id} cannot be read")]
    UnreadableResult {
        /// Of which job.
        id: JobId,
        /// Where it stops being a result.
        #[source]
        source: serde_json::Error,
    },

    /// The job has run, and its result is no longer kept.
    #[error("the result of job {id} has expired")]
    ResultExpired {
        /// Of which job.
        id: JobId,
    },

    /// RabbitMQ did not say that it took the message.
    #[error("RabbitMQ did not confirm the message of job {id} within {seconds} s")]
    Unconfirmed {
        /// Of which job.
        id: JobId,
        /// How long was waited.
        seconds: u64,
    },

    /// RabbitMQ takes nothing from anybody, and has said so.
    #[error("RabbitMQ does not take job {id}: it has an alarm of memory or disk")]
    Blocked {
        /// Which job.
        id: JobId,
    },
}

fn of_job(id: Option<&JobId>) -> String {
    id.map(|id| format!(" of job {id}")).unwrap_or_default()
}

impl ClientError {
    pub(crate) fn broker(error: BrokerError) -> Self {
        Self::Broker(Arc::new(error))
    }

    /// What to do about it, in one line.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Broker(error) => error.hint(),
            Self::Store { source, .. } => store_hint(source),
            Self::UnreadableResult { .. } => {
                "a newer runner may have written it: update this client".to_owned()
            }
            Self::ResultExpired { .. } => {
                "it has run; to run it again, send it under another id".to_owned()
            }
            Self::Unconfirmed { .. } => {
                "it may or may not be queued: sending the same id again is safe, it runs once"
                    .to_owned()
            }
            Self::Blocked { .. } => {
                "`rabbitmq-diagnostics alarms` says which; when it is over, send the same id again: it runs once"
                    .to_owned()
            }
        }
    }

    /// True when a server is the reason, so that waiting may mend it.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Broker(error) => error.is_temporary(),
            // A replica that has been a master, a server that is still loading its data: these pass.
            Self::Store { source, .. } => match BrokerError::behind(source) {
                Some(error) => error.is_temporary(),
                None => !matches!(
                    source.code(),
                    Some("NOAUTH" | "WRONGPASS" | "NOPERM" | "WRONGTYPE")
                ),
            },
            Self::Unconfirmed { .. } | Self::Blocked { .. } => true,
            Self::UnreadableResult { .. } | Self::ResultExpired { .. } => false,
        }
    }
}

fn store_hint(error: &RedisError) -> String {
    if let Some(error) = BrokerError::behind(error) {
        return error.hint();
    }
    match error.code() {
        Some("READONLY") => "it is a replica now: GLOVEBOX_REDIS_URL has to name the master",
        Some("OOM") => "it is full: see `redis-cli info memory`, and raise its maxmemory",
        _ => "trying again may do; if not, Redis's log says why",
    }
    .to_owned()
}

/// A job that was not taken.
#[derive(Debug, Error)]
pub enum SubmitError {
    /// The job itself is wrong.
    #[error("the job is not valid: {}", .0.message)]
    Rejected(Rejection),

    /// There is no queue for the job's lane.
    #[error("no runner has ever served the lane {lane:?}, so job {id} has nowhere to go")]
    NoSuchLane {
        /// Which job.
        id: JobId,
        /// Its lane.
        lane: String,
    },

    /// RabbitMQ refused to store it: the queue is at its limit.
    #[error("the queue of the lane {lane:?} does not take job {id}")]
    QueueFull {
        /// Which job.
        id: JobId,
        /// Its lane.
        lane: String,
    },

    /// A job of another tenant has this id.
    #[error("the id {id} is another tenant's")]
    Taken {
        /// Which id.
        id: JobId,
    },

    /// The job's tenant sends more than it may, or has more in the queue. Nothing is written of the job.
    #[error("tenant {tenant:?} is at its limit {limit}, so job {id} is not taken now")]
    Limited {
        /// Which job.
        id: JobId,
        /// Its tenant.
        tenant: String,
        /// Which of the tenant's limits.
        limit: Limit,
        /// When it is worth trying again: of a rate exactly, of a queue that is full a guess.
        retry_after: Duration,
    },

    /// A server failed.
    #[error(transparent)]
    Client(ClientError),
}

/// A tenant's limit on what it submits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// How many it may send a second.
    Rate,
    /// How many may wait.
    Queued,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rate => "rate",
            Self::Queued => "max_queued",
        })
    }
}

impl SubmitError {
    /// True when waiting may mend it: then the same job may be sent again.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::QueueFull { .. } | Self::Limited { .. } => true,
            Self::Client(error) => error.is_temporary(),
            Self::Rejected(_) | Self::NoSuchLane { .. } | Self::Taken { .. } => false,
        }
    }

    /// What to do about it, in one line.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Rejected(rejection) => rejection.hint.clone(),
            Self::NoSuchLane { lane, .. } => format!(
                "start a runner for it (`glovebox runner --lane {lane}`), or check the lane's name"
            ),
            Self::QueueFull { .. } => {
                "wait until the runners have caught up and send it again, or add runners".to_owned()
            }
            Self::Taken { .. } => "give the job another id, by a UUID for instance".to_owned(),
            Self::Limited {
                tenant,
                retry_after,
                ..
            } => format!(
                "send it again in {} ms, or raise the limit: `glovebox tenants set {tenant}`",
                retry_after.as_millis()
            ),
            Self::Client(error) => error.hint(),
        }
    }
}
