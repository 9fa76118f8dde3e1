//! How the command speaks: results on stdout, everything else on stderr, one line a failure.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use comfy_table::{Table, presets};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::Command;

/// The job was not `succeeded`.
pub(crate) const NOT_SUCCEEDED: u8 = 3;
/// A service is out of reach.
pub(crate) const SERVICE: u8 = 4;
/// This host can't isolate.
pub(crate) const HOST: u8 = 5;
/// A runner stopped before everything that it had taken was settled.
pub(crate) const LEFT: u8 = 6;
/// Wrong usage.
pub(crate) const USAGE: u8 = 2;

/// Logs go to stderr; a runner tells what it does, the other commands only what is wrong.
pub(crate) fn start_logging(command: &Command) {
    let default = match command {
        // lapin prints whole messages when they come back, and those hold users' code; what it has to
        // say of connections, the runner says itself.
        Command::Runner(_) | Command::Gateway(_) | Command::Callbacks(_) => "info,lapin=off",
        // They say themselves what went wrong.
        _ => "off",
    };
    let wanted = std::env::var("GLOVEBOX_LOG").unwrap_or_default();
    let filter: Targets = wanted
        .parse()
        .ok()
        .filter(|_| !wanted.is_empty())
        .or_else(|| default.parse().ok())
        .unwrap_or_default();
    tracing_subscriber::registry()
        .with(
            tracing_subscriber::fmt::layer()
                .with_ansi(std::io::stderr().is_terminal())
                .with_writer(std::io::stderr),
        )
        .with(filter)
        .init();
}

/// Writes to stdout. A reader that has gone away is no failure of ours.
pub(crate) fn print(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .unwrap_or_default();
}

/// Writes one line to stderr.
pub(crate) fn note(line: &str) {
    let mut out = std::io::stderr().lock();
    writeln!(out, "glovebox: {line}").unwrap_or_default();
}

/// Says what failed, why, and how to mend it, and gives the exit code.
pub(crate) fn fail(code: u8, error: &dyn Error, mend: &str) -> ExitCode {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some errors repeat their cause in their own text.
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    if mend.is_empty() {
        note(&line);
    } else {
        note(&format!("{line}\n  mend: {mend}"));
    }
    ExitCode::from(code)
}

/// A table without rows yet.
pub(crate) fn table<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    *table.style_mut() = presets::UTF8_HORIZONTAL_ONLY;
    table.set_header(header);
    table
}
