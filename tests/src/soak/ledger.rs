//! What was seen of each job, and what must be true of it at the end. Pure: it is tested with made-up violations.
//!
//! Must never be lenient because a fault was on: these hold under all of them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use glovebox_schemas::job::JobId;
use glovebox_schemas::result::Status;

/// What came so soon after a result was seen may have been on its way before.
const ON_ITS_WAY: Duration = Duration::from_millis(250);

/// Everything that was seen in one soak. Times are since its start.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Of each job that was sent.
    pub jobs: BTreeMap<JobId, Entry>,
    /// The ids of the dead letters, as often as they were there.
    pub dead: Vec<JobId>,
    /// Messages that were left in the queue.
    pub queued: usize,
    /// Processes, cgroups, mounts and files that were left.
    pub left: Vec<String>,
}

/// What was seen of one job.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// The statuses that it may end with.
    pub may_end: Vec<Status>,
    /// Whether it kills its runners: it is a dead letter in the end.
    pub is_deadly: bool,
    /// Its result when that was first there.
    pub first: Option<Seen>,
    /// Its result at the end.
    pub last: Option<Seen>,
    /// What it did outside, by execution: when.
    pub effects: BTreeMap<String, Vec<Duration>>,
}

/// A result that was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: Duration,
    /// Of the document.
    pub hash: u64,
    /// What became of the job.
    pub status: Status,
}

/// What must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// It has no result.
    Lost(JobId),
    /// It had one, and has none.
    Vanished(JobId),
    /// It had another one.
    Overwritten(JobId),
    /// It ended as it could not.
    Ended(JobId, Status),
    /// It did something that long after its result was there.
    EffectAfterResult(JobId, Duration),
    /// Two executions of it ran at the same time.
    RanTwiceAtOnce(JobId),
    /// It kills its runners and is no dead letter.
    NotDead(JobId),
    /// It is a dead letter, without a reason.
    Dead(JobId),
    /// So many messages are in the queue.
    Queued(usize),
    /// Something is left on the host.
    Left(String),
}

impl Ledger {
    /// Everything that is wrong.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        for (id, entry) in &self.jobs {
            entry.check(id, &mut found);
            let letters = self.dead.iter().filter(|dead| *dead == id).count();
            match (entry.is_deadly, letters) {
                (true, 0) => found.push(Violation::NotDead(id.clone())),
                // Twice is better than not at all, where it is not known whether the first one was kept.
                (true, _) | (false, 0) => {}
                _ => found.push(Violation::Dead(id.clone())),
            }
        }
        let strangers = self.dead.iter().filter(|id| !self.jobs.contains_key(*id));
        found.extend(strangers.cloned().map(Violation::Dead));
        if self.queued > 0 {
            found.push(Violation::Queued(self.queued));
        }
        found.extend(self.left.iter().cloned().map(Violation::Left));
        found
    }
}

impl Entry {
    fn check(&self, id: &JobId, found: &mut Vec<Violation>) {
        let id = || id.clone();
        let Some(first) = &self.first else {
            found.push(Violation::Lost(id()));
            return;
        };
        match &self.last {
            None => found.push(Violation::Vanished(id())),
            Some(last) if last.hash != first.hash => found.push(Violation::Overwritten(id())),
            Some(_) => {}
        }
        if !self.may_end.contains(&first.status) {
            found.push(Violation::Ended(id(), first.status));
        }
        let latest = self.effects.values().flatten().max();
        if let Some(at) = latest.filter(|at| **at > first.at + ON_ITS_WAY) {
            found.push(Violation::EffectAfterResult(id(), *at - first.at));
        }
        if self.overlaps() {
            found.push(Violation::RanTwiceAtOnce(id()));
        }
    }

