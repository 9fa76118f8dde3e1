//! What a soak has to tell: each fault with what it cost, memory, and every violation.
//!
//! Must name the seed with every violation: without it nobody can see it again.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::memory::MemoryUse;

/// Back to that much of the rate before.
const BACK: f64 = 0.9;
/// Over which the rate is taken.
const WINDOW: Duration = Duration::from_millis(1_500);
const STEP: Duration = Duration::from_millis(100);
/// How soon it has to be back.
pub const BACK_WITHIN: Duration = Duration::from_secs(5);

/// What one fault did. Times are seconds since the start.
#[derive(Debug, Clone, Serialize)]
pub struct Happened {
    /// Which kind.
    pub fault: String,
    /// Whose it was.
    pub whom: String,
    /// When it began.
    pub began_s: f64,
    /// How long it was on.
    pub lasted_s: f64,
    /// Jobs that ended in a second before it.
    pub rate_before: f64,
    /// How long after its end the rate was back to nine tenths; none if that was not seen.
    pub back_after_s: Option<f64>,
}

/// One soak.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What decides it.
    pub seed: u64,
    /// How many jobs were sent.
    pub jobs: usize,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Each fault.
    pub faults: Vec<Happened>,
    /// How many kinds there were.
    pub kinds: usize,
    /// The runners' memory.
    pub memory: MemoryUse,
    /// What must not be, in words. A job is named by `soak-SEED-NUMBER`.
    pub violations: Vec<String>,
    /// The results of jobs that ended as they could not.
    pub evidence: Vec<String>,
}

impl Report {
    /// How many faults were over, in their cost, soon enough.
    #[must_use]
    pub fn back_in_time(&self) -> usize {
        let in_time = |after: &f64| *after <= BACK_WITHIN.as_secs_f64();
        let back = self.faults.iter().filter_map(|fault| fault.back_after_s);
        back.filter(in_time).count()
    }
}

/// How long after `end` as many jobs ended again as `rate` asks for, if that can be told by `now`. `ended` says how
/// many ended in a time.
pub(super) fn back_after(
    rate: f64,
    end: Duration,
    now: Duration,
    ended: impl Fn(Duration, Duration) -> usize,
) -> Option<Duration> {
    // There was no work.
    if rate == 0.0 {
        return None;
    }
    let wanted = BACK * rate * WINDOW.as_secs_f64();
    let mut from = end;
    while from + WINDOW <= now {
        let count = u32::try_from(ended(from, from + WINDOW)).unwrap_or(u32::MAX);
        if f64::from(count) >= wanted {
            return Some(from - end);
        }
        from += STEP;
    }
    None
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let back = self
            .back_after_s
            .map_or_else(|| "not seen".to_owned(), |after| format!("{after:.1} s"));
        write!(
            f,
            "{:<28} {:<9} {:>7.1} s {:>6.1} s {:>6.1}/s {:>9}",
            self.fault, self.whom, self.began_s, self.lasted_s, self.rate_before, back
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<28} {:<9} {:>9} {:>8} {:>8} {:>9}",
            "fault", "of", "began at", "lasted", "before", "90 % after"
        )?;
        for fault in &self.faults {
            writeln!(f, "{fault}")?;
        }
        writeln!(
            f,
            "\nseed {}: {} jobs, {} faults of {} kinds, {:.0} s; back within {} s: {} of {}",
            self.seed,
            self.jobs,
            self.faults.len(),
            self.kinds,
            self.seconds,
            BACK_WITHIN.as_secs(),
            self.back_in_time(),
            self.faults.len()
        )?;
        writeln!(
            f,
            "memory: a runner had {} MiB at most; the oldest grew by {} KiB in {} s",
            self.memory.most_kib >> 10,
            self.memory.growth_kib,
            self.memory.oldest_s
        )?;
        for violation in &self.violations {
            writeln!(f, "VIOLATION (seed {}): {violation}", self.seed)?;
        }
        for result in &self.evidence {
            writeln!(f, "{result}")?;
        }
        write!(f, "{} violations", self.violations.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_back_when_as_many_end_again() {
        let ms = Duration::from_millis;
        // Ten a second until 5 s, nothing until 8 s, ten a second again.
        let all: Vec<_> = (0..200)
            .map(|n| ms(n * 100))
            .filter(|at| *at < ms(5_000) || *at >= ms(8_000))
            .collect();
        let ended =
            |from: Duration, to: Duration| all.iter().filter(|at| (from..to).contains(at)).count();
        let back = |now| back_after(10.0, ms(6_000), ms(now), ended);
        assert_eq!(back(7_000), None);
        assert_eq!(back(9_000), None);
        assert_eq!(back(12_000), Some(ms(1_900)));
        assert_eq!(back_after(10.0, ms(9_000), ms(12_000), ended), Some(ms(0)));
    }
}
