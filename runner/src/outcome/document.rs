//! Writing the result document: what was judged, in the words of the schema.
//!
//! Must never decide anything.

use glovebox_cell::{Ending, Evidence};
use glovebox_gate as gate;
use glovebox_policies::{hint, syscall_name};
use glovebox_schemas::job::Job;
use glovebox_schemas::result::{
    Connection, Denied, Encoding, JobResult, OutputFile, Ran, Status, TestResult, Times, Usage,
    Verdict as Reached, encode_output, millis, without_cut_character,
};

use super::verdict::{Verdict, libc_signal};
use super::{Judged, Outcome};
use crate::launch::{Captured, RunEnded, vanished};
use crate::plan::{Plan, Run};

/// Hints about one call.
const MOST_HINTS: usize = 3;

/// Writes the result document.
pub(crate) fn compose(job: &Job, plan: &Plan, outcome: Outcome, runner: &str) -> JobResult {
    let mut result = JobResult::new(job.id.clone(), outcome.status, runner);
    result.profile = Some(plan.profile.clone());
    result.metadata = job.metadata.clone();
    let first = outcome.compile.iter().chain(&outcome.runs).next();
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
    // What the reader looks at first: the program's own end or, if it never started, the compiler's.
    let of = |judged: &Judged| ran(plan, &judged.verdict, &judged.ended);
    let compile = outcome.compile.as_ref().map(of);
    match (outcome.runs.first(), &compile) {
        (Some(run), _) if !plan.tests => say(&mut result, of(run)),
        (None, Some(compiler)) => say(&mut result, compiler.clone()),
        _ => {}
    }
    result.compile = compile;
    result.error = match outcome.status {
        Status::Error => Some(vanished()),
        Status::Rejected => outcome.fault,
        _ => None,
    };
    result.files = outcome
        .runs
        .last()
        .map(|run| run.ended.files.iter())
        .into_iter()
        .flatten()
        .filter(|file| !file.omitted)
        .map(|file| OutputFile::new(file.path.clone(), &file.content))
        .collect();
    let accounts = outcome.runs.iter().map(|run| &run.ended.account);
    result.connections_omitted = accounts.clone().map(|account| account.unlisted).sum();
    result.connections = accounts
        .flat_map(|account| account.connections.iter().map(connection))
        .collect();
    result.tests = outcome
        .runs
        .into_iter()
        .filter_map(|run| run.test)
        .collect();
    result
}

/// The result's own fields are those of one of its cells.
fn say(result: &mut JobResult, ran: Ran) {
    result.exit_code = ran.exit_code;
    result.signal = ran.signal;
    result.limit = ran.limit;
    result.stdout = ran.stdout;
    result.stderr = ran.stderr;
    result.stdout_truncated = ran.stdout_truncated;
    result.stderr_truncated = ran.stderr_truncated;
    result.encoding = ran.encoding;
    result.denied = ran.denied;
}

/// How one cell ended, and what it printed.
fn ran(plan: &Plan, verdict: &Verdict, ended: &RunEnded) -> Ran {
    let (stdout, stderr, encoding) = output(ended);
    Ran {
        status: verdict.status,
        exit_code: verdict.exit_code,
        signal: verdict.signal.clone(),
        limit: verdict.limit,
        stdout,
        stderr,
        stdout_truncated: ended.stdout.truncated || ended.stdout.cut,
        stderr_truncated: ended.stderr.truncated || ended.stderr.cut,
        encoding,
        denied: denied(plan, &ended.evidence),
        usage: Some(usage(&ended.evidence)),
    }
}

/// The hint says what to do about it: nothing, where all is well.
fn connection(one: &gate::Connection) -> Connection {
    let hint = match one.verdict {
        gate::Verdict::Allowed => "",
        verdict => verdict.hint(),
    };
    Connection {
        host: one.host.clone(),
        port: one.port,
        verdict: reached(one.verdict),
        bytes_sent: one.bytes_sent,
        bytes_received: one.bytes_received,
        hint: hint.to_owned(),
    }
}

fn reached(verdict: gate::Verdict) -> Reached {
    match verdict {
        gate::Verdict::Allowed => Reached::Allowed,
        gate::Verdict::HostNotAllowed => Reached::HostNotAllowed,
        gate::Verdict::PortNotAllowed => Reached::PortNotAllowed,
        gate::Verdict::PrivateAddress => Reached::PrivateAddress,
        gate::Verdict::Unresolved => Reached::Unresolved,
        gate::Verdict::Unreachable => Reached::Unreachable,
        gate::Verdict::UpstreamRefused => Reached::UpstreamRefused,
        gate::Verdict::ByteLimit => Reached::ByteLimit,
        gate::Verdict::ConnectionLimit => Reached::ConnectionLimit,
        gate::Verdict::Malformed => Reached::Malformed,
    }
}

fn denied(plan: &Plan, evidence: &Evidence) -> Vec<Denied> {
    let named = evidence.refused.iter().map(|call| {
        let syscall = syscall_name(plan.arch, call.nr);
        Denied {
            hint: hints(&syscall, call.nr, evidence),
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

/// What to do about a call, for each way in which it was made; the first few will do.
fn hints(syscall: &str, nr: u32, evidence: &Evidence) -> String {
    let made = evidence.calls.iter().filter(|call| call.nr == nr);
    let mut all: Vec<String> = Vec::new();
    for hint in made.map(|call| hint(syscall, Some(&call.args))) {
        if !all.contains(&hint) && all.len() < MOST_HINTS {
            all.push(hint);
        }
    }
    match all.is_empty() {
        true => hint(syscall, None),
        false => all.join("; "),
    }
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

/// What is said of one test.
pub(super) fn test(plan: &Plan, run: &Run, ended: &RunEnded, verdict: &Verdict) -> TestResult {
    TestResult {
        name: run.name.clone(),
        ran: ran(plan, verdict, ended),
        diff: None,
        error: None,
    }
}

/// A stream that was cut at its limit may end within a character: that half is left out.
fn output(ended: &RunEnded) -> (String, String, Encoding) {
    let whole = |stream: &Captured| {
        if stream.truncated || stream.cut {
            without_cut_character(&stream.bytes).to_vec()
        } else {
            stream.bytes.clone()
        }
    };
    encode_output(&whole(&ended.stdout), &whole(&ended.stderr))
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
