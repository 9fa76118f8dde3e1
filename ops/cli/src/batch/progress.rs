//! How far a batch is: a bar where somebody looks at it, a line now and then where it is written down.
//!
//! Must never write to stdout, which may be the results, nor slow the batch down.

use std::cell::Cell;
use std::fmt::Display;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use glovebox_scheduler::batch::Results;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::counts;
use crate::report::note;

/// Between two looks at a bar, and between two lines.
const BAR_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Of one batch.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    begun: Instant,
    said: Cell<Instant>,
    /// Of the input, in bytes.
    size: Option<u64>,
    /// Where it began: in the input, and in jobs.
    read_before: u64,
    jobs_before: u64,
}

impl Progress {
    pub(super) fn new(size: Option<u64>, results: &Results) -> Self {
        let begun = Instant::now();
        let read_before = results.place().read;
        Self {
            bar: stderr().is_terminal().then(|| bar(size, read_before)),
            begun,
            said: Cell::new(begun),
            size,
            read_before,
            jobs_before: results.tally().jobs(),
        }
    }

    /// There are more results than before.
    pub(super) fn show(&self, results: &Results) {
        let every = match self.bar {
            Some(_) => BAR_EVERY,
            None => LINE_EVERY,
        };
        if self.said.get().elapsed() < every {
            return;
        }
        self.said.set(Instant::now());
        let text = self.text(results);
        match &self.bar {
            Some(bar) => {
                bar.set_position(results.place().read);
                bar.set_message(text);
            }
            None => note(&text),
        }
    }

    fn text(&self, results: &Results) -> String {
        let (jobs, read) = (results.tally().jobs(), results.place().read);
        let seconds = self.begun.elapsed().as_secs_f64();
        let rate = (jobs - self.jobs_before) as f64 / seconds;
        let left = self.size.map(|size| size.saturating_sub(read));
        let done = read.saturating_sub(self.read_before).max(1);
        let eta = left.map(|left| seconds * left as f64 / done as f64);
        let eta = eta.map_or(String::new(), |eta| format!(", {eta:.0} s left"));
        format!("{jobs} done, {rate:.0}/s{eta}: {}", counts(results.tally()))
    }

    /// What says a line beside the bar, for other threads.
    pub(super) fn notes(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let bar = self.bar.clone();
        move |line| match &bar {
            Some(bar) => bar.suspend(|| note(line)),
            None => note(line),
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// By bytes of the input, so that it need not be read twice.
fn bar(size: Option<u64>, read: u64) -> ProgressBar {
    let (bar, template) = match size {
        Some(size) => (ProgressBar::new(size), "{bar:30} {percent:>3}% {wide_msg}"),
        None => (ProgressBar::new_spinner(), "{spinner} {wide_msg}"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_position(read);
    bar
}

/// "1 job", "2 jobs".
pub(super) fn several(count: u64, what: impl Display) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
