//! Running a job to learn what it is refused: the raw calls with their arguments, for whoever writes a profile.
//!
//! The job is isolated as any other, and every refused call stays refused. Must never let a call through in order
//! to see what comes after it: the caller widens the profile and comes again.

use glovebox_cell::Link;
use glovebox_policies::syscall_name;
use glovebox_schemas::job::{Job, Rejection};
use glovebox_schemas::result::JobResult;

use crate::Languages;
use crate::embedded::{EmbeddedError, alone, block_on};
use crate::launch::{Launched, RunEnded};
use crate::outcome;
use crate::plan::{self, Plan};

/// A refused call: its name and its arguments when it was first made.
pub type RefusedCall = (String, [u64; 6]);

/// What a job was refused.
#[derive(Debug)]
pub struct Recording {
    /// What became of it.
    pub result: JobResult,
    /// What its compiler was refused.
    pub compile: Vec<RefusedCall>,
    /// What the program itself was refused.
    pub run: Vec<RefusedCall>,
}

/// Runs `job` once.
///
/// # Errors
/// When this host can't isolate as asked.
pub fn record(link: Link, languages: &Languages, job: &Job) -> Result<Recording, EmbeddedError> {
    match plan::decide(job, languages) {
        Ok(plan) => block_on(run(link, job, &plan)),
        Err(rejection) => Ok(rejected(job, &rejection)),
    }
}

async fn run(link: Link, job: &Job, plan: &Plan) -> Result<Recording, EmbeddedError> {
    let launched = alone(link, &job.id, async |cells, slot, registration| {
        cells.launch(slot, plan, registration, None).await
    });
    match launched.await? {
        Launched::Interrupted => Err(EmbeddedError::NoResult),
        Launched::Ended(ended) => {
            let compile = refused(plan, ended.compile.iter());
            let run = refused(plan, ended.runs.iter());
            let outcome = outcome::judge(plan, *ended);
            Ok(Recording {
                result: outcome::compose(job, plan, outcome, ""),
                compile,
                run,
            })
        }
    }
}

fn refused<'a>(plan: &Plan, runs: impl Iterator<Item = &'a RunEnded>) -> Vec<RefusedCall> {
    runs.flat_map(|run| &run.evidence.calls)
        .map(|call| (syscall_name(plan.arch, call.nr), call.args))
        .collect()
}

fn rejected(job: &Job, rejection: &Rejection) -> Recording {
    Recording {
        result: JobResult::rejected(job.id.clone(), rejection, ""),
        compile: Vec::new(),
        run: Vec::new(),
    }
}
