//! How long to wait before the next attempt: longer each time up to a cap, with
//! jitter so that a hundred runners do not come back in the same instant.
//!
//! This is the only file that uses the crate `backoff`. It is unmaintained
//! (RUSTSEC-2025-0012), so nothing of it may appear in this module's interface:
//! exchanging it must touch no other file.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

/// `backoff` spreads a delay by this much to either side.
const JITTER: f64 = 0.5;

/// An endless sequence of delays that grow from `first` to `cap`.
///
/// Call [`reset`](Retry::reset) after a success, or the next outage starts
/// with the longest wait.
#[derive(Debug)]
pub struct Retry {
    policy: ExponentialBackoff,
    cap: Duration,
}

impl Retry {
    /// Delays around `first` to begin with, doubled each time, never above `cap`.
    #[must_use]
    pub fn new(first: Duration, cap: Duration) -> Self {
        // The top is set below the cap, so that the jitter stays under it: delays
        // that are merely cut off at the cap would all be the cap itself.
        let top = cap.div_f64(1.0 + JITTER);
        let mut policy = ExponentialBackoff {
            initial_interval: first.min(top),
            randomization_factor: JITTER,
            multiplier: 2.0,
            max_interval: top,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        policy.reset();
        Self { policy, cap }
    }

    /// What Glovebox uses for its servers: from a quarter of a second to two seconds.
    #[must_use]
    pub fn for_servers() -> Self {
        Self::new(Duration::from_millis(250), Duration::from_secs(2))
    }

    /// How long to wait before the next attempt.
    pub fn next_delay(&mut self) -> Duration {
        self.policy
            .next_backoff()
            .map_or(self.cap, |delay| delay.min(self.cap))
    }

    /// Starts again from the shortest delay.
    pub fn reset(&mut self) {
        self.policy.reset();
    }
}

impl Iterator for Retry {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.next_delay())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(100);
    const CAP: Duration = Duration::from_secs(2);

    #[test]
    fn it_grows_to_the_cap_and_not_above() {
        let delays: Vec<Duration> = Retry::new(FIRST, CAP).take(50).collect();

        assert!(delays[0] <= FIRST.mul_f64(1.5), "{:?}", delays[0]);
        assert!(delays.iter().all(|delay| *delay <= CAP), "{delays:?}");
        assert!(delays[10..].iter().all(|delay| *delay >= CAP / 4));
    }

    #[test]
    fn it_is_spread_at_the_cap_too() {
        let mut late: Vec<Duration> = Retry::new(FIRST, CAP).skip(10).take(20).collect();
        late.sort();
        late.dedup();

        assert!(late.len() > 10, "no jitter: {late:?}");
    }

    #[test]
    fn a_success_starts_it_again() {
        let mut retry = Retry::new(FIRST, CAP);
        for _ in 0..20 {
            retry.next_delay();
        }
        retry.reset();

        assert!(retry.next_delay() <= FIRST.mul_f64(1.5));
    }

    #[test]
    fn a_first_delay_above_the_cap_is_lowered() {
        assert!(Retry::new(CAP * 10, CAP).next_delay() <= CAP);
    }
}
