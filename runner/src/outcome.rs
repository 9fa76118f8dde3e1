//! Whose doing it was: from evidence to a verdict. Pure: no clock, no input, no output.
//!
//! Must never call a failure of ours the job's, nor the other way round.

use glovebox_cell::{Ending, Evidence, KillReason};
use glovebox_policies::{hint, syscall_name};
use glovebox_schemas::job::{Compare, Job};
use glovebox_schemas::result::{
    Denied, JobResult, Limit, OutputFile, Status, TestResult, Times, Usage, encode_output, millis,
    without_cut_character,
};
use nix::sys::signal::Signal;

use crate::launch::RunEnded;
use crate::plan::{Plan, Run};

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

#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    status: Status,
    exit_code: Option<i32>,
    signal: Option<String>,
    limit: Option<Limit>,
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

/// The rules, in the order in which they are asked.
fn verdict(evidence: &Evidence, output_exceeded: bool) -> Verdict {
    let base = Verdict {
        status: Status::Failed,
        exit_code: None,
        signal: None,
        limit: None,
    };
    let exceeded = |limit: Limit| Verdict {
        status: Status::LimitExceeded,
        limit: Some(limit),
        ..base.clone()
    };
    match evidence.ending {
        Ending::Refused { .. } => Verdict {
            status: Status::Denied,
            ..base
        },
        Ending::Killed(reason) => killed(reason, evidence, &exceeded, &base),
        Ending::Code(code) => {
            let limit = output_exceeded
                .then_some(Limit::Output)
                .or_else(|| (code != 0).then(|| reached(evidence)).flatten());
            let clean = Verdict {
                status: if code == 0 {
                    Status::Succeeded
                } else {
                    Status::Failed
                },
                ..base.clone()
            };
            Verdict {
                exit_code: Some(code),
                ..limit.map_or(clean, exceeded)
            }
        }
        Ending::Signal(number) => {
            let limit = match number {
                libc_signal::XCPU => Some(Limit::CpuTime),
                libc_signal::XFSZ => Some(Limit::Disk),
                _ => reached(evidence),
            };
            // The kernel ends a process that calls through a foreign architecture so.
            let foreign = number == libc_signal::SYS;
            let clean = Verdict {
                status: if foreign {
                    Status::Denied
                } else {
                    Status::Failed
                },
                ..base.clone()
            };
            Verdict {
                signal: Some(signal_name(number)),
                ..limit.map_or(clean, exceeded)
            }
        }
        // The kernel killed the cell's init: only the host's own lack of memory does that.
        Ending::Vanished => Verdict {
            status: Status::Error,
            ..base
        },
    }
}

fn killed(
    reason: KillReason,
    evidence: &Evidence,
    exceeded: &dyn Fn(Limit) -> Verdict,
    base: &Verdict,
) -> Verdict {
    match reason {
        KillReason::Cancelled | KillReason::Shutdown => Verdict {
            status: Status::Cancelled,
            ..base.clone()
        },
        // A program that spins because it may not fork is a matter of processes, not of time.
        KillReason::WallTime if evidence.forks_refused > 0 => exceeded(Limit::Processes),
        KillReason::CpuTime if evidence.forks_refused > 0 => exceeded(Limit::Processes),
        KillReason::WallTime => exceeded(Limit::WallTime),
        KillReason::CpuTime => exceeded(Limit::CpuTime),
        KillReason::Memory => exceeded(Limit::Memory),
        KillReason::Processes => exceeded(Limit::Processes),
        KillReason::Output => exceeded(Limit::Output),
    }
}

/// A limit that the program ran into before it ended badly.
fn reached(evidence: &Evidence) -> Option<Limit> {
    if evidence.out_of_memory {
        Some(Limit::Memory)
    } else if evidence.disk_full {
        Some(Limit::Disk)
    } else if evidence.forks_refused > 0 {
        Some(Limit::Processes)
    } else {
        None
    }
}

mod libc_signal {
    pub(super) const XCPU: i32 = nix::sys::signal::Signal::SIGXCPU as i32;
    pub(super) const XFSZ: i32 = nix::sys::signal::Signal::SIGXFSZ as i32;
    pub(super) const SYS: i32 = nix::sys::signal::Signal::SIGSYS as i32;
}

fn signal_name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("SIG{number}"), |s| s.as_str().to_owned())
}

fn denied(plan: &Plan, evidence: &Evidence) -> Vec<Denied> {
    let named = evidence.refused.iter().map(|call| {
        let syscall = syscall_name(plan.arch, call.nr);
        Denied {
            hint: hint(&syscall),
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

/// The first place where output and expectation differ, in a line; `None` when they agree.
fn difference(got: &[u8], expected: &[u8], compare: Compare) -> Option<String> {
    let (got, expected) = (
        String::from_utf8_lossy(got),
        String::from_utf8_lossy(expected),
    );
    let lines = |text: &str| -> Vec<String> {
        match compare {
            Compare::Exact => text.split('\n').map(str::to_owned).collect(),
            Compare::Trimmed => text
                .trim_end()
                .lines()
                .map(|l| l.trim_end().to_owned())
                .collect(),
            Compare::Tokens => text.split_whitespace().map(str::to_owned).collect(),
        }
    };
    let (got, expected) = (lines(&got), lines(&expected));
    let unit = if compare == Compare::Tokens {
        "token"
    } else {
        "line"
    };
    let longest = got.len().max(expected.len());
    (0..longest)
        .find(|at| got.get(*at) != expected.get(*at))
        .map(|at| {
            let shown = |side: &[String]| match side.get(at) {
                Some(text) => format!("{:?}", text.chars().take(200).collect::<String>()),
                None => "nothing".to_owned(),
            };
            format!(
                "{unit} {}: expected {}, got {}",
                at + 1,
                shown(&expected),
                shown(&got)
            )
        })
}
