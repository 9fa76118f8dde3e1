//! One job at a time on a machine that has nothing else to do: from the submission to the result in the waiter's hand,
//! in turns with a bare start and with what the queue itself takes.

use std::time::Duration;

use serde::Serialize;

use crate::agent::spawn::bare;
use crate::round_trip::RoundTrip;
use crate::statistics::Summary;
use crate::way::Way;
use crate::whole::Whole;

/// Between two jobs, for what the last one left to be done.
const PAUSE: Duration = Duration::from_millis(15);
const PROGRAMS: [&str; 2] = ["python", "node"];
const WAYS: [Way; 3] = [Way::Bare, Way::QueueCold, Way::QueueWarm];

/// What was seen of one program.
#[derive(Debug, Serialize)]
pub(crate) struct Idle {
    pub(crate) program: String,
    pub(crate) way: Way,
    pub(crate) each: Summary,
}

/// The turns so far.
pub(crate) struct Turns {
    /// By program and way.
    columns: Vec<(usize, Way, Vec<Duration>)>,
    round_trip: RoundTrip,
    round_trips: Vec<Duration>,
}

impl Turns {
    pub(crate) async fn new(whole: &Whole) -> anyhow::Result<Turns> {
        let programs = whole.programs.iter().enumerate();
        let programs = programs.filter(|(_, program)| PROGRAMS.contains(&program.name.as_str()));
        let columns = programs.flat_map(|(number, _)| WAYS.map(|way| (number, way, Vec::new())));
        Ok(Turns {
            columns: columns.collect(),
            round_trip: RoundTrip::open(whole).await?,
            round_trips: Vec::new(),
        })
    }

    /// So many of each.
    pub(crate) async fn take(&mut self, whole: &Whole, count: usize) -> anyhow::Result<()> {
        for (number, way, column) in &mut self.columns {
            // Else every job would find its slot kept for the other language.
            if way.is_queued() {
                whole.warm_up(*way, *number).await?;
            }
            for _ in 0..count {
                tokio::time::sleep(PAUSE).await;
                self.round_trips.push(self.round_trip.once(whole).await?);
                tokio::time::sleep(PAUSE).await;
                let program = &whole.programs[*number];
                column.push(match *way {
                    Way::Bare => bare(program)?,
                    way => whole.one(way, program).await?,
                });
            }
        }
        Ok(())
    }

    /// The columns, and the queue's own.
    pub(crate) fn end(self, whole: &Whole) -> (Vec<Idle>, Option<Summary>) {
        let rows = self.columns.into_iter().filter_map(|(number, way, each)| {
            Some(Idle {
                program: whole.programs[number].name.clone(),
                way,
                each: Summary::of(each)?,
            })
        });
        (rows.collect(), Summary::of(self.round_trips))
    }
}
