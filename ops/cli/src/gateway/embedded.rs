//! `glovebox gateway --embedded`: the jobs run in slots of this process, without any service.
//!
//! It must never say of a job what a fleet would not. What it can't promise is that anything outlives it: a job that was
//! taken is lost with it.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, ready};
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};
use glovebox_cell::{Link, supervise};
use glovebox_gateway::{Answer, Backend, Look, Problem};
use glovebox_runner::{Languages, Wanted, Workshop};
use glovebox_scheduler::Event;
use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::language::Language;
use glovebox_schemas::result::JobResult;
use tokio::time::{sleep, timeout};

use super::args::ServeArgs;
use super::table::{Added, Found, Shared, Table};
use super::{Prepared, answer, runtime};
use crate::report::HOST;
use crate::runner::processors;
use crate::{isolation, warm};

/// Jobs that wait for a slot or run.
const MOST: usize = 10_000;
/// After a cell could not be built.
const PAUSE: Duration = Duration::from_secs(1);

/// Starts the slots, and answers.
pub(super) fn start(args: &ServeArgs, prepared: Prepared) -> Result<ExitCode, ExitCode> {
    let slots = args.slots.unwrap_or_else(processors);
    let catalog = isolation::catalog()?;
    let wanted = Wanted::Everything;
    let (languages, mut warden) = isolation::warden(catalog, &wanted, slots, &args.isolation)?;
    warden.warm = warm::config(args.warm_memory);
    let code = supervise(&warden, move |link| {
        match work(link, languages, slots, prepared) {
            Ok(()) => 0,
            Err(code) => i32::from(code),
        }
    });
    let code = code.map_err(|error| isolation::fail_supervise(&error))?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(HOST)))
}

fn work(link: Link, languages: Languages, slots: u16, prepared: Prepared) -> Result<(), u8> {
    let runtime = runtime().map_err(|_| HOST)?;
    runtime.block_on(async {
        let table = Shared::default();
        let offered = languages.offered();
        let workshop = Workshop::open(link, languages, slots, Arc::clone(&table) as _).await;
        let workshop = workshop.map_err(|error| {
            isolation::fail_launch(&error);
            HOST
        })?;
        isolation::note_weaknesses(workshop.layers());
        let alive = workshop.clone();
        tokio::spawn(async move { alive.stay_alive().await });
        let embedded = Embedded {
            workshop: workshop.clone(),
            table,
            languages: offered,
        };
        let ended = answer(prepared, Arc::new(embedded)).await;
        workshop.cancel_all();
        match ended == ExitCode::SUCCESS {
            true => Ok(()),
            false => Err(HOST),
        }
    })
}

struct Embedded {
    workshop: Workshop,
    table: Shared,
    languages: Vec<Language>,
}

impl Embedded {
    fn take(&self, job: Job) -> Result<(), Problem> {
        if self.table.unfinished() >= MOST {
            let detail = format!("{MOST} jobs are queued or running here");
            return Err(Problem::limited(detail, Duration::from_secs(5)));
        }
        let job = job.checked()?;
        if job.callback.is_some() {
            return Err(Problem::unprocessable(
                "no_callbacks",
                "callback: nobody sends callbacks here",
                "leave it out, or ask a gateway before a fleet",
            ));
        }
        match self.table.add(&job.id, &job.tenant) {
            Added::New => {}
            Added::Known => return Ok(()),
            Added::OtherTenants => return Err(Problem::taken(&job.id)),
        }
        let (workshop, table) = (self.workshop.clone(), Arc::clone(&self.table));
        tokio::spawn(async move {
            while let Found::State(_) = table.find(&job.id) {
                workshop.run(&job).await;
                if matches!(table.find(&job.id), Found::State(_)) {
                    sleep(PAUSE).await;
                }
            }
        });
        Ok(())
    }
}

fn look(table: &Table, id: &JobId) -> Result<Look, Problem> {
    Ok(match table.find(id) {
        Found::Nothing => Look::Unknown,
        Found::State(state) => Look::State(state),
        Found::Result(result) => Look::Result(result),
        Found::Expired => return Err(Problem::expired(id)),
    })
}

