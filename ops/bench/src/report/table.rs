//! The table of a session, in Markdown.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Point, Report};
use crate::statistics::Summary;
use crate::way::{WAYS, Way};

/// All of it.
pub(super) fn markdown(report: &Report) -> anyhow::Result<String> {
    let mut text = String::new();
    let host = &report.host;
    let busy = host.busy_percent.iter();
    let busy: Vec<String> = busy.map(|percent| format!("{percent:.0}")).collect();
    writeln!(
        text,
        "# A session\n\n{} processors ({}), Linux {}; {}. Session `{}`, seed {}, {} slots a runner. Others took {} % of the machine before it and after it. Believe the ratios only, and none of a machine that was \
         busy.\n",
        host.processors,
        host.model,
        host.kernel,
        host.versions.join(", "),
        report.scale,
        report.seed,
        report.slots,
        busy.join(" and "),
    )?;
    for absent in &report.absent {
        writeln!(text, "- left out: {}", absent.replace('\n', " "))?;
    }
    writeln!(text, "\n## Goals\n")?;
    text.push_str(&goals(report)?);
    for program in programs(report) {
        writeln!(text, "\n## `{program}`\n")?;
        text.push_str(&program_table(report, program)?);
    }
    text.push_str(&idle(report)?);
    text.push_str(&cpu(report)?);
    text.push_str(&rest(report)?);
    Ok(text)
}

/// Each goal, what was measured, and whether that is enough.
pub(super) fn goals(report: &Report) -> anyhow::Result<String> {
    let mut text = String::from("| | goal | measured | |\n|---|---|---|---|\n");
    for goal in &report.goals {
        let measured = goal.measured.as_deref().unwrap_or("not measured");
        let word = match (goal.met, &goal.measured) {
            (true, _) => "met",
            (false, Some(_)) => "**missed**",
            (false, None) => "**open**",
        };
        writeln!(
            text,
            "| {} | {} | {measured} | {word} |",
            goal.what, goal.goal
        )?;
    }
    Ok(text)
}

/// The programs, in the order of the session.
pub(super) fn programs(report: &Report) -> Vec<&str> {
    let mut all: Vec<&str> = Vec::new();
    for point in &report.points {
        if all.last() != Some(&point.program.as_str()) {
            all.push(&point.program);
        }
    }
    all
}

/// The points of one way, in the order of how many are in flight.
pub(super) fn line<'a>(report: &'a Report, program: &str, way: Way) -> Vec<&'a Point> {
    let own = report.points.iter();
    own.filter(|point| point.is_of(program, way)).collect()
}

/// A line a way: one after the other, and jobs a second.
pub(super) fn program_table(report: &Report, program: &str) -> anyhow::Result<String> {
    let own = report
        .points
        .iter()
        .filter(|point| point.program == program);
    let mut columns: Vec<usize> = own.map(|point| point.in_flight).collect();
    columns.sort_unstable();
    columns.dedup();
    let mut text = String::from("| | p50 · p99, one at a time |");
    for column in &columns {
        write!(text, " {column} in flight |")?;
    }
    writeln!(
        text,
        " best, to bare |\n|---|---|{}",
        "---|".repeat(columns.len() + 1)
    )?;
    for way in WAYS {
        let line = line(report, program, way);
        if line.is_empty() {
            continue;
        }
        let at = |column: usize| line.iter().find(|point| point.in_flight == column);
        let alone = at(1).and_then(|point| point.each.as_ref());
        write!(
            text,
            "| {} | {} |",
            way.label(),
            alone.map_or_else(|| "–".to_owned(), both)
        )?;
        for column in &columns {
            match at(*column) {
                Some(point) => write!(text, " {}/s |", rate(point.per_s))?,
                None => text.push_str(" – |"),
            }
        }
        let ratio = crate::goals::rate_ratio(&report.points, program, way, Way::Bare);
        writeln!(
            text,
            " {} |",
            ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2} ×"))
        )?;
    }
    Ok(text)
}

