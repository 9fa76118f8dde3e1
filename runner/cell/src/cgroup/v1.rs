//! The driver for cgroup version 1: one folder a controller.
//!
//! Source: Documentation/admin-guide/cgroup-v1 of the kernel. Counters of the CPU can't be set back;
//! they are compared with what they were when the cell was opened.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::fs::OFlags;

use super::folder::Folder;
use super::locate::V1Parents;
use super::{CPU_PERIOD_US, CgroupError, Group, Knob, Sample, WayIn, cpu_quota_us};
use crate::blueprint::Limits;

/// This part of a cell's memory may wait in its sockets, besides.
const SOCKETS_SHARE: u64 = 4;

/// The base group in each hierarchy; `cpuacct` is absent where it is mounted together with `cpu`.
pub(super) struct Bases {
    memory: Folder,
    pids: Folder,
    cpu: Folder,
    cpuacct: Option<Folder>,
}

impl Bases {
    /// Makes them.
    pub(super) fn new(parents: &V1Parents, name: &str) -> Result<Bases, CgroupError> {
        let make = |parent| Folder::open(parent)?.make(name);
        let apart = parents.cpuacct != parents.cpu;
        Ok(Bases {
            memory: make(&parents.memory)?,
            pids: make(&parents.pids)?,
            cpu: make(&parents.cpu)?,
            cpuacct: apart.then(|| make(&parents.cpuacct)).transpose()?,
        })
    }
}

/// The group of one slot. CPU is kept with the slot; memory and processes are a cell's own, since the
/// page cache that a job leaves would be charged to the next one, and `pids.peak` can't be set back.
pub(super) struct V1Group {
    name: String,
    memory_base: Folder,
    pids_base: Folder,
    cpu_tasks: Vec<Knob>,
    cpu_period: Knob,
    cpu_quota: Knob,
    /// Exact, in nanoseconds.
    cpu_total: Knob,
    /// Counted by the timer tick: good for a share, not for a sum.
    cpu_user: Knob,
    cpu_system: Knob,
    cpus_milli: Option<u32>,
    before: Absolute,
    cell: Option<Cell>,
}

/// The groups of one cell in the hierarchies of `memory` and `pids`.
struct Cell {
    memory: Folder,
    pids: Folder,
    memory_tasks: Knob,
    memory_peak: Knob,
    oom_control: Knob,
    pids_tasks: Knob,
    pids_events: Knob,
    /// Newer than the controller itself; without it `pids.current` is sampled.
    pids_peak: Option<Knob>,
    pids_current: Knob,
    pids_seen: u64,
}

impl Cell {
    fn open(memory: Folder, pids: Folder, limits: &Limits) -> Result<Cell, CgroupError> {
        set_limits(&memory, &pids, limits)?;
        Ok(Cell {
            memory_tasks: memory.knob("tasks", OFlags::WRONLY)?,
            memory_peak: memory.knob("memory.max_usage_in_bytes", OFlags::RDONLY)?,
            oom_control: memory.knob("memory.oom_control", OFlags::RDONLY)?,
            pids_tasks: pids.knob("tasks", OFlags::WRONLY)?,
            pids_events: pids.knob("pids.events", OFlags::RDONLY)?,
            pids_peak: pids.knob("pids.peak", OFlags::RDONLY).ok(),
            pids_current: pids.knob("pids.current", OFlags::RDONLY)?,
            pids_seen: 0,
            memory,
            pids,
        })
    }

    fn processes_peak(&mut self) -> Result<u64, CgroupError> {
        let knob = self.pids_peak.as_ref().unwrap_or(&self.pids_current);
        self.pids_seen = self.pids_seen.max(knob.number()?).max(1);
        Ok(self.pids_seen)
    }
}

/// Only ever lowers them, as `memsw` may not be below the other limit at any moment.
fn set_limits(memory: &Folder, pids: &Folder, limits: &Limits) -> Result<(), CgroupError> {
    let most = limits.memory.to_string();
    memory.set("memory.limit_in_bytes", &most)?;
    // Memory and swap together; absent without swap accounting. After the limit: it may not be
    // below it at any moment.
    if let Ok(swap) = memory.knob("memory.memsw.limit_in_bytes", OFlags::WRONLY) {
        swap.write(&most)?;
    }
    // What waits in sockets of TCP and UDP is not in the limit above, and not counted at all without one of its
    // own. The kernel answers it by dropping packets.
    if let Ok(sockets) = memory.knob("memory.kmem.tcp.limit_in_bytes", OFlags::WRONLY) {
        sockets.write(&(limits.memory / SOCKETS_SHARE).to_string())?;
    }
    pids.set("pids.max", &limits.processes.to_string())
}

/// The counters that can't be set back, as they stand.
#[derive(Clone, Copy, Default)]
struct Absolute {
    cpu_total: u64,
    cpu_user: u64,
    cpu_system: u64,
}

