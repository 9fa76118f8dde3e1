//! `ops/bench/run`: what isolation costs, measured against starting the same program without any.
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

use std::process::ExitCode;

/// Turns of each row; the first are not counted.
const TURNS: usize = 200;
const WARM_UP: usize = 10;

fn main() -> ExitCode {
    match measure::run(TURNS, WARM_UP) {
        Ok(code) => code,
        Err(error) => {
            report::complain(&error);
            ExitCode::FAILURE
        }
    }
}
