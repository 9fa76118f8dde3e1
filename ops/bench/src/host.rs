//! Where a session was: figures of two machines must never be compared, so each says which it was.

use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

/// The machine and what is installed on it.
#[derive(Debug, Serialize)]
pub(crate) struct Host {
    pub(crate) processors: usize,
    pub(crate) model: String,
    pub(crate) kernel: String,
    /// How much of all processors others took before the session and after it. More than a little, and no figure of the
    /// session is to be believed, no ratio either.
    pub(crate) busy_percent: Vec<f64>,
    /// Of what is measured and compared with.
    pub(crate) versions: Vec<String>,
}

const ASKED: [&[&str]; 6] = [
    &["/usr/bin/python3", "--version"],
    &["/usr/bin/node", "--version"],
    &["bwrap", "--version"],
    &["crun", "--version"],
    &["redis-server", "--version"],
    &[
        "dpkg-query",
        "-W",
        "-f",
        "${Package} ${Version}",
        "rabbitmq-server",
    ],
];

pub(crate) fn describe() -> anyhow::Result<Host> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": "));
    let ask = |words: &&[&str]| {
        let (first, rest) = words.split_first()?;
        let said = Command::new(first).args(rest).output().ok()?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let line = said.lines().next()?.trim();
        (!line.is_empty()).then(|| match first.rsplit('/').next() {
            Some("node") => format!("Node.js {line}"),
            _ => line.to_owned(),
        })
    };
    Ok(Host {
        processors: std::thread::available_parallelism()?.get(),
        model: model.map_or_else(String::new, |(_, model)| model.to_owned()),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        busy_percent: Vec::new(),
        versions: ASKED.iter().filter_map(ask).collect(),
    })
}

/// What the processors do while this process does nothing.
pub(crate) fn busy_percent() -> anyhow::Result<f64> {
    const LOOK: Duration = Duration::from_secs(1);
    let [busy_before, all_before] = ticks()?;
    std::thread::sleep(LOOK);
    let [busy, all] = ticks()?;
    let all = all.saturating_sub(all_before).max(1);
    Ok(100.0 * busy.saturating_sub(busy_before) as f64 / all as f64)
}

/// Ticks of all processors in which they did something, and all ticks: user, nice, system, idle, iowait, irq, softirq
/// (proc_stat(5)).
pub(crate) fn ticks() -> anyhow::Result<[u64; 2]> {
    const ALL: usize = 7;
    const IDLE: [usize; 2] = [3, 4];
    let text = std::fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().context("an empty /proc/stat")?;
    let fields = line.split_whitespace().skip(1).take(ALL);
    let fields: Vec<u64> = fields.map(str::parse).collect::<Result<_, _>>()?;
    let all: u64 = fields.iter().sum();
    let idle: u64 = IDLE.iter().filter_map(|at| fields.get(*at)).sum();
    Ok([all - idle, all])
}
