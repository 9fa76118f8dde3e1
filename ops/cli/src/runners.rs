//! `glovebox runners`: who works, and who was lost. Must never need RabbitMQ: that may be what they miss.

use std::process::ExitCode;

use glovebox_scheduler::{Condition, RunnerState};
use serde_json::{Value, json};

use crate::args::RunnersArgs;
use crate::queue::{block_on, client, client_failed};
use crate::report::{print, table};

/// Runs the command.
pub(crate) fn run(args: &RunnersArgs) -> ExitCode {
    block_on(async {
        let runners = match client().runners().await {
            Ok(runners) => runners,
            Err(error) => return client_failed(&error),
        };
        let text = match runners.is_empty() {
            _ if args.json => Value::from_iter(runners.iter().map(document)).to_string(),
            true => "No runners. Start one: glovebox runner".to_owned(),
            false => listed(&runners),
        };
        print(format!("{text}\n").as_bytes());
        ExitCode::SUCCESS
    })
}

fn listed(runners: &[RunnerState]) -> String {
    let mut table = table(["runner", "state", "busy", "version", "seen", "why"]);
    for runner in runners {
        let busy = match (runner.busy, runner.slots) {
            (Some(busy), Some(slots)) => format!("{busy} of {slots}"),
            _ => String::new(),
        };
        let seen = runner.seen_at.map_or(String::new(), |seen| {
            seen.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
        });
        table.add_row([
            runner.name.clone(),
            condition(runner),
            busy,
            runner.version.clone().unwrap_or_default(),
            seen,
            why(runner),
        ]);
    }
    table.to_string()
}

/// Runners of releases that do not say what they do are alive at least.
fn condition(runner: &RunnerState) -> String {
    match &runner.condition {
        Condition::Other(word) if word.is_empty() => "alive".to_owned(),
        condition => condition.to_string(),
    }
}

fn why(runner: &RunnerState) -> String {
    let reason = runner.reason.clone().unwrap_or_default();
    match runner.spooled {
        Some(1..) if reason.is_empty() => "results wait for Redis".to_owned(),
        _ => reason,
    }
}

fn document(runner: &RunnerState) -> Value {
    json!({
        "name": runner.name,
        "state": condition(runner),
        "reason": runner.reason,
        "slots": runner.slots,
        "busy": runner.busy,
        "spooled": runner.spooled,
        "warm": runner.warm,
        "cold": runner.cold,
        "version": runner.version,
        "seen_at": runner.seen_at.map(|seen| seen.to_string()),
    })
}
