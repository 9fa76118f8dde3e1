//! The figures: on the screen, as JSON, and as a Markdown table for the README.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// All rows of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) turns: usize,
    pub(crate) cold: Vec<Row>,
    /// CPU of the interpreter alone, of `glovebox run`, and the difference.
    pub(crate) command_cpu_ms: [f64; 3],
    pub(crate) network: Network,
    pub(crate) cancel: Cancel,
}

/// From the owner's wish to the result, of a job that waits and of one that runs.
#[derive(Debug, Serialize)]
pub(crate) struct Cancel {
    pub(crate) queued: Summary,
    pub(crate) running: Summary,
}

/// The network gate: connect and first byte, and throughput, directly and through it.
#[derive(Debug, Serialize)]
pub(crate) struct Network {
    pub(crate) direct: Summary,
    pub(crate) through: Summary,
    pub(crate) direct_mb_s: f64,
    pub(crate) through_mb_s: f64,
}

/// One program, bare and in a cell.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) bare: Summary,
    pub(crate) cell: Summary,
    /// CPU time a turn, bare and in a cell with all that the warden did for it.
    pub(crate) cpu_ms: [f64; 2],
    pub(crate) ratio: f64,
    pub(crate) ratio_p99: f64,
}

/// Order statistics of one column.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) median_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Summary {
    pub(crate) fn of(mut all: Vec<Duration>) -> Summary {
        all.sort_unstable();
        let at = |percent: usize| {
            let index = (all.len() * percent / 100).min(all.len().saturating_sub(1));
            all.get(index).map_or(0.0, Duration::as_secs_f64) * 1000.0
        };
        Summary {
            median_ms: at(50),
            p99_ms: at(99),
        }
    }
}

/// Where the README's figures begin and end.
const BEGIN: &str = "<!-- figures: written by ops/bench/run -->\n";
const END: &str = "<!-- /figures -->";

/// Prints the report, writes `results/cold.json` beside this crate, and the table into the README.
pub(crate) fn write(report: &Report) -> anyhow::Result<()> {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    std::fs::create_dir_all(&results)?;
    let mut json = serde_json::to_string_pretty(report)?;
    json.push('\n');
    std::fs::write(results.join("cold.json"), json)?;
    let table = markdown(report)?;
    into_readme(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md"),
        &table,
    )?;
    std::io::stdout().write_all(table.as_bytes())?;
    Ok(())
}

/// Prints figures as JSON.
pub(crate) fn print(figures: &impl Serialize) -> anyhow::Result<std::process::ExitCode> {
    let json = serde_json::to_string_pretty(figures)?;
    writeln!(std::io::stdout(), "{json}")?;
    Ok(std::process::ExitCode::SUCCESS)
}

fn markdown(report: &Report) -> anyhow::Result<String> {
    let mut text = String::new();
    writeln!(
        text,
        "| program | bare p50 · p99 | cell p50 · p99 | ratio p50 · p99 |"
    )?;
    writeln!(text, "|---|---|---|---|")?;
    for row in &report.cold {
        writeln!(
            text,
            "| `{}` | {:.2} · {:.2} ms | {:.2} · {:.2} ms | {:.2} · {:.2} | {:.2} → {:.2} ms |",
            row.name,
            row.bare.median_ms,
            row.bare.p99_ms,
            row.cell.median_ms,
            row.cell.p99_ms,
            row.ratio,
            row.ratio_p99,
            row.cpu_ms[0],
            row.cpu_ms[1],
        )?;
    }
    let [bare, run, more] = report.command_cpu_ms;
    writeln!(
        text,
        "\nA cell is in a kept slot, as a runner has them. `glovebox run hello.py`, which starts and ends a \
         supervisor, a runner and a warden for its one job: {run:.1} ms of CPU, {bare:.1} ms of it the \
         interpreter's, {more:.1} ms everything else. {} turns a row, interleaved.",
        report.turns
    )?;
    let network = &report.network;
    writeln!(
        text,
        "\nThe network gate, on loopback: a connection has its first byte after {:.2} ms directly and after \
         {:.2} ms through CONNECT; one transfer runs at {:.0} and {:.0} MB/s.",
        network.direct.median_ms,
        network.through.median_ms,
        network.direct_mb_s,
        network.through_mb_s,
    )?;
    let Cancel { queued, running } = &report.cancel;
    writeln!(
        text,
        "\nA job that its owner cancels has its result, p50 and p99, after {:.1} and {:.1} ms if it is queued, \
         and after {:.1} and {:.1} ms if it runs.",
        queued.median_ms, queued.p99_ms, running.median_ms, running.p99_ms,
    )?;
    Ok(text)
}

fn into_readme(path: &Path, table: &str) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path).context("reading the README")?;
    let (before, rest) = text
        .split_once(BEGIN)
        .context("the README has no figures")?;
    let (_, after) = rest
        .split_once(END)
        .context("the README's figures have no end")?;
    std::fs::write(path, format!("{before}{BEGIN}{table}{END}{after}"))?;
    Ok(())
}

/// What went wrong, on stderr, with its causes.
pub(crate) fn complain(error: &anyhow::Error) {
    // Nobody is left to tell if stderr is gone.
    writeln!(std::io::stderr(), "bench: {error:#}").unwrap_or_default();
}
