//! Whose doing it was: from evidence to a verdict. Pure: no clock, no input, no output.
//!
//! Must never call a failure of ours the job's, nor the other way round.

mod compare;
mod document;
mod verdict;

use glovebox_schemas::result::{Status, TestResult};

use crate::launch::{Ended, RunEnded};
use crate::plan::{Plan, Run};
use compare::difference;
pub(crate) use document::compose;
use verdict::{Verdict, verdict};

/// What is to be said of a job.
pub(crate) struct Outcome {
    status: Status,
    compile: Option<Judged>,
    runs: Vec<Judged>,
}

struct Judged {
    verdict: Verdict,
    test: Option<TestResult>,
    ended: RunEnded,
}

/// Judges what the cells of a job left as evidence.
pub(crate) fn judge(plan: &Plan, ended: Ended) -> Outcome {
    let started = !ended.runs.is_empty();
    let compile = ended.compile.map(|ended| judge_compiler(ended, started));
    let runs: Vec<Judged> = plan
        .runs
        .iter()
        .zip(ended.runs)
        .map(|(run, ended)| judge_run(plan, run, ended))
        .collect();
    let failed = |judged: &Judged| match &judged.test {
        Some(test) => test.ran.status,
        None => judged.verdict.status,
    };
    let compiled = compile.iter().map(|judged| judged.verdict.status);
    let compiled = compiled.fold(Status::Succeeded, |_, status| status);
    let worst = runs
        .iter()
        .map(failed)
        .find(|status| *status != Status::Succeeded);
    let status = match (compiled, worst) {
        (Status::Succeeded, None) => Status::Succeeded,
        (Status::Succeeded, Some(Status::Cancelled)) => Status::Cancelled,
        (Status::Succeeded, Some(_)) if plan.tests => Status::Failed,
        (Status::Succeeded, Some(status)) => status,
        (status, _) => status,
    };
    Outcome {
        status,
        compile,
        runs,
    }
}

/// A compiler that is content and leaves no program has failed.
fn judge_compiler(mut ended: RunEnded, started: bool) -> Judged {
    let mut verdict = verdict(&ended.evidence, ended.over_limit());
    if verdict.status == Status::Succeeded && !started {
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

fn judge_run(plan: &Plan, run: &Run, ended: RunEnded) -> Judged {
    let verdict = verdict(&ended.evidence, ended.over_limit());
    let test = plan.tests.then(|| {
        let mut test = document::test(plan, run, &ended, &verdict);
        if let (Status::Succeeded, Some((expected, compare))) = (test.ran.status, &run.expected) {
            test.diff = difference(&ended.stdout.bytes, expected.as_bytes(), *compare);
            if test.diff.is_some() {
                test.ran.status = Status::Failed;
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
