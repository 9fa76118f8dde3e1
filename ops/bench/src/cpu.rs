//! Which part of the product takes how much processor time of a job: of the broker, the store, the runner, the warden, the
//! cells, the client, and what is nobody's (the kernel's own threads, interrupts).
//!
//! proc_pid_stat(5) counts in ticks of 10 ms, exact in sum: only many jobs together mean anything.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Serialize;

use crate::agent::{Order, spawn};
use crate::program::Program;
use crate::settle::settle;
use crate::way::Way;
use crate::whole::Whole;
use crate::{command, host};

const TICK_MS: f64 = 10.0;
const PROGRAMS: [&str; 2] = ["python", "node"];
const OTHER: &str = "other";
const IN_FLIGHT: usize = 8;
/// Jobs of Node take ten times as long.
const FEWER: usize = 4;

/// Milliseconds of one job.
#[derive(Debug, Serialize)]
pub(crate) struct Cpu {
    pub(crate) program: String,
    pub(crate) way: Way,
    pub(crate) jobs: usize,
    pub(crate) ms: BTreeMap<&'static str, f64>,
}

/// Runs so many jobs each way.
pub(crate) async fn measure(whole: &Whole, jobs: usize) -> anyhow::Result<Vec<Cpu>> {
    let mut rows = Vec::new();
    for (number, program) in whole.programs.iter().enumerate() {
        if !PROGRAMS.contains(&program.name.as_str()) {
            continue;
        }
        rows.push(bare(program, jobs.div_ceil(FEWER))?);
        for way in [Way::QueueCold, Way::QueueWarm] {
            let jobs = match (program.name.as_str(), way) {
                ("python", Way::QueueWarm) => jobs,
                _ => jobs.div_ceil(FEWER),
            };
            whole.warm_up(way, number).await?;
            settle();
            let before = spent(whole, way)?;
            let order = Order {
                program: number,
                in_flight: IN_FLIGHT,
                least: std::time::Duration::ZERO,
                warm_up: false,
            };
            whole.jobs(way, order, jobs).await?;
            // What is prepared for the next jobs is theirs: as much was there before.
            settle();
            let after = spent(whole, way)?;
            let each = |(name, ticks): (&'static str, u64)| {
                let ticks = ticks.saturating_sub(before.get(name).copied().unwrap_or(0));
                (name, ticks as f64 * TICK_MS / jobs as f64)
            };
            rows.push(Cpu {
                program: program.name.clone(),
                way,
                jobs,
                ms: after.into_iter().map(each).collect(),
            });
        }
    }
    Ok(rows)
}

/// A bare start, for comparison: what it takes beside its starter.
fn bare(program: &Program, starts: usize) -> anyhow::Result<Cpu> {
    let before = command::children()?;
    for _ in 0..starts {
        spawn::bare(program)?;
    }
    let took = command::children()?.saturating_sub(before);
    Ok(Cpu {
        program: program.name.clone(),
        way: Way::Bare,
        jobs: starts,
        ms: BTreeMap::from([("cell", took.as_secs_f64() * 1000.0 / starts as f64)]),
    })
}

impl Cpu {
    /// Of all that is ours: what others take of the machine is `other`.
    pub(crate) fn sum_ms(&self) -> f64 {
        let ours = self.ms.iter().filter(|(name, _)| **name != OTHER);
        ours.map(|(_, ms)| ms).sum()
    }
}

/// Ticks so far, by component.
fn spent(whole: &Whole, way: Way) -> anyhow::Result<BTreeMap<&'static str, u64>> {
    let all = Table::read()?;
    let runner = whole.runner(way);
    let [supervisor, warden, worker] = runner.parts()?.map(|process| process.0);
    let [broker, store] = all.servers(whole)?;
    let mut ticks = BTreeMap::from([
        ("broker", all.own(broker)),
        ("store", all.own(store)),
        ("runner", all.own(supervisor) + all.own(worker)),
        ("warden", all.own(warden)),
        ("cell", all.reaped(warden) + all.below(warden)),
        ("client", all.own(i32::try_from(std::process::id())?)),
    ]);
    let known: u64 = ticks.values().sum();
    let [busy, _] = host::ticks()?;
    ticks.insert(OTHER, busy.saturating_sub(known));
    Ok(ticks)
}

