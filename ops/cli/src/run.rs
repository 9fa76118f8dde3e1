//! `glovebox run`: one job here. Its output is this command's output, its exit code this command's.

use std::process::ExitCode;
use std::sync::Arc;

use glovebox_cell::supervise;
use glovebox_runner::{Wanted, run_one};
use glovebox_schemas::job::Job;
use glovebox_schemas::result::{JobResult, Status};
use nix::sys::signal::Signal;

use crate::args::RunArgs;
use crate::report::{HOST, NOT_SUCCEEDED, USAGE, fail, note, print};
use crate::{isolation, program, verdicts};

/// Runs the command.
pub(crate) fn run(args: RunArgs) -> ExitCode {
    try_run(&args).unwrap_or_else(|code| code)
}

fn try_run(args: &RunArgs) -> Result<ExitCode, ExitCode> {
    let catalog = isolation::catalog_for(&args.program)?;
    let mut job = program::job(&args.program, &catalog)
        .map_err(|error| fail(USAGE, &error, &error.mend()))?;
    // What several tests print can't be told apart.
    job.stream = !args.json && job.tests.is_empty();
    let slots = slots(&job);
    let wanted = Wanted::Job(&job);
    let (languages, config) = isolation::warden(catalog, &wanted, slots, &args.isolation)?;
    let json = args.json;
    let code = supervise(&config, move |link| {
        let echo = Arc::new(echo);
        match run_one(link, languages, slots, job.to_wire_json(), echo) {
            Ok((result, layers)) => {
                isolation::note_weaknesses(&layers);
                i32::from(conclude(&result, json))
            }
            Err(error) => i32::from(isolation::fail_embedded(&error)),
        }
    })
    .map_err(|error| isolation::fail_supervise(&error))?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(NOT_SUCCEEDED)))
}

/// One, or as many for its tests as this machine has processors.
fn slots(job: &Job) -> u16 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let most = job.tests.len().min(processors).max(1);
    u16::try_from(most).unwrap_or(u16::MAX)
}

/// The program's output, as it comes.
pub(crate) fn echo(stream: &'static str, chunk: &[u8]) {
    use std::io::Write;
    let written = match stream {
        "stderr" => std::io::stderr().write_all(chunk),
        _ => {
            let mut out = std::io::stdout().lock();
            out.write_all(chunk).and_then(|()| out.flush())
        }
    };
    // A reader that has gone away is no failure of ours, nor of the program.
    written.unwrap_or_default();
}

/// Says what is left to say and gives the exit code.
fn conclude(result: &JobResult, json: bool) -> u8 {
    if json {
        let mut document = result.to_json();
        document.push(b'\n');
        print(&document);
        return match result.status {
            Status::Succeeded => 0,
            Status::Error => HOST,
            _ => NOT_SUCCEEDED,
        };
    }
    explain(result);
    exit_code(result)
}

pub(crate) fn explain(result: &JobResult) {
    if let Some(limit) = result.limit {
        note(&format!("stopped: the limit {limit} was reached"));
    }
    if let Some(error) = &result.error {
        note(&format!(
            "{}: {}\n  mend: {}",
            result.status, error.message, error.hint
        ));
    }
    for denied in &result.denied {
        note(&format!(
            "refused: {} ({}×): {}",
            denied.syscall, denied.count, denied.hint
        ));
    }
    verdicts::tell(&result.tests);
}

/// The program's own exit code where it has one; 0 must mean that it succeeded.
fn exit_code(result: &JobResult) -> u8 {
    match (result.status, result.exit_code, &result.signal) {
        (Status::Succeeded, _, _) => 0,
        (Status::Error, _, _) => HOST,
        (Status::Failed, Some(code), _) => u8::try_from(code).unwrap_or(NOT_SUCCEEDED),
        (Status::Failed, None, Some(signal)) => signal
            .parse::<Signal>()
            .ok()
            .and_then(|signal| u8::try_from(128 + signal as i32).ok())
            .unwrap_or(NOT_SUCCEEDED),
        _ => NOT_SUCCEEDED,
    }
}