fn idle(report: &Report) -> anyhow::Result<String> {
    let mut text = String::from("\n## One job on an idle machine\n\n| | p50 · p99 |\n|---|---|\n");
    if let Some(round_trip) = &report.round_trip {
        writeln!(
            text,
            "| the queue's own round trip | {} |",
            both(round_trip)
        )?;
    }
    for row in &report.idle {
        writeln!(
            text,
            "| `{}`, {} | {} |",
            row.program,
            row.way.label(),
            both(&row.each)
        )?;
    }
    Ok(text)
}

fn cpu(report: &Report) -> anyhow::Result<String> {
    let mut text = String::from("\n## Processor time of a job, whole way, in ms\n\n");
    let names: BTreeSet<&str> = report
        .cpu
        .iter()
        .flat_map(|row| row.ms.keys().copied())
        .collect();
    let columns: String = names.iter().map(|name| format!(" {name} |")).collect();
    writeln!(
        text,
        "| |{columns} sum without other |\n|---|{}---|",
        "---|".repeat(names.len())
    )?;
    for row in &report.cpu {
        write!(text, "| `{}`, {} |", row.program, row.way.label())?;
        for name in &names {
            match row.ms.get(name) {
                Some(ms) => write!(text, " {ms:.2} |")?,
                None => text.push_str(" – |"),
            }
        }
        writeln!(text, " {:.2} |", row.sum_ms())?;
    }
    Ok(text)
}

fn rest(report: &Report) -> anyhow::Result<String> {
    let mut text = String::from("\n## Besides\n\n");
    if let Some(memory) = &report.memory {
        writeln!(
            text,
            "- A waiting warm Python cell: {:.1} MB of PSS ({:.0} KiB the job's process, {:.0} KiB of them nobody else's; \
         {:.0} KiB its init), median of {}.",
            memory.mb(),
            memory.job_kib,
            memory.job_private_kib,
            memory.init_kib,
            memory.cells
        )?;
    }
    if let Some(load) = &report.load {
        writeln!(
            text,
            "- Python at 80 % load, {:.0}/s arriving at random, {:.0}/s done: {}.",
            load.offered_per_s,
            load.done_per_s,
            both(&load.each)
        )?;
    }
    let [_, [warm, cold]] = report.warmth;
    writeln!(
        text,
        "- The warm runner started {warm} jobs from a template and {cold} cold (all of `true`, and of what has no template)."
    )?;
    text.push_str(&besides(report)?);
    Ok(text)
}

/// What does not belong to the comparison.
pub(super) fn besides(report: &Report) -> anyhow::Result<String> {
    let mut text = String::new();
    let besides = &report.besides;
    let [bare, run] = besides.command_cpu_ms;
    writeln!(
        text,
        "- `glovebox run hello.py`, which starts and ends a supervisor, a runner and a warden for its one job: {run:.1} ms \
         of CPU, {bare:.1} ms of it the interpreter's."
    )?;
    let network = &besides.network;
    if let (Some(direct), Some(through)) = (&network.direct, &network.through) {
        writeln!(
            text,
            "- The network gate, on loopback: first byte after {:.2} ms directly and {:.2} ms through CONNECT; one transfer \
             at {:.0} and {:.0} MB/s.",
            direct.p50_ms, through.p50_ms, network.direct_mb_s, network.through_mb_s
        )?;
    }
    if let (Some(queued), Some(running)) = (&besides.cancel.queued, &besides.cancel.running) {
        writeln!(
            text,
            "- A job that its owner cancels has its result after {} if it is queued, {} if it runs.",
            both(queued),
            both(running)
        )?;
    }
    Ok(text)
}

/// p50 and p99.
pub(super) fn both(summary: &Summary) -> String {
    match summary.p99_ms {
        Some(p99) => format!("{:.2} · {p99:.2} ms", summary.p50_ms),
        None => format!("{:.2} ms", summary.p50_ms),
    }
}

fn rate(per_s: f64) -> String {
    match per_s {
        small if small < 100.0 => format!("{small:.1}"),
        large => format!("{large:.0}"),
    }
}
