//! `glovebox batch`: many jobs, their results in the same order, and what came of them all.
//!
//! Must never write over results that are there, nor call a batch done that has places without one.

mod local;
mod progress;
mod queued;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use glovebox_scheduler::batch::{Lines, Results, ResultsError, Tally};
use glovebox_schemas::result::Status;

use self::progress::{Progress, several};
use crate::args::BatchArgs;
use crate::report::{HOST, NOT_SUCCEEDED, USAGE, fail, note};

/// For which k pass@k is told.
const KS: [u32; 3] = [1, 5, 10];

type Input = Lines<Box<dyn BufRead + Send>>;

/// Runs the command.
pub(crate) fn run(args: BatchArgs) -> ExitCode {
    try_run(&args).unwrap_or_else(|code| code)
}

fn try_run(args: &BatchArgs) -> Result<ExitCode, ExitCode> {
    let begun = Instant::now();
    let (input, size) = open(&args.jobs)?;
    let mut results = results(args)?;
    let mut lines = Lines::new(input, results.batch());
    results.skip_done(&mut lines).map_err(failed)?;
    let report = Report {
        begun,
        before: results.tally().jobs(),
        progress: Progress::new(size, &results),
        resume: resume(args),
    };
    match args.local {
        true => local::run(args, lines, results, report),
        false => Ok(queued::run(args, lines, results, report)),
    }
}

/// The input, and its length if that can be told.
fn open(path: &Path) -> Result<(Box<dyn BufRead + Send>, Option<u64>), ExitCode> {
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let failed = |error: io::Error| {
        note(&format!("reading {}: {error}", path.display()));
        ExitCode::from(USAGE)
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let size = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(BufReader::with_capacity(1 << 16, file)), size))
}

fn results(args: &BatchArgs) -> Result<Results, ExitCode> {
    if args.output == Path::new("-") {
        if args.resume {
            note("--resume needs a file that the results are in: give one with --output");
            return Err(ExitCode::from(USAGE));
        }
        return Ok(Results::to(io::stdout()));
    }
    let mut results = Results::open(&args.output, args.resume).map_err(failed)?;
    // What runs here ends with this process: there is nothing to find again.
    if !args.local {
        results.remember(args.resume).map_err(failed)?;
    }
    Ok(results)
}

fn failed(error: ResultsError) -> ExitCode {
    fail(USAGE, &error, error.hint())
}

/// The words that go on with this batch; `None` if nothing can.
fn resume(args: &BatchArgs) -> Option<String> {
    if args.output == Path::new("-") {
        return None;
    }
    let (jobs, output) = (args.jobs.display(), args.output.display());
    let local = if args.local { " --local" } else { "" };
    Some(format!("glovebox batch {jobs} -o {output}{local} --resume"))
}

/// What is said of a batch.
struct Report {
    begun: Instant,
    /// Jobs that had a result before.
    before: u64,
    progress: Progress,
    resume: Option<String>,
}

impl Report {
    /// Ends the output, says what came of the jobs, and gives the exit code.
    fn conclude(&self, results: Results, is_complete: bool) -> u8 {
        self.progress.end();
        let tally = match results.close(is_complete) {
            Ok(tally) => tally,
            Err(error) => {
                note(&format!("writing the results: {error}"));
                return HOST;
            }
        };
        let seconds = self.begun.elapsed().as_secs_f64();
        let ran = tally.jobs() - self.before;
        let before = match self.before {
            0 => String::new(),
            before => format!(", {before} before"),
        };
        let rate = ran as f64 / seconds.max(f64::MIN_POSITIVE);
        note(&format!(
            "{} in {seconds:.1} s, {rate:.0}/s{before}: {}",
            several(ran, "job"),
            counts(&tally)
        ));
        for at in tally.pass_at(KS) {
            let problems = several(at.problems as u64, "problem");
            note(&format!("pass@{} {:.4} ({problems})", at.k, at.rate));
        }
        match tally.of(Status::Error) + tally.of(Status::Rejected) {
            0 => 0,
            _ => NOT_SUCCEEDED,
        }
    }

    /// Says how to go on.
    fn say_resume(&self) {
        if let Some(words) = &self.resume {
            note(&format!("go on with: {words}"));
        }
    }
}

/// Each status that came up, with its count.
fn counts(tally: &Tally) -> String {
    let counts = tally.counts();
    let words: Vec<_> = counts.map(|(status, n)| format!("{n} {status}")).collect();
    match words.is_empty() {
        true => "nothing".to_owned(),
        false => words.join(", "),
    }
}
