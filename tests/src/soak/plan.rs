//! What a seed decides: which jobs are sent, and which faults come in which order.
//!
//! Must decide everything that is random, and be the same for the same seed: when a soak fails, it is run again.

use fastrand::Rng;

use super::Options;
use super::fault::{Fault, Kind, Whom};

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Works for a while and ends.
    Plain,
    /// The same in Python.
    Python,
    /// Ends with an exit code.
    Fails,
    /// Does something outside again and again, for a while.
    Effects,
    /// The same for longer than most faults last.
    Long,
    /// Is sent twice.
    Twice,
    /// Is cancelled so long after it was sent, in milliseconds.
    Cancelled(u64),
    /// Is to be started within so many milliseconds.
    Expires(u64),
    /// Its runner is killed whenever it runs.
    Deadly,
}

/// A seed's jobs and faults.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) jobs: Vec<Manner>,
    pub(super) faults: Vec<Fault>,
}

impl Plan {
    pub(super) fn new(options: &Options) -> Plan {
        let mut random = Rng::with_seed(options.seed);
        let jobs = 0..options.jobs;
        let mut jobs: Vec<_> = jobs.map(|_| manner(&mut random)).collect();
        // Few: each takes four runners with it.
        for _ in 0..1 + jobs.len() / 4_000 {
            let at = random.usize(0..jobs.len());
            jobs[at] = Manner::Deadly;
        }
        let mut kinds = Vec::new();
        while kinds.len() < options.faults {
            // Each kind once before any comes again.
            let mut round = Kind::all();
            random.shuffle(&mut round);
            kinds.extend(round);
        }
        kinds.truncate(options.faults);
        let (least, most) = options.fault_lasts;
        let faults = kinds.into_iter().map(|kind| Fault {
            kind,
            whom: match random.usize(0..=options.runners) {
                0 => Whom::All,
                one => Whom::One(one - 1),
            },
            lasts: (least + (most - least).mul_f64(random.f64())) * kind.times(options.freezes),
        });
        Plan {
            faults: faults.collect(),
            jobs,
        }
    }
}

fn manner(random: &mut Rng) -> Manner {
    match random.u32(0..1000) {
        0..30 => Manner::Python,
        30..60 => Manner::Fails,
        60..100 => Manner::Effects,
        100..105 => Manner::Long,
        105..125 => Manner::Twice,
        125..145 => Manner::Cancelled(random.u64(0..10_000)),
        145..155 => Manner::Expires(random.u64(0..20_000)),
        _ => Manner::Plain,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn plan(seed: u64) -> Plan {
        Plan::new(&Options::new(seed, 3_000, 60, Duration::from_secs(60)))
    }

    #[test]
    fn a_seed_is_a_plan() {
        let text = |seed| format!("{:?}", plan(seed));
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }

    #[test]
    fn each_kind_of_fault_and_of_job_comes() {
        let plan = plan(1);
        assert_eq!(plan.faults.len(), 60);
        for kind in Kind::all() {
            assert!(plan.faults.iter().any(|fault| fault.kind == kind), "{kind}");
        }
        let is = |name: &str| {
            let named = |manner: &&Manner| format!("{manner:?}").starts_with(name);
            plan.jobs.iter().filter(named).count()
        };
        for name in [
            "Plain",
            "Python",
            "Fails",
            "Effects",
            "Long",
            "Twice",
            "Cancelled",
            "Expires",
        ] {
            assert!(is(name) > 0, "{name}");
        }
        assert_eq!(is("Deadly"), 1);
    }
}
