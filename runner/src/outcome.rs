//! Whose doing it was: from evidence to a verdict. Pure: no clock, no input, no output.
//!
//! Must never call a failure of ours the job's, nor the other way round.

mod compare;
mod verdict;

use glovebox_cell::{Ending, Evidence};
use glovebox_policies::{hint, syscall_name};
use glovebox_schemas::job::Job;
use glovebox_schemas::result::{
    Denied, JobResult, OutputFile, Status, TestResult, Times, Usage, encode_output, millis,
    without_cut_character,
};

use crate::launch::RunEnded;
use crate::plan::{Plan, Run};
use compare::difference;
use verdict::{Verdict, libc_signal, verdict};

/// What is to be said of a job.
pub(crate) struct Outcome {
    status: Status,
    runs: Vec<Judged>,
}

struct Judged {
    verdict: Verdict,
    test: Option<TestResult>,
    ended: RunEnded,
}

/// Judges what the cells of a job left as evidence.
pub(crate) fn judge(plan: &Plan, runs: &[RunEnded]) -> Outcome {
    let judged: Vec<Judged> = plan
        .runs
        .iter()
        .zip(runs)
        .map(|(run, ended)| judge_run(plan, run, ended))
        .collect();
    let worst = judged
        .iter()
        .map(|run| {
            run.test
                .as_ref()
                .map_or(run.verdict.status, |test| test.status)
        })
        .find(|status| *status != Status::Succeeded);
    let status = match worst {
        None => Status::Succeeded,
        Some(Status::Cancelled) => Status::Cancelled,
        Some(_) if plan.tests => Status::Failed,
        Some(status) => status,
    };
    Outcome {
        status,
        runs: judged,
    }
}

fn judge_run(plan: &Plan, run: &Run, ended: &RunEnded) -> Judged {
    let verdict = verdict(&ended.evidence, ended.over_limit());
    let test = plan.tests.then(|| {
        let mut test = test_result(plan, run, ended, &verdict);
        if let (Status::Succeeded, Some((expected, compare))) = (test.status, &run.expected) {
            test.diff = difference(&ended.stdout.bytes, expected.as_bytes(), *compare);
            if test.diff.is_some() {
                test.status = Status::Failed;
            }
        }
        test
    });
    Judged {
        verdict,
        test,
        ended: ended.clone(),
    }
}

fn denied(plan: &Plan, evidence: &Evidence) -> Vec<Denied> {
    let named = evidence.refused.iter().map(|call| {
        let syscall = syscall_name(plan.arch, call.nr);
        Denied {
            hint: hint(&syscall, None),
            syscall,
            count: call.count,
        }
    });
    let foreign = matches!(evidence.ending, Ending::Signal(libc_signal::SYS)).then(|| Denied {
        syscall: "foreign_architecture".to_owned(),
        count: 1,
        hint: "the program made a 32-bit system call; use a 64-bit build".to_owned(),
    });
    named.chain(foreign).collect()
}

fn usage(evidence: &Evidence) -> Usage {
    Usage {
        wall_ms: millis(evidence.usage.wall),
        cpu_user_ms: millis(evidence.usage.cpu_user),
        cpu_system_ms: millis(evidence.usage.cpu_system),
        memory_peak_bytes: evidence.usage.memory_peak,
        processes_peak: evidence.usage.processes_peak,
    }
}

fn test_result(plan: &Plan, run: &Run, ended: &RunEnded, verdict: &Verdict) -> TestResult {
    let (stdout, stderr, encoding) = output(ended);
    TestResult {
        name: run.name.clone(),
        status: verdict.status,
        exit_code: verdict.exit_code,
        signal: verdict.signal.clone(),
        limit: verdict.limit,
        stdout,
        stderr,
        stdout_truncated: ended.stdout.truncated,
        stderr_truncated: ended.stderr.truncated,
        encoding,
        denied: denied(plan, &ended.evidence),
        usage: Some(usage(&ended.evidence)),
        diff: None,
    }
}

/// A stream that was cut at its limit may end within a character: that half is left out.
fn output(ended: &RunEnded) -> (String, String, glovebox_schemas::result::Encoding) {
    let whole = |stream: &crate::launch::Captured| {
        if stream.truncated {
            without_cut_character(&stream.bytes).to_vec()
        } else {
            stream.bytes.clone()
        }
    };
    encode_output(&whole(&ended.stdout), &whole(&ended.stderr))
}

/// Writes the result document.
pub(crate) fn compose(job: &Job, plan: &Plan, outcome: Outcome, runner: &str) -> JobResult {
    let mut result = JobResult::new(job.id.clone(), outcome.status, runner);
    result.profile = Some(plan.profile.clone());
    result.metadata = job.metadata.clone();
    let first = outcome.runs.first();
    if let Some(run) = first {
        result.times = Times {
            started_at: Some(run.ended.started_at),
            setup_ms: Some(millis(run.ended.evidence.setup)),
            ..Times::default()
        };
    }
    let total = |f: &dyn Fn(&Evidence) -> std::time::Duration| {
        millis(outcome.runs.iter().map(|run| f(&run.ended.evidence)).sum())
    };
    result.times.run_ms = Some(total(&|evidence| evidence.usage.wall));
    result.usage = Some(summed(&outcome.runs));
    if let (Some(run), false) = (first, plan.tests) {
        result.exit_code = run.verdict.exit_code;
        result.signal = run.verdict.signal.clone();
        result.limit = run.verdict.limit;
        result.denied = denied(plan, &run.ended.evidence);
        (result.stdout, result.stderr, result.encoding) = output(&run.ended);
        result.stdout_truncated = run.ended.stdout.truncated;
        result.stderr_truncated = run.ended.stderr.truncated;
    }
    if outcome.status == Status::Error {
        result.error = Some(crate::launch::vanished());
    }
    result.files = outcome
        .runs
        .last()
        .map(|run| run.ended.files.iter())
        .into_iter()
        .flatten()
        .filter(|file| !file.omitted)
        .map(|file| OutputFile::new(file.path.clone(), &file.content))
        .collect();
    result.tests = outcome
        .runs
        .into_iter()
        .filter_map(|run| run.test)
        .collect();
    result
}

/// Times add up over the runs of a job; peaks are the highest.
fn summed(runs: &[Judged]) -> Usage {
    let mut sum = Usage::default();
    for run in runs {
        let one = usage(&run.ended.evidence);
        sum.wall_ms += one.wall_ms;
        sum.cpu_user_ms += one.cpu_user_ms;
        sum.cpu_system_ms += one.cpu_system_ms;
        sum.memory_peak_bytes = sum.memory_peak_bytes.max(one.memory_peak_bytes);
        sum.processes_peak = sum.processes_peak.max(one.processes_peak);
    }
    sum
}
