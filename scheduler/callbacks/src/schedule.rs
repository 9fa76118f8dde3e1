//! When the next attempt is due, and in which queue it waits for that.
//!
//! A queue's messages expire in their order, so each delay has a queue of its own, in which nothing waits much longer
//! than another. Must never name a queue that [`Schedule::waits`] does not.

use std::time::Duration;

/// Each delay is so many times the one before.
const FACTOR: u32 = 3;

/// How often a callback is tried, and how long it waits between.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// All attempts, the first included.
    pub attempts: u32,
    /// Between the first and the second; three times as long each time after that, and up to a quarter more by chance.
    pub first: Duration,
    /// No delay is longer, whatever a receiver asks for; but for the quarter.
    pub longest: Duration,
}

/// Eight attempts within about an hour.
impl Default for Schedule {
    fn default() -> Schedule {
        Schedule {
            attempts: 8,
            first: Duration::from_secs(5),
            longest: Duration::from_secs(30 * 60),
        }
    }
}

/// A place to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    /// The queue's own time, in milliseconds, which names it.
    pub(crate) queue: u64,
    /// This message's, which is no longer.
    pub(crate) ms: u64,
}

impl Schedule {
    /// The times of all queues, in milliseconds.
    pub(crate) fn waits(&self) -> Vec<u64> {
        let delays = (1..self.attempts.max(2)).map(|failures| self.delay(failures));
        let mut waits: Vec<u64> = delays.map(|delay| ms(delay + delay / 4)).collect();
        waits.dedup();
        // Where attempts are few, a receiver may still ask for more time.
        let longest = ms(self.longest + self.longest / 4);
        waits.extend(
            waits
                .last()
                .is_some_and(|last| *last < longest)
                .then_some(longest),
        );
        waits
    }

    /// The wait after so many failures, or as long as the receiver has `asked` for.
    pub(crate) fn wait(&self, failures: u32, asked: Option<Duration>) -> Wait {
        let delay = self.delay(failures);
        let jitter = (delay / 4).mul_f64(fastrand::f64());
        let asked = asked.unwrap_or_default().min(self.longest);
        let ms = ms((delay + jitter).max(asked));
        let waits = self.waits();
        let queue = waits.iter().copied().find(|queue| *queue >= ms);
        let queue = queue.or(waits.last().copied()).unwrap_or(ms);
        Wait {
            queue,
            ms: ms.min(queue),
        }
    }

    fn delay(&self, failures: u32) -> Duration {
        let factor = FACTOR.saturating_pow(failures.saturating_sub(1));
        self.first.saturating_mul(factor).min(self.longest)
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_attempts_take_about_an_hour() {
        let schedule = Schedule::default();
        let whole: Duration = (1..schedule.attempts).map(|n| schedule.delay(n)).sum();
        assert_eq!(whole, Duration::from_secs(3620));
        let waits = [
            6_250, 18_750, 56_250, 168_750, 506_250, 1_518_750, 2_250_000,
        ];
        assert_eq!(schedule.waits(), waits);
    }

    #[test]
    fn every_wait_has_a_queue_that_is_declared_and_hardly_longer() {
        for attempts in [1, 2, 8, 50] {
            let schedule = Schedule {
                attempts,
                ..Schedule::default()
            };
            for failures in 0..60 {
                for asked in [None, Some(0), Some(7), Some(100_000), Some(u64::MAX)] {
                    let asked = asked.map(Duration::from_secs);
                    let wait = schedule.wait(failures, asked);
                    assert!(schedule.waits().contains(&wait.queue), "{wait:?}");
                    assert!(wait.ms <= wait.queue && wait.ms <= 2_250_000, "{wait:?}");
                    let at_least = asked.unwrap_or_default().min(schedule.longest);
                    assert!(wait.ms >= ms(at_least.max(schedule.first)), "{wait:?}");
                }
            }
        }
    }

    #[test]
    fn two_hardly_ever_come_back_at_the_same_time() {
        let mut all: Vec<u64> = (0..20)
            .map(|_| Schedule::default().wait(3, None).ms)
            .collect();
        all.sort_unstable();
        all.dedup();
        assert!(all.len() > 10, "no jitter: {all:?}");
        assert!(
            all.iter().all(|ms| (45_000..=56_250).contains(ms)),
            "{all:?}"
        );
    }
}
