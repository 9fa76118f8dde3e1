//! What runs the jobs, as this server sees it: a fleet behind a queue, or slots in this process.
//!
//! It must never know of HTTP but for the problems that it tells, nor of tenants but for whose a job is: who may ask is
//! decided before.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use glovebox_scheduler::{Event, JobState};
use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::language::Language;
use glovebox_schemas::result::JobResult;

use crate::problem::Problem;

/// An answer that takes a while.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Problem>>;

/// What is known of a job.
#[derive(Debug)]
pub enum Look {
    /// Nothing.
    Unknown,
    /// How far it is.
    State(JobState),
    /// Its result.
    Result(Box<JobResult>),
}

/// What runs the jobs.
pub trait Backend: Send + Sync + 'static {
    /// Takes a job. One id sent twice runs once.
    fn submit(&self, job: Job) -> Answer<'_, ()>;

    /// Takes many, and tells for each, in their order, what came of it.
    fn submit_all(&self, jobs: Vec<Job>) -> BoxFuture<'_, Vec<Result<(), Problem>>>;

    /// Notes what was asked for under this id, and tells whether it is what was asked for first.
    fn claim<'a>(&'a self, id: &'a JobId, fingerprint: &'a str) -> Answer<'a, bool>;

    /// Whose job it is; `None` if nobody knows.
    fn owner<'a>(&'a self, id: &'a JobId) -> Answer<'a, Option<String>>;

    /// How far it is.
    fn look<'a>(&'a self, id: &'a JobId) -> Answer<'a, Look>;

    /// Waits for its result, `None` if that takes longer than `limit`.
    fn wait<'a>(&'a self, id: &'a JobId, limit: Duration) -> Answer<'a, Option<JobResult>>;

    /// What happens to it, from its beginning or after an output's place. Ends after the result.
    fn follow(
        &self,
        id: &JobId,
        after: Option<String>,
    ) -> BoxStream<'static, Result<Event, Problem>>;

    /// Cancels it, wherever it is; true unless it was done before.
    fn cancel<'a>(&'a self, id: &'a JobId) -> Answer<'a, bool>;

    /// What jobs can be written in.
    fn languages(&self) -> Answer<'_, Vec<Language>>;

    /// Whether jobs can be taken now.
    fn ready(&self) -> Answer<'_, ()>;
}
