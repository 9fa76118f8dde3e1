//! Whose doing it was: from evidence to a verdict. Pure: no clock, no input, no output.
//!
//! Must never call a failure of ours the job's, nor the other way round.

mod assess;
mod compare;
mod diff;
mod document;
mod unordered;
mod verdict;

use glovebox_schemas::result::{ErrorInfo, Status, TestResult};

use crate::launch::{Ended, RunEnded};
use crate::plan::{Plan, Run};
pub(crate) use assess::{Assessment, assess, opinion};
use assess::{in_short, uncompiled};
pub(crate) use document::compose;
use verdict::{Verdict, verdict};

/// What is to be said of a job.
pub(crate) struct Outcome {
    status: Status,
    compile: Option<Judged>,
    runs: Vec<Judged>,
    /// What is wrong with the checker.
    fault: Option<ErrorInfo>,
}

struct Judged {
    verdict: Verdict,
    test: Option<TestResult>,
    ended: RunEnded,
}

impl Judged {
    fn status(&self) -> Status {
        match &self.test {
            Some(test) => test.ran.status,
            None => self.verdict.status,
        }
    }
}

/// Whether a run is one whose output counts.
pub(crate) fn ended_well(ended: &RunEnded) -> bool {
    verdict(&ended.evidence, ended.over_limit()).status == Status::Succeeded
}

/// Whether a test has succeeded.
pub(crate) fn passes(ended: &RunEnded) -> bool {
    ended_well(ended) && matches!(ended.assessment, None | Some(Assessment::Right))
}

/// Judges what the cells of a job left as evidence.
pub(crate) fn judge(plan: &Plan, ended: Ended) -> Outcome {
    let started = !ended.runs.is_empty();
    // With a checker it was not the program's compiler that nothing came of.
    let compiled = started || ended.checker.is_some();
    let compile = ended.compile.map(|ended| judge_compiler(ended, compiled));
    let mut first = true;
    let runs: Vec<Judged> = plan
        .runs
        .iter()
        .zip(ended.runs)
        .map(|(run, ended)| judge_run(plan, run, ended, &mut first))
        .collect();
    let compiler = ended.checker.filter(|_| !started);
    let fault = compiler.as_ref().map(uncompiled);
    let of_compilers = compile.iter().map(Judged::status);
    let of_compilers = of_compilers.chain(compiler.iter().map(of_checkers_compiler));
    let status = match of_compilers.into_iter().find(is_bad) {
        Some(status) => status,
        None => of_runs(plan, &runs),
    };
    Outcome {
        status,
        compile,
        fault: fault.or_else(|| first_fault(&runs)),
        runs,
    }
}

fn is_bad(status: &Status) -> bool {
    *status != Status::Succeeded
}

/// The job is wrong if its checker can't be compiled.
fn of_checkers_compiler(ended: &RunEnded) -> Status {
    match verdict(&ended.evidence, ended.over_limit()).status {
        Status::Cancelled => Status::Cancelled,
        _ => Status::Rejected,
    }
}

/// Of a job with tests: what its owner wants goes first, then what is sure of the program, then its checker's faults.
fn of_runs(plan: &Plan, runs: &[Judged]) -> Status {
    let mut bad = runs.iter().map(Judged::status).filter(is_bad);
    if !plan.tests {
        return bad.next().unwrap_or(Status::Succeeded);
    }
    let all: Vec<Status> = bad.collect();
    let is_sure = |status: &Status| *status != Status::Rejected;
    if all.contains(&Status::Cancelled) {
        Status::Cancelled
    } else if all.iter().any(is_sure) {
        Status::Failed
    } else if all.is_empty() {
        Status::Succeeded
    } else {
        Status::Rejected
    }
}

fn first_fault(runs: &[Judged]) -> Option<ErrorInfo> {
    let test = runs.iter().filter_map(|judged| judged.test.as_ref());
    let mut faults = test.filter_map(|test| Some((&test.name, test.error.clone()?)));
    faults.next().map(|(name, error)| ErrorInfo {
        message: format!("test {name:?}: {}", error.message),
        ..error
    })
}

/// A compiler that is content and leaves no program has failed.
fn judge_compiler(mut ended: RunEnded, compiled: bool) -> Judged {
    let mut verdict = verdict(&ended.evidence, ended.over_limit());
    if verdict.status == Status::Succeeded && !compiled {
        verdict.status = Status::Failed;
        let note = b"glovebox: the compiler succeeded and left no program\n";
        ended.stderr.bytes.extend_from_slice(note);
    }
    Judged {
        verdict,
        test: None,
        ended,
    }
}

/// The `first` test whose output is wrong has more said of it than the others.
fn judge_run(plan: &Plan, run: &Run, ended: RunEnded, first: &mut bool) -> Judged {
    let verdict = verdict(&ended.evidence, ended.over_limit());
    let test = plan.tests.then(|| {
        let mut test = document::test(plan, run, &ended, &verdict);
        if verdict.status == Status::Succeeded {
            match &ended.assessment {
                None | Some(Assessment::Right) => {}
                Some(Assessment::Wrong(flaw)) => {
                    test.ran.status = Status::Failed;
                    let is_first = std::mem::take(first);
                    test.diff = Some(if is_first {
                        flaw.clone()
                    } else {
                        in_short(flaw)
                    });
                }
                Some(Assessment::Cancelled) => test.ran.status = Status::Cancelled,
                Some(Assessment::Fault(error)) => {
                    test.ran.status = Status::Rejected;
                    test.error = Some(error.clone());
                }
            }
        }
        test
    });
    Judged {
        verdict,
        test,
        ended,
    }
}
