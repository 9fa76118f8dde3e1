//! Where a session was: figures of two machines must never be compared, so each says which it was.

use std::process::Command;

use serde::Serialize;

/// The machine and what is installed on it.
#[derive(Debug, Serialize)]
pub(crate) struct Host {
    pub(crate) processors: usize,
    pub(crate) model: String,
    pub(crate) kernel: String,
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
        versions: ASKED.iter().filter_map(ask).collect(),
    })
}
