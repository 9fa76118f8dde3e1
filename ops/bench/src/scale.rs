//! How much a session measures.

use std::time::Duration;

/// Sizes of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) name: &'static str,
    /// Turns of everything; the medians over them count.
    pub(crate) rounds: usize,
    /// How long a batch goes on, at least.
    pub(crate) batch: Duration,
    /// How many starts or jobs are in flight.
    pub(crate) in_flight: &'static [usize],
    /// The same of programs that take a tenth of a second each.
    pub(crate) in_flight_slow: &'static [usize],
    /// Jobs on an idle machine, a round.
    pub(crate) idle: usize,
    /// Jobs by which processor time is told apart.
    pub(crate) cpu_jobs: usize,
    /// How long the load of 80 % lasts.
    pub(crate) load: Duration,
    /// Turns of what is measured besides: the network gate, cancellations and the command.
    pub(crate) besides: usize,
}

/// Under a quarter of an hour.
pub(crate) const FULL: Scale = Scale {
    name: "full",
    rounds: 7,
    batch: Duration::from_millis(250),
    in_flight: &[1, 2, 8, 32],
    in_flight_slow: &[1, 2, 8, 32],
    idle: 30,
    cpu_jobs: 1500,
    load: Duration::from_secs(15),
    besides: 100,
};

/// Under three minutes.
pub(crate) const QUICK: Scale = Scale {
    name: "quick",
    rounds: 3,
    batch: Duration::from_millis(120),
    in_flight: &[1, 2, 8, 32],
    in_flight_slow: &[2, 8],
    idle: 15,
    cpu_jobs: 400,
    load: Duration::from_secs(4),
    besides: 20,
};

/// For the test of this program: its figures mean nothing.
pub(crate) const SMALLEST: Scale = Scale {
    name: "smallest",
    rounds: 1,
    batch: Duration::ZERO,
    in_flight: &[1, 2],
    in_flight_slow: &[2],
    idle: 2,
    cpu_jobs: 4,
    load: Duration::from_millis(100),
    besides: 1,
};