    /// Whether one execution did something after another had begun.
    fn overlaps(&self) -> bool {
        let spans = self.effects.values();
        let mut spans: Vec<_> = spans
            .filter_map(|times| Some((times.iter().min()?, times.iter().max()?)))
            .collect();
        spans.sort();
        spans
            .windows(2)
            .any(|two| *two[0].1 > *two[1].0 + ON_ITS_WAY)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(id) => write!(f, "{id} has no result"),
            Self::Vanished(id) => write!(f, "the result of {id} is gone"),
            Self::Overwritten(id) => write!(f, "the result of {id} was overwritten"),
            Self::Ended(id, status) => write!(f, "{id} has ended as {status}"),
            Self::EffectAfterResult(id, late) => {
                write!(f, "{id} did something {late:?} after its result was there")
            }
            Self::RanTwiceAtOnce(id) => write!(f, "{id} ran twice at the same time"),
            Self::NotDead(id) => write!(f, "{id} killed its runners and is no dead letter"),
            Self::Dead(id) => write!(f, "{id} is a dead letter, without a reason"),
            Self::Queued(count) => write!(f, "{count} messages are left in the queue"),
            Self::Left(what) => write!(f, "left behind: {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn seen(seconds: u64, hash: u64) -> Option<Seen> {
        Some(Seen {
            at: SECOND * u32::try_from(seconds).unwrap(),
            hash,
            status: Status::Succeeded,
        })
    }

    fn id() -> JobId {
        "a".parse().unwrap()
    }

    fn good() -> Entry {
        let run = |from: u32, to: u32| (from..to).map(|n| SECOND * n).collect();
        Entry {
            may_end: vec![Status::Succeeded],
            is_deadly: false,
            first: seen(9, 1),
            last: seen(60, 1),
            effects: BTreeMap::from([("x".into(), run(1, 4)), ("y".into(), run(5, 9))]),
        }
    }

    fn with(entry: Entry) -> Ledger {
        Ledger {
            jobs: BTreeMap::from([(id(), entry)]),
            ..Ledger::default()
        }
    }

    /// What is found when one thing about a good job is changed.
    fn found(change: impl FnOnce(&mut Entry)) -> Vec<Violation> {
        let mut entry = good();
        change(&mut entry);
        with(entry).violations()
    }

    #[test]
    fn nothing_is_wrong_with_a_good_job() {
        assert_eq!(found(|_| {}), []);
        assert_eq!(with(good()).violations(), []);
        assert_eq!(Ledger::default().violations(), []);
    }

    #[test]
    fn a_result_that_is_missing_gone_or_another_is_found() {
        let lost = found(|entry| (entry.first, entry.last) = (None, None));
        assert_eq!(lost, [Violation::Lost(id())]);
        assert_eq!(
            found(|entry| entry.last = None),
            [Violation::Vanished(id())]
        );
        let other = found(|entry| entry.last = seen(60, 2));
        assert_eq!(other, [Violation::Overwritten(id())]);
    }

    #[test]
    fn a_wrong_end_is_found() {
        let wrong = found(|entry| entry.may_end = vec![Status::Cancelled]);
        assert_eq!(wrong, [Violation::Ended(id(), Status::Succeeded)]);
    }

    #[test]
    fn what_is_done_after_the_result_is_found() {
        let late = |ms| SECOND * 9 + Duration::from_millis(ms);
        let found = |ms| found(|entry| entry.effects.get_mut("y").unwrap().push(late(ms)));
        assert_eq!(found(250), []);
        let violation = Violation::EffectAfterResult(id(), Duration::from_millis(251));
        assert_eq!(found(251), [violation]);
    }

    #[test]
    fn two_executions_at_once_are_found() {
        let twice = found(|entry| entry.effects.get_mut("x").unwrap().push(SECOND * 6));
        assert_eq!(twice, [Violation::RanTwiceAtOnce(id())]);
        let within = found(|entry| {
            entry.effects.insert("z".into(), vec![SECOND * 6]);
        });
        assert_eq!(within, [Violation::RanTwiceAtOnce(id())]);
    }

    #[test]
    fn a_missing_and_an_unexplained_dead_letter_are_found() {
        let deadly = Entry {
            is_deadly: true,
            ..good()
        };
        assert_eq!(
            with(deadly.clone()).violations(),
            [Violation::NotDead(id())]
        );
        let letters = |entry: &Entry, count| Ledger {
            dead: vec![id(); count],
            ..with(entry.clone())
        };
        assert_eq!(letters(&deadly, 1).violations(), []);
        assert_eq!(letters(&deadly, 2).violations(), []);
        assert_eq!(letters(&good(), 1).violations(), [Violation::Dead(id())]);
        let stranger = Ledger {
            dead: vec![id()],
            ..Ledger::default()
        };
        assert_eq!(stranger.violations(), [Violation::Dead(id())]);
    }

    #[test]
    fn whatever_is_left_is_found() {
        let ledger = Ledger {
            queued: 2,
            left: vec!["process 7".into()],
            ..with(good())
        };
        let left = Violation::Left("process 7".into());
        assert_eq!(ledger.violations(), [Violation::Queued(2), left]);
    }
}