impl V1Group {
    pub(super) fn new(bases: &Bases, slot: u16) -> Result<V1Group, CgroupError> {
        let name = format!("slot{slot}");
        let cpu = bases.cpu.make(&name)?;
        let cpuacct = bases
            .cpuacct
            .as_ref()
            .map(|base| base.make(&name))
            .transpose()?;
        let counters = cpuacct.as_ref().unwrap_or(&cpu);
        let cpu_tasks = [Some(&cpu), cpuacct.as_ref()]
            .into_iter()
            .flatten()
            .map(|folder| folder.knob("tasks", OFlags::WRONLY))
            .collect::<Result<_, _>>()?;
        Ok(V1Group {
            name,
            memory_base: bases.memory.again()?,
            pids_base: bases.pids.again()?,
            cpu_tasks,
            cpu_period: cpu.knob("cpu.cfs_period_us", OFlags::WRONLY)?,
            cpu_quota: cpu.knob("cpu.cfs_quota_us", OFlags::WRONLY)?,
            cpu_total: counters.knob("cpuacct.usage", OFlags::RDONLY)?,
            cpu_user: counters.knob("cpuacct.usage_user", OFlags::RDONLY)?,
            cpu_system: counters.knob("cpuacct.usage_sys", OFlags::RDONLY)?,
            cpus_milli: None,
            before: Absolute::default(),
            cell: None,
        })
    }

    fn set_cpu(&mut self, cpus_milli: u32) -> Result<(), CgroupError> {
        if self.cpus_milli != Some(cpus_milli) {
            self.cpus_milli = None;
            self.cpu_period.write(&CPU_PERIOD_US.to_string())?;
            self.cpu_quota
                .write(&cpu_quota_us(cpus_milli).to_string())?;
            self.cpus_milli = Some(cpus_milli);
        }
        Ok(())
    }

    fn absolute(&self) -> Result<Absolute, CgroupError> {
        Ok(Absolute {
            cpu_total: self.cpu_total.number()?,
            cpu_user: self.cpu_user.number()?,
            cpu_system: self.cpu_system.number()?,
        })
    }
}

/// Divides the exact total as the ticks say; without a tick yet, it is all the program's own.
fn divide(total: u64, user: u64, system: u64) -> (Duration, Duration) {
    let ticks = u128::from(user) + u128::from(system);
    let system = u128::from(total) * u128::from(system) / ticks.max(1);
    let system = u64::try_from(system).unwrap_or(total).min(total);
    (
        Duration::from_nanos(total - system),
        Duration::from_nanos(system),
    )
}

impl Group for V1Group {
    fn open(&mut self, limits: &Limits, cpus_milli: u32) -> Result<(), CgroupError> {
        self.close()?;
        self.set_cpu(cpus_milli)?;
        let memory = self.memory_base.make(&self.name)?;
        let pids = self.pids_base.make(&self.name)?;
        self.cell = Some(Cell::open(memory, pids, limits)?);
        self.before = self.absolute()?;
        Ok(())
    }

    fn way_in(&self) -> WayIn {
        let own = self
            .cell
            .iter()
            .flat_map(|cell| [&cell.memory_tasks, &cell.pids_tasks]);
        let knobs = self.cpu_tasks.iter().chain(own);
        WayIn::Tasks(knobs.map(|knob| knob.file.as_raw_fd()).collect())
    }

    fn tasks(&self) -> Result<Vec<OwnedFd>, CgroupError> {
        let own = self
            .cell
            .iter()
            .flat_map(|cell| [&cell.memory_tasks, &cell.pids_tasks]);
        self.cpu_tasks.iter().chain(own).map(Knob::again).collect()
    }

    fn adjust(&mut self, limits: &Limits) -> Result<(), CgroupError> {
        if let Some(cell) = &self.cell {
            set_limits(&cell.memory, &cell.pids, limits)?;
            cell.memory.set("memory.max_usage_in_bytes", "0")?;
        }
        self.before = self.absolute()?;
        Ok(())
    }

    fn sample(&mut self) -> Result<Sample, CgroupError> {
        let (now, before) = (self.absolute()?, self.before);
        let since = |now: u64, before: u64| now.saturating_sub(before);
        let (cpu_user, cpu_system) = divide(
            since(now.cpu_total, before.cpu_total),
            since(now.cpu_user, before.cpu_user),
            since(now.cpu_system, before.cpu_system),
        );
        let Some(cell) = &mut self.cell else {
            return Ok(Sample::default());
        };
        Ok(Sample {
            cpu_user,
            cpu_system,
            memory_peak: cell.memory_peak.number()?,
            processes_peak: cell.processes_peak()?,
            oom_kills: cell.oom_control.field("oom_kill")?,
            forks_refused: cell.pids_events.field("max")?,
        })
    }

    fn close(&mut self) -> Result<(), CgroupError> {
        self.cell = None;
        self.memory_base.remove(self.name.as_ref())?;
        self.pids_base.remove(self.name.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_total_is_divided_as_the_ticks_say() {
        let nanos = Duration::from_nanos;
        assert_eq!(divide(100, 3, 1), (nanos(75), nanos(25)));
        assert_eq!(divide(100, 0, 0), (nanos(100), nanos(0)));
        assert_eq!(divide(100, 0, 4), (nanos(0), nanos(100)));
        assert_eq!(
            divide(u64::MAX, u64::MAX, u64::MAX).0,
            nanos(u64::MAX - u64::MAX / 2)
        );
    }
}
