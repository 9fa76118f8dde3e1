//! The runs of a plan: its one, or those of its tests side by side, in slots that nobody else needs.
//!
//! Each is in a fresh cell, and so is the checker that judges it. Must never keep a slot that a job waits for longer than
//! the run in it takes, never change a result by how many run at a time, and never return while a cell is left.

use std::collections::BTreeMap;
use std::ops::Deref;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use glovebox_cell::{Ending, KillReason};
use tokio::sync::watch;

use super::{Cells, Early, Order, RunEnded, Slot, settled};
use crate::aside::aside;
use crate::cancel::Registration;
use crate::outcome::{self, Assessment};
use crate::plan::{Expected, Input, Plan, Run, shown};
use crate::result::Tap;

/// Bytes of all outputs of a job's tests that are kept. As JSON they may be six times as long, and Redis takes 512 MiB.
const MOST_KEPT: usize = 64 << 20;

/// What is needed for all runs of a plan.
pub(super) struct Runs<'a> {
    pub(super) cells: &'a Cells,
    pub(super) plan: &'a Plan,
    /// What the compiler made of the program, and of the checker.
    pub(super) program: &'a [Input],
    pub(super) checker: &'a [Input],
    pub(super) registration: &'a Registration,
    pub(super) tap: Option<Tap>,
}

/// Where a run takes place.
enum Place<'a> {
    /// In the slot that the job has for as long as it runs.
    Own(&'a Slot),
    /// In one that was free, and is given back after each run: a job that waits comes first.
    Spare(Slot),
}

impl Deref for Place<'_> {
    type Target = Slot;

    fn deref(&self) -> &Slot {
        match self {
            Place::Own(slot) => slot,
            Place::Spare(slot) => slot,
        }
    }
}

impl Runs<'_> {
    /// Starts them in their order, as many at a time as may be and find a slot, and waits for all that were started. What
    /// `stop_on_failure` or a cancellation leaves out are the last ones.
    pub(super) async fn all(&self, slot: &Slot) -> Result<Vec<RunEnded>, Early> {
        // How many of the runs are needed, from the first one on.
        let needed = watch::Sender::new(self.plan.runs.len());
        let is_needed = |number: usize| number < *needed.borrow();
        let mut running = FuturesUnordered::new();
        let mut ended = BTreeMap::new();
        let mut failure = None;
        // The same for each, however many run at a time.
        let share = MOST_KEPT / self.plan.runs.len().max(1);
        let mut own = Some(slot);
        let mut next = 0;
        loop {
            // Listens before it looks: no slot becomes free unnoticed in between.
            let freed = self.cells.queue.freed();
            while is_needed(next)
                && let Some(run) = self.plan.runs.get(next)
                && let Some(place) = self.place(slot, &mut own, running.len())
            {
                running.push(self.one(next, run, place, needed.subscribe()));
                next += 1;
            }
            let (number, place, one) = tokio::select! {
                one = running.next() => match one {
                    Some(one) => one,
                    None => break,
                },
                () = freed, if is_needed(next) => continue,
            };
            if let Place::Own(slot) = place {
                own = Some(slot);
            }
            let still_needed = match &one {
                Ok(one) if is_cancelled(one) => next,
                Ok(one) if self.plan.stop_on_failure && !outcome::passes(one) => number + 1,
                Ok(_) => usize::MAX,
                Err(_) => 0,
            };
            needed.send_modify(|needed| *needed = still_needed.min(*needed));
            match one {
                Ok(one) => drop(ended.insert(number, self.kept(number, one, share))),
                Err(early) => failure = failure.or(Some(early)),
            }
        }
        let needed = *needed.borrow();
        match failure {
            Some(early) => Err(early),
            None => Ok(ended.into_values().take(needed).collect()),
        }
    }

    /// The job's own slot, or one that nobody uses or waits for.
    fn place<'s>(
        &self,
        slot: &Slot,
        own: &mut Option<&'s Slot>,
        running: usize,
    ) -> Option<Place<'s>> {
        if let Some(slot) = own.take() {
            return Some(Place::Own(slot));
        }
        let spare = || self.cells.queue.spare(slot);
        (running < self.plan.parallel)
            .then(spare)
            .flatten()
            .map(Place::Spare)
    }

    async fn one<'s>(
        &self,
        number: usize,
        run: &Run,
        place: Place<'s>,
        needed: watch::Receiver<usize>,
    ) -> (usize, Place<'s>, Result<RunEnded, Early>) {
        let ended = self.judged(number, run, &place, needed).await;
        (number, place, ended)
    }

    /// Runs the program and, if that ended well and there is one, the checker that judges it. What it wrote is compared
    /// here and now: a thousand tests may not be kept until all have ended.
    async fn judged(
        &self,
        number: usize,
        run: &Run,
        slot: &Slot,
        mut needed: watch::Receiver<usize>,
    ) -> Result<RunEnded, Early> {
        let order = Order::program(self.plan, run, self.program);
        let until = superfluous(number, &mut needed);
        let program = self
            .cells
            .run(slot, &order, self.registration, self.tap.clone(), until);
        let mut ended = settled(program.await?)?;
        if let (Some(checker), Expected::Checker(expected)) = (&self.plan.checker, &run.expected)
            && let Some(judging) = checker.runs.first()
            && outcome::ended_well(&ended)
        {
            let shown = shown([&run.stdin, &ended.stdout.bytes, expected.as_bytes()]);
            let order = Order::program(checker, judging, self.checker).beside(&shown);
            let until = superfluous(number, &mut needed);
            let check = self.cells.run(slot, &order, self.registration, None, until);
            ended.assessment = Some(outcome::opinion(&settled(check.await?)?));
        } else if self.plan.tests && outcome::ended_well(&ended) {
            ended.assessment = Some(aside(|| outcome::assess(run, &ended)));
        }
        Ok(ended)
    }

    /// What is kept of a test for the result: as much of its output as there is room for, and the files of the last.
    fn kept(&self, number: usize, mut ended: RunEnded, mut share: usize) -> RunEnded {
        if self.plan.tests {
            ended.stdout.fit(&mut share);
            ended.stderr.fit(&mut share);
        }
        let goes_on = !self.plan.stop_on_failure || outcome::passes(&ended);
        if goes_on && number + 1 < self.plan.runs.len() {
            for file in &mut ended.files {
                file.content = Vec::new();
            }
        }
        ended
    }
}

/// Waits until nobody needs the run of this number: an earlier one has failed, or the job can't be ended.
async fn superfluous(number: usize, needed: &mut watch::Receiver<usize>) {
    drop(needed.wait_for(|needed| *needed <= number).await);
}

/// Whether the owner of the job has ended it.
fn is_cancelled(ended: &RunEnded) -> bool {
    ended.evidence.ending == Ending::Killed(KillReason::Cancelled)
        || matches!(ended.assessment, Some(Assessment::Cancelled))
}
