//! `ops/bench/run`: what isolation costs, measured against starting the same program without any; and `ops/bench/run
//! warm [SLOTS]`: what warm cells give.
//!
//! Bare spawn and cell take turns in one run, since two shared cores drift by more than the
//! difference: only medians, p99 and the ratios between them mean anything.

mod bare;
mod cancel;
mod cell;
mod command;
mod gate;
mod measure;
mod report;
mod warm;

use std::process::ExitCode;

/// Turns of each row; the first are not counted.
const TURNS: usize = 200;
const WARM_UP: usize = 10;
/// Of the runner with warm cells, if no number is given.
const SLOTS: u16 = 4;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let measured = match words.next().as_deref() {
        Some("warm") => {
            let slots = words.next().and_then(|word| word.parse().ok());
            warm::run(slots.unwrap_or(SLOTS)).and_then(|measured| report::print(&measured))
        }
        _ => measure::run(TURNS, WARM_UP),
    };
    match measured {
        Ok(code) => code,
        Err(error) => {
            report::complain(&error);
            ExitCode::FAILURE
        }
    }
}
