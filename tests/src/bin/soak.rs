//! `soak`: thousands of jobs and dozens of faults on private servers, for as long as one likes. `ops/soak` calls it.
//!
//! Exits 0 if everything held, 1 if not, 2 if it could not be tried. Must never be shipped.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use glovebox_tests::soak::{Options, run};

const USAGE: &str = "soak [--seed N] [--jobs N] [--faults N] [--minutes N] [--json]";

fn main() -> ExitCode {
    match soak() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            writeln!(std::io::stderr(), "soak: {error:#}").unwrap_or_default();
            ExitCode::from(2)
        }
    }
}

fn soak() -> anyhow::Result<bool> {
    let (options, json) = options()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let note = |line: &str| writeln!(std::io::stderr(), "{line}").unwrap_or_default();
    note(&format!("{options:?}"));
    let report = runtime
        .block_on(run(&options, note))
        .with_context(|| format!("seed {}", options.seed))?;
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        writeln!(out, "\n{report}")?;
    }
    Ok(report.violations.is_empty())
}

fn options() -> anyhow::Result<(Options, bool)> {
    let (mut seed, mut jobs, mut faults, mut minutes) = (None, 10_000, 56, 15.0);
    let mut json = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--json" {
            json = true;
            continue;
        }
        let value = arguments.next().context(USAGE)?;
        let wrong = || format!("{name} {value}: {USAGE}");
        match name.as_str() {
            "--seed" => seed = Some(value.parse().with_context(wrong)?),
            "--jobs" => jobs = value.parse().with_context(wrong)?,
            "--faults" => faults = value.parse().with_context(wrong)?,
            "--minutes" => minutes = value.parse().with_context(wrong)?,
            _ => bail!("{USAGE}"),
        }
    }
    let seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let takes = Duration::from_secs_f64(minutes * 60.0);
    Ok((Options::new(seed, jobs, faults, takes), json))
}