/// Waits until it has a result.
async fn result(table: &Table, id: &JobId) -> Result<JobResult, Problem> {
    loop {
        // Listens first: what happens between is not missed.
        let Some(mut changes) = table.changes(id) else {
            return Err(Problem::unknown_job(id.as_str()));
        };
        if let Look::Result(result) = look(table, id)? {
            return Ok(*result);
        }
        if changes.changed().await.is_err() {
            return Err(Problem::unknown_job(id.as_str()));
        }
    }
}

impl Backend for Embedded {
    fn submit(&self, job: Job) -> Answer<'_, ()> {
        ready(self.take(job)).boxed()
    }

    fn submit_all(&self, jobs: Vec<Job>) -> BoxFuture<'_, Vec<Result<(), Problem>>> {
        ready(jobs.into_iter().map(|job| self.take(job)).collect()).boxed()
    }

    fn claim<'a>(&'a self, id: &'a JobId, fingerprint: &'a str) -> Answer<'a, bool> {
        ready(Ok(self.table.claim(id, fingerprint))).boxed()
    }

    fn owner<'a>(&'a self, id: &'a JobId) -> Answer<'a, Option<String>> {
        ready(Ok(self.table.owner(id))).boxed()
    }

    fn look<'a>(&'a self, id: &'a JobId) -> Answer<'a, Look> {
        ready(look(&self.table, id)).boxed()
    }

    fn wait<'a>(&'a self, id: &'a JobId, limit: Duration) -> Answer<'a, Option<JobResult>> {
        let waited = timeout(limit, result(&self.table, id));
        waited.map(|waited| waited.ok().transpose()).boxed()
    }

    fn follow(
        &self,
        id: &JobId,
        after: Option<String>,
    ) -> BoxStream<'static, Result<Event, Problem>> {
        let heard = after.and_then(|at| at.split_once('-')?.0.parse().ok());
        let following = Following {
            table: Arc::clone(&self.table),
            id: id.clone(),
            heard: heard.unwrap_or(0),
            said: None,
            ended: false,
        };
        let more = |mut following: Following| async move {
            let events = following.next().await;
            (!events.is_empty()).then(|| (stream::iter(events), following))
        };
        stream::unfold(following, more).flatten().boxed()
    }

    fn cancel<'a>(&'a self, id: &'a JobId) -> Answer<'a, bool> {
        let is_here = matches!(self.table.find(id), Found::State(_));
        if is_here {
            self.workshop.cancel(id);
        }
        ready(Ok(is_here)).boxed()
    }

    fn languages(&self) -> Answer<'_, Vec<Language>> {
        ready(Ok(self.languages.clone())).boxed()
    }

    fn ready(&self) -> Answer<'_, ()> {
        ready(Ok(())).boxed()
    }
}

/// A job that is followed.
struct Following {
    table: Shared,
    id: JobId,
    heard: usize,
    said: Option<Event>,
    ended: bool,
}

impl Following {
    /// What happens next; nothing after the result.
    async fn next(&mut self) -> Vec<Result<Event, Problem>> {
        while !self.ended {
            let Some(mut changes) = self.table.changes(&self.id) else {
                break;
            };
            let events = self.table.since(&self.id, self.heard);
            let news: Vec<_> = events
                .into_iter()
                .filter(|event| self.is_news(event))
                .collect();
            if !news.is_empty() {
                return news.into_iter().map(Ok).collect();
            }
            if changes.changed().await.is_err() {
                break;
            }
        }
        Vec::new()
    }

    fn is_news(&mut self, event: &Event) -> bool {
        match event {
            Event::State(_) if self.said.as_ref() == Some(event) => false,
            Event::State(_) => {
                self.said = Some(event.clone());
                true
            }
            Event::Output { .. } => {
                self.heard += 1;
                true
            }
            Event::Done(_) => {
                self.ended = true;
                true
            }
        }
    }
}
