//! What is measured, in which order.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use glovebox_cell::{AllowMissing, Limits, WardenConfig, WarmConfig, supervise};
use glovebox_policies::Catalog;
use glovebox_runner::{Wanted, prepare};
use glovebox_schemas::job::Job;

use crate::cell::Cells;
use crate::report::{self, Report, Row, Summary};
use crate::{bare, cancel, command, gate};

/// The rows: a name, the profile whose cell it runs in, and the command. What isolation adds is the
/// same for each, so `true` shows it bare and Node shows it next to a slow start.
const ROWS: [(&str, &str, &[&str]); 3] = [
    ("true", "python", &["/usr/bin/true"]),
    (
        "python3 -I -S",
        "python",
        &["/usr/bin/python3", "-I", "-S", "-c", "print(1)"],
    ),
    ("node", "nodejs", &["/usr/bin/node", "-e", "0"]),
];
/// CPU of the whole command is measured on fewer turns: each starts five processes.
const COMMAND_TURNS: usize = 40;
/// Each job that is cancelled while it runs has to be started first.
const CANCEL_TURNS: usize = 100;

/// Measures everything, prints it, and writes it to `ops/bench/results`.
pub(crate) fn run(turns: usize, warm_up: usize) -> anyhow::Result<ExitCode> {
    let mut rows = Vec::new();
    for (name, language, argv) in ROWS {
        rows.push(cold(name, language, argv, turns, warm_up)?);
    }
    let report = Report {
        turns,
        cold: rows,
        command_cpu_ms: whole_command()?,
        network: gate::measure(turns, warm_up)?,
        cancel: cancel::measure(CANCEL_TURNS)?,
    };
    report::write(&report)?;
    Ok(ExitCode::SUCCESS)
}

/// Bare spawn and cell in turns. The supervisor forks the measuring process, so the numbers come back
/// through a file.
fn cold(
    name: &str,
    language: &str,
    argv: &'static [&'static str],
    turns: usize,
    warm_up: usize,
) -> anyhow::Result<Row> {
    let catalog = Catalog::load(None)?;
    let profile = catalog.find(language).context("the profile is gone")?;
    let ceilings = profile.defaults;
    let limits = Limits {
        wall: ceilings.wall,
        cpu: ceilings.cpu,
        memory: ceilings.memory,
        disk: ceilings.disk,
        processes: ceilings.processes,
    };
    let (_, blueprints) = prepare(catalog, Vec::new(), &Wanted::Job(&Job::new(language)))?;
    let config = WardenConfig {
        blueprints,
        slots: 1,
        uid_base: None,
        allow_missing: AllowMissing::default(),
        warm: WarmConfig::default(),
    };
    let (mut reader, mut writer) = std::io::pipe()?;
    let code = supervise(&config, move |link| {
        let measured = in_turns(link, limits, argv, turns, warm_up);
        match measured.and_then(|row| Ok(serde_json::to_writer(&mut writer, &row)?)) {
            Ok(()) => 0,
            Err(error) => {
                report::complain(&error);
                1
            }
        }
    })?;
    anyhow::ensure!(code == 0, "the row {name} could not be measured");
    let (bare, cell, cpu_ms): (Summary, Summary, [f64; 2]) = serde_json::from_reader(&mut reader)?;
    Ok(Row {
        name: name.to_owned(),
        ratio: cell.median_ms / bare.median_ms,
        ratio_p99: cell.p99_ms / bare.p99_ms,
        bare,
        cell,
        cpu_ms,
    })
}

fn in_turns(
    link: glovebox_cell::Link,
    limits: Limits,
    argv: &[&str],
    turns: usize,
    warm_up: usize,
) -> anyhow::Result<(Summary, Summary, [f64; 2])> {
    let mut cells = Cells::open(link, limits)?;
    let (mut bare, mut cell) = (Vec::new(), Vec::new());
    for _ in 0..warm_up {
        bare::once(argv)?;
        cells.once(argv)?;
    }
    let before = [command::children()?, cells.cpu()?];
    for _ in 0..turns {
        bare.push(bare::once(argv)?);
        cell.push(cells.once(argv)?);
    }
    let after = [command::children()?, cells.cpu()?];
    let each = |at: usize| {
        let spent = after[at].saturating_sub(before[at]);
        spent.as_secs_f64() * 1000.0 / turns as f64
    };
    Ok((Summary::of(bare), Summary::of(cell), [each(0), each(1)]))
}

/// CPU that `glovebox run` takes beyond the interpreter itself: the medians' difference, in ms.
fn whole_command() -> anyhow::Result<[f64; 3]> {
    let binary = std::env::current_exe()?.with_file_name("glovebox");
    let binary = binary.to_str().context("the binary's path is not UTF-8")?;
    let program = std::env::temp_dir().join(format!("glovebox-bench-{}.py", std::process::id()));
    std::fs::write(&program, "print('hello')\n")?;
    let path = program
        .to_str()
        .context("the program's path is not UTF-8")?;
    let (mut bare, mut run) = (Vec::new(), Vec::new());
    let measured = (0..COMMAND_TURNS).try_for_each(|_| -> anyhow::Result<()> {
        bare.push(command::cpu(&["/usr/bin/python3", "-s", path])?);
        run.push(command::cpu(&[binary, "run", path])?);
        Ok(())
    });
    std::fs::remove_file(&program)?;
    measured?;
    let median = |all: Vec<Duration>| Summary::of(all).median_ms;
    let (bare, run) = (median(bare), median(run));
    Ok([bare, run, run - bare])
}
