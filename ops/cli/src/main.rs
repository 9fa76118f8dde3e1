//! The one binary: `glovebox`. Reads the command line and hands over; decides nothing itself.

mod args;
mod batch;
mod callbacks;
mod doctor;
mod env;
mod env_build;
mod folders;
mod gateway;
mod isolation;
mod learn;
mod policy;
mod program;
mod queue;
mod report;
mod run;
mod runner;
mod runners;
mod schemas;
mod state;
mod tenants;
mod verdicts;
mod version;
mod warm;

use std::process::ExitCode;

fn main() -> ExitCode {
    let command = args::parse();
    report::start_logging(&command);
    match command {
        args::Command::Run(args) => run::run(args),
        args::Command::Runner(args) => runner::run(args),
        args::Command::Callbacks(args) => callbacks::run(args),
        args::Command::Runners(args) => runners::run(&args),
        args::Command::Tenants(command) => tenants::run(command),
        args::Command::Submit(args) => queue::submit(args),
        args::Command::Batch(args) => batch::run(args),
        args::Command::Wait(args) => queue::wait(args),
        args::Command::Result(args) => queue::result(args),
        args::Command::Cancel(args) => queue::cancel(args),
        args::Command::Gateway(args) => gateway::run(args),
        args::Command::Policy(args) => policy::run(args),
        args::Command::Env(command) => env::run(command),
        args::Command::Doctor(args) => doctor::run(args),
        args::Command::Schemas(args) => schemas::run(args),
    }
}
