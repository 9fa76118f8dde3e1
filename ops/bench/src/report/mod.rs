//! The figures of a session, and where they go: JSON, a table in Markdown, plots in SVG, and the README.
//!
//! Must never round in the JSON, and never put a figure into the README that is not in it.

mod plot;
mod readme;
mod table;

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::agent::Batch;
use crate::besides::Besides;
use crate::cpu::Cpu;
use crate::goals::Goal;
use crate::host::Host;
use crate::idle::Idle;
use crate::load::Load;
use crate::memory::Memory;
use crate::statistics::{Summary, median};
use crate::way::Way;

/// All of a session.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) scale: &'static str,
    pub(crate) seed: u64,
    pub(crate) slots: u16,
    pub(crate) host: Host,
    /// What could not be measured here, and why.
    pub(crate) absent: Vec<String>,
    pub(crate) goals: Vec<Goal>,
    pub(crate) points: Vec<Point>,
    pub(crate) idle: Vec<Idle>,
    pub(crate) round_trip: Option<Summary>,
    pub(crate) cpu: Vec<Cpu>,
    pub(crate) memory: Option<Memory>,
    pub(crate) load: Option<Load>,
    /// Jobs from a template and jobs that started cold, of the cold runner and of the warm one.
    pub(crate) warmth: [[u64; 2]; 2],
    pub(crate) besides: Besides,
}

/// One program, started one way, so many at a time.
#[derive(Debug, Serialize)]
pub(crate) struct Point {
    pub(crate) program: String,
    pub(crate) way: Way,
    pub(crate) in_flight: usize,
    /// The median over the rounds.
    pub(crate) per_s: f64,
    /// Each start, over all rounds.
    pub(crate) each: Option<Summary>,
    /// How many in a hundred came from a template, where that is known.
    pub(crate) warm_percent: f64,
    pub(crate) rounds: Vec<Round>,
    #[serde(skip)]
    all: Vec<Duration>,
    #[serde(skip)]
    warm: usize,
}

/// One batch.
#[derive(Debug, Serialize)]
pub(crate) struct Round {
    pub(crate) count: usize,
    pub(crate) per_s: f64,
    pub(crate) p50_ms: f64,
}

impl Point {
    pub(crate) fn new(program: &str, way: Way, in_flight: usize) -> Point {
        Point {
            program: program.to_owned(),
            way,
            in_flight,
            per_s: 0.0,
            each: None,
            warm_percent: 0.0,
            rounds: Vec::new(),
            all: Vec::new(),
            warm: 0,
        }
    }

    /// Adds a round's batch.
    pub(crate) fn add(&mut self, batch: Batch) {
        let per_s = batch.per_s();
        self.warm += batch.warm;
        self.all.extend(&batch.each);
        self.rounds
            .extend(Summary::of(batch.each).map(|each| Round {
                count: each.count,
                per_s,
                p50_ms: each.p50_ms,
            }));
    }

    /// With the figures over all rounds.
    pub(crate) fn done(self) -> Point {
        Point {
            per_s: median(self.rounds.iter().map(|round| round.per_s)).unwrap_or(0.0),
            warm_percent: 100.0 * self.warm as f64 / self.all.len().max(1) as f64,
            each: Summary::of(self.all),
            all: Vec::new(),
            ..self
        }
    }

    pub(crate) fn is_of(&self, program: &str, way: Way) -> bool {
        self.program == program && self.way == way
    }
}

/// Writes everything to `folder`, and the figures into the README if there is one to write into; prints the table.
pub(crate) fn write(report: &Report, folder: &Path, readme: Option<&Path>) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut json = serde_json::to_string_pretty(report)?;
    json.push('\n');
    std::fs::write(folder.join("session.json"), json)?;
    let table = table::markdown(report)?;
    std::fs::write(folder.join("session.md"), &table)?;
    plot::write(report, folder)?;
    if let Some(readme) = readme {
        readme::write(report, readme)?;
    }
    std::io::stdout().write_all(table.as_bytes())?;
    Ok(())
}

/// A word on what is being done.
pub(crate) fn note(what: &str) {
    // Nobody is left to tell if stderr is gone.
    writeln!(std::io::stderr(), "bench: {what}").unwrap_or_default();
}

/// What went wrong, with its causes.
pub(crate) fn complain(error: &anyhow::Error) {
    note(&format!("{error:#}"));
}
