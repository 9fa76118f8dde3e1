//! Whether what a test wrote is right, and what is to be said of it if not.
//!
//! Must never take a checker that fails for a program that does.

use glovebox_schemas::result::{ErrorInfo, Limit, Status};

use super::compare::Sides;
use super::diff::{difference, printable};
use super::verdict::{Verdict, verdict};
use crate::launch::RunEnded;
use crate::plan::{Expected, Run};

/// Bytes of what a checker says of an output that are shown.
const MOST_SAID: usize = 4096;
/// Bytes of what is shown of it where it fails.
const SHORT: usize = 200;
/// Bytes of what is said of a test where a line has to do.
const MOST_OF_A_LINE: usize = 500;
/// Bytes of what is shown of a compiler's words.
const MOST_OF_A_COMPILER: usize = 1024;

/// What is thought of what a test wrote.
#[derive(Clone, Debug)]
pub(crate) enum Assessment {
    Right,
    /// With what is wrong.
    Wrong(String),
    /// The job was cancelled before its checker had come to an end.
    Cancelled,
    /// The checker failed.
    Fault(ErrorInfo),
}

/// Compares the output of a run that ended well with what was expected.
pub(crate) fn assess(run: &Run, ended: &RunEnded) -> Assessment {
    match sides(run, ended) {
        Some(sides) if !sides.agree() => {
            Assessment::Wrong(difference(&sides, true).unwrap_or_default())
        }
        _ => Assessment::Right,
    }
}

/// What is wrong, in a line.
pub(super) fn in_short(flaw: &str) -> String {
    let line = flaw.lines().next().unwrap_or_default();
    match line.get(..line.floor_char_boundary(MOST_OF_A_LINE)) {
        Some(start) if start.len() < line.len() => format!("{start}…"),
        _ => line.to_owned(),
    }
}

fn sides<'a>(run: &'a Run, ended: &'a RunEnded) -> Option<Sides<'a>> {
    match &run.expected {
        Expected::Text(text, how) => Some(Sides {
            got: &ended.stdout.bytes,
            expected: text.as_bytes(),
            how: *how,
        }),
        Expected::Anything | Expected::Checker(_) => None,
    }
}

/// A checker says what it thinks by its exit code. Anything else is no opinion.
pub(crate) fn opinion(check: &RunEnded) -> Assessment {
    let verdict = verdict(&check.evidence, check.over_limit());
    match (verdict.status, verdict.exit_code) {
        (Status::Succeeded, _) => Assessment::Right,
        (Status::Failed, Some(1)) => {
            Assessment::Wrong(format!("checker: {}", words(check, MOST_SAID)))
        }
        (Status::Cancelled, _) => Assessment::Cancelled,
        _ => Assessment::Fault(ErrorInfo {
            code: "checker_failed".to_owned(),
            message: format!(
                "the checker {}: {}",
                end(&verdict),
                words(check, SHORT)
            ),
            hint: "mend the checker: it exits with 0 to accept and with 1 to refuse, within its limits"
                .to_owned(),
        }),
    }
}

/// What is wrong with a checker that can't be compiled.
pub(super) fn uncompiled(compiler: &RunEnded) -> ErrorInfo {
    let verdict = verdict(&compiler.evidence, compiler.over_limit());
    ErrorInfo {
        code: "checker_not_compiled".to_owned(),
        message: format!(
            "checker: its compiler {}: {}",
            end(&verdict),
            words(compiler, MOST_OF_A_COMPILER)
        ),
        hint: "mend the checker's code".to_owned(),
    }
}

fn end(verdict: &Verdict) -> String {
    match verdict {
        Verdict {
            limit: Some(Limit::WallTime | Limit::CpuTime),
            ..
        } => "was stopped, since its time was over".to_owned(),
        Verdict {
            limit: Some(limit), ..
        } => format!("reached the limit {limit}"),
        Verdict {
            exit_code: Some(0), ..
        } => "made nothing".to_owned(),
        Verdict {
            exit_code: Some(code),
            ..
        } => format!("ended with exit code {code}"),
        Verdict {
            signal: Some(signal),
            ..
        } => format!("was killed by {signal}"),
        Verdict { status, .. } => format!("was stopped ({status})"),
    }
}

/// What a program has to say, printable.
fn words(ended: &RunEnded, most: usize) -> String {
    let streams = [&ended.stderr.bytes, &ended.stdout.bytes];
    let said = streams.iter().map(|bytes| bytes.trim_ascii());
    let Some(said) = said.into_iter().find(|said| !said.is_empty()) else {
        return "it says nothing".to_owned();
    };
    let (shown, cut) = match said.get(..most) {
        Some(shown) => (shown, "…"),
        None => (said, ""),
    };
    let lines: Vec<_> = shown.split(|byte| *byte == b'\n').map(printable).collect();
    let mut text = lines.join("\n");
    // What is escaped is longer.
    let end = text.floor_char_boundary(most);
    text.truncate(end);
    text + cut
}
