//! A batch here, without any service: several cells at once, in full isolation.

use std::io;
use std::num::NonZero;
use std::process::ExitCode;

use glovebox_cell::{Layer, supervise};
use glovebox_runner::{EmbeddedError, Many, Wanted, run_many};
use glovebox_scheduler::batch::{Landed, Line, Results, read_ahead};
use glovebox_schemas::job::JobId;
use glovebox_schemas::result::JobResult;

use super::{Input, Report};
use crate::args::BatchArgs;
use crate::report::{HOST, NOT_SUCCEEDED, fail};
use crate::{isolation, warm};

/// Stopped by a signal.
const STOPPED: u8 = 130;

pub(super) fn run(
    args: &BatchArgs,
    lines: Input,
    results: Results,
    report: Report,
) -> Result<ExitCode, ExitCode> {
    let processors = || std::thread::available_parallelism().map_or(1, NonZero::get);
    let slots = args
        .slots
        .unwrap_or_else(|| u16::try_from(processors()).unwrap_or(1));
    let catalog = isolation::catalog()?;
    let (languages, mut config) =
        isolation::warden(catalog, &Wanted::Everything, slots, &args.isolation)?;
    config.warm = warm::config(None);
    let code = supervise(&config, move |link| {
        let lines = match read_ahead(lines) {
            Ok(lines) => lines,
            Err(error) => {
                fail(HOST, &error, "free processes or memory on the host");
                return i32::from(HOST);
            }
        };
        let mut bench = Bench { results, report };
        let outcome = run_many(link, languages, slots, lines, &mut bench);
        i32::from(bench.conclude(outcome))
    })
    .map_err(|error| isolation::fail_supervise(&error))?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(NOT_SUCCEEDED)))
}

struct Bench {
    results: Results,
    report: Report,
}

impl Many for Bench {
    type Item = io::Result<Line>;

    fn layers(&mut self, layers: &[Layer]) {
        isolation::note_weaknesses(layers);
    }

    fn job(&self, item: &Self::Item) -> Option<(JobId, Vec<u8>)> {
        let job = item.as_ref().ok()?.job.as_ref().ok()?;
        Some((job.id.clone(), job.to_wire_json()))
    }

    fn done(&mut self, item: Self::Item, result: Option<JobResult>) -> io::Result<()> {
        let line = item?;
        let result = match (result, line.job) {
            (Some(result), _) => result,
            (None, Err(rejection)) => {
                let say = self.report.progress.notes();
                say(&format!("{rejection}\n  mend: {}", rejection.hint));
                JobResult::rejected(line.id, &rejection, "batch")
            }
            (None, Ok(_)) => return Err(io::Error::other("a job has no result")),
        };
        self.results.put(line.place, &Landed::from(&result))?;
        self.results.flush()?;
        self.report.progress.show(&self.results);
        Ok(())
    }
}

impl Bench {
    fn conclude(self, outcome: Result<bool, EmbeddedError>) -> u8 {
        let code = self
            .report
            .conclude(self.results, matches!(outcome, Ok(true)));
        if !matches!(outcome, Ok(true)) {
            self.report.say_resume();
        }
        match outcome {
            Ok(true) => code,
            Ok(false) => STOPPED,
            Err(error @ EmbeddedError::Output(_)) => {
                fail(HOST, &error, "");
                HOST
            }
            Err(error) => isolation::fail_embedded(&error),
        }
    }
}