/// The process ids of the broker and of the store.
pub(crate) fn servers(whole: &Whole) -> anyhow::Result<[i32; 2]> {
    Table::read()?.servers(whole)
}

/// All processes.
struct Table(BTreeMap<i32, Stat>);

struct Stat {
    name: String,
    parent: i32,
    /// Its own, and that of the children that it has waited for.
    ticks: [u64; 2],
}

impl Table {
    fn read() -> anyhow::Result<Table> {
        let mut all = BTreeMap::new();
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let pid = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            // One that has just ended is counted by whoever has waited for it.
            let stat = std::fs::read_to_string(entry.path().join("stat"));
            if let (Some(pid), Some(stat)) = (pid, stat.ok().and_then(|text| Stat::parse(&text))) {
                all.insert(pid, stat);
            }
        }
        Ok(Table(all))
    }

    fn own(&self, pid: i32) -> u64 {
        self.0.get(&pid).map_or(0, |stat| stat.ticks[0])
    }

    fn reaped(&self, pid: i32) -> u64 {
        self.0.get(&pid).map_or(0, |stat| stat.ticks[1])
    }

    /// Of all that come from it and live.
    fn below(&self, pid: i32) -> u64 {
        let children = self.0.iter().filter(|(_, stat)| stat.parent == pid);
        children
            .map(|(child, stat)| stat.ticks[0] + stat.ticks[1] + self.below(*child))
            .sum()
    }

    /// The broker and the store.
    fn servers(&self, whole: &Whole) -> anyhow::Result<[i32; 2]> {
        let services = &whole.fleet.services;
        Ok([
            self.server("beam.smp", &services.amqp_url)?,
            self.server("redis-server", &services.redis_url)?,
        ])
    }

    /// The server of this name that has the port of `url` in its environment or on its command line.
    fn server(&self, name: &str, url: &str) -> anyhow::Result<i32> {
        let (_, rest) = url.rsplit_once(':').context("a URL without a port")?;
        let port = rest.split('/').next().unwrap_or_default();
        let speaks_of_it = |pid: &i32| {
            ["environ", "cmdline"].iter().any(|file| {
                let text = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
                String::from_utf8_lossy(&text).contains(port)
            })
        };
        let mut servers = self.0.iter().filter(|(_, stat)| stat.name == name);
        let found = servers.find(|(pid, _)| speaks_of_it(pid));
        let (pid, _) = found.with_context(|| format!("no {name} has the port {port}"))?;
        Ok(*pid)
    }
}

impl Stat {
    fn parse(text: &str) -> Option<Stat> {
        let (name, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Stat {
            name: name.split_once('(')?.1.to_owned(),
            parent: fields.get(1)?.parse().ok()?,
            ticks: [number(11)? + number(12)?, number(13)? + number(14)?],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_a_parenthesis() {
        let text = "7 (a) (b) S 3 7 7 0 -1 4194560 1 2 3 4 50 6 700 8 20 0 1 0 9";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.name.as_str(), stat.parent), ("a) (b", 3));
        assert_eq!(stat.ticks, [56, 708]);
    }

    #[test]
    fn what_is_below_is_counted_once() {
        let stat = |parent, own, reaped| Stat {
            name: "x".to_owned(),
            parent,
            ticks: [own, reaped],
        };
        let all = [
            (1, stat(0, 1, 2)),
            (2, stat(1, 10, 20)),
            (3, stat(2, 100, 0)),
            (4, stat(0, 1000, 0)),
        ];
        assert_eq!(Table(all.into()).below(1), 130);
    }
}
