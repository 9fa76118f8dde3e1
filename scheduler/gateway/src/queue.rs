//! Jobs that go to a fleet: RabbitMQ and Redis, through the client.
//!
//! It must never tell a caller where the servers are: that is for the log.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use glovebox_scheduler::{Client, ClientError, Event, Phase, SubmitError};
use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::language::Language;
use glovebox_schemas::result::JobResult;

use crate::backend::{Answer, Backend, Look};
use crate::problem::Problem;

/// How long to leave a queue alone that is full.
const QUEUE_FULL_FOR: Duration = Duration::from_secs(5);

/// A fleet.
#[derive(Debug, Clone)]
pub struct Queue(Arc<Client>);

impl Queue {
    /// The fleet that this client serves.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self(Arc::new(client))
    }
}

impl Backend for Queue {
    fn submit(&self, job: Job) -> Answer<'_, ()> {
        // To its end, whether or not the caller waits for it: between mark and message a job is neither here nor there.
        let client = Arc::clone(&self.0);
        let submitted = tokio::spawn(async move { client.submit(&job).await });
        async move {
            let submitted = submitted.await.map_err(|_| Problem::internal())?;
            submitted.map(drop).map_err(refused)
        }
        .boxed()
    }

    fn submit_all(&self, jobs: Vec<Job>) -> BoxFuture<'_, Vec<Result<(), Problem>>> {
        let (client, count) = (Arc::clone(&self.0), jobs.len());
        let submitted = tokio::spawn(async move { client.submit_all(&jobs).await });
        async move {
            let Ok(submitted) = submitted.await else {
                return (0..count).map(|_| Err(Problem::internal())).collect();
            };
            let told = submitted.into_iter().map(|one| one.map(drop));
            told.map(|one| one.map_err(refused)).collect()
        }
        .boxed()
    }

    fn claim<'a>(&'a self, id: &'a JobId, fingerprint: &'a str) -> Answer<'a, bool> {
        let claimed = self.0.claim(id, fingerprint);
        claimed.map(|claimed| claimed.map_err(failed)).boxed()
    }

    fn owner<'a>(&'a self, id: &'a JobId) -> Answer<'a, Option<String>> {
        let owner = self.0.owner(id);
        owner.map(|owner| owner.map_err(failed)).boxed()
    }

    fn look<'a>(&'a self, id: &'a JobId) -> Answer<'a, Look> {
        async move {
            if let Some(result) = self.0.result(id).await.map_err(failed)? {
                return Ok(Look::Result(Box::new(result)));
            }
            let state = self.0.state(id).await.map_err(failed)?;
            match state {
                // It has ended in between.
                Some(state) if state.phase == Phase::Done => {
                    let result = self.0.result(id).await.map_err(failed)?;
                    Ok(result.map_or(Look::Unknown, |result| Look::Result(Box::new(result))))
                }
                Some(state) => Ok(Look::State(state)),
                None => Ok(Look::Unknown),
            }
        }
        .boxed()
    }

    fn wait<'a>(&'a self, id: &'a JobId, limit: Duration) -> Answer<'a, Option<JobResult>> {
        let waited = self.0.wait(id, limit);
        waited.map(|waited| waited.map_err(failed)).boxed()
    }

    fn follow(
        &self,
        id: &JobId,
        after: Option<String>,
    ) -> BoxStream<'static, Result<Event, Problem>> {
        let (client, id) = (Arc::clone(&self.0), id.clone());
        let (said, told) = tokio::sync::mpsc::channel(16);
        tokio::spawn(async move {
            let mut following = client.follow(&id, after.as_deref());
            let mut events = async || {
                while let Some(event) = following.next().await.transpose() {
                    let is_last = event.is_err();
                    if said.send(event.map_err(failed)).await.is_err() || is_last {
                        return;
                    }
                }
            };
            // Nobody listens any more: it may be a long time until something happens.
            tokio::select! { () = events() => {}, () = said.closed() => {} }
        });
        stream::unfold(told, |mut told| async move {
            told.recv().await.map(|event| (event, told))
        })
        .boxed()
    }

    fn cancel<'a>(&'a self, id: &'a JobId) -> Answer<'a, bool> {
        async move {
            let cancelled = self.0.cancel(id).await.map_err(failed)?;
            if let Some(error) = cancelled.untold {
                tracing::warn!(job = %id, %error, "the runners find out by themselves that it is cancelled");
            }
            Ok(!cancelled.was.is_some_and(|was| was.phase == Phase::Done))
        }
        .boxed()
    }

    fn languages(&self) -> Answer<'_, Vec<Language>> {
        async move {
            let runners = self.0.runners().await.map_err(failed)?;
            Ok(common(runners.into_iter().map(|runner| runner.languages)))
        }
        .boxed()
    }

    fn ready(&self) -> Answer<'_, ()> {
        let ready = self.0.ready();
        ready.map(|ready| ready.map_err(failed)).boxed()
    }
}

/// All that some runner can run, each with the environments that all runners of it have: nobody knows where a job goes.
fn common(runners: impl Iterator<Item = Vec<Language>>) -> Vec<Language> {
    let mut all: BTreeMap<String, Language> = BTreeMap::new();
    for language in runners.flatten() {
        match all.get_mut(&language.name) {
            Some(known) => {
                known
                    .environments
                    .retain(|one| language.environments.contains(one));
                known.network.retain(|one| language.network.contains(one));
            }
            None => drop(all.insert(language.name.clone(), language)),
        }
    }
    all.into_values().collect()
}

/// What a caller hears of a job that was not taken.
fn refused(error: SubmitError) -> Problem {
    let (detail, hint) = (error.to_string(), error.hint());
    match error {
        SubmitError::Rejected(rejection) => rejection.into(),
        SubmitError::NoSuchLane { .. } => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "no_such_lane",
            detail,
            hint,
        ),
        SubmitError::Taken { id } => Problem::taken(&id),
        SubmitError::QueueFull { .. } => Problem::limited(detail, QUEUE_FULL_FOR),
        SubmitError::Limited { retry_after, .. } => Problem::limited(detail, retry_after),
        SubmitError::Client(error) => failed(error),
    }
}

/// What a caller hears of a server's failure.
fn failed(error: ClientError) -> Problem {
    match &error {
        ClientError::ResultExpired { id } => return Problem::expired(id),
        ClientError::UnreadableResult { .. } => {
            tracing::error!(
                error = chain(&error),
                hint = error.hint(),
                "a stored result is none"
            );
            return Problem::internal();
        }
        ClientError::Broker(_)
        | ClientError::Store { .. }
        | ClientError::Unconfirmed { .. }
        | ClientError::Blocked { .. } => {}
    }
    tracing::warn!(
        error = chain(&error),
        hint = error.hint(),
        "a request failed"
    );
    Problem::unavailable("the servers behind this one can't be used now")
}

fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line
}
