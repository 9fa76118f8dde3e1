//! `glovebox policy`: what languages there are, what they may do, and whether what somebody wrote is right.
//!
//! Only `learn` runs a program. The others read, compile and print.

mod check;
mod list;
mod show;

use std::process::ExitCode;

use crate::args::PolicyCommand;
use crate::learn;

/// Runs the command.
pub(crate) fn run(command: PolicyCommand) -> ExitCode {
    match command {
        PolicyCommand::List(args) => list::run(&args),
        PolicyCommand::Show(args) => show::run(&args),
        PolicyCommand::Check(args) => check::run(&args),
        PolicyCommand::Learn(args) => learn::run(args),
    }
}
