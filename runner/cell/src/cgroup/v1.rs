//! The driver for cgroup version 1: a folder a controller, kept for as long as its slot; only that
//! of `pids` is made anew for each cell, because `pids.peak` can't be set back.
//!
//! Source: Documentation/admin-guide/cgroup-v1 of the kernel. Other counters that can't be set back
//! are compared with what they were when the cell was opened.

use std::os::fd::AsRawFd;
use std::time::Duration;

use rustix::fs::OFlags;

use super::folder::Folder;
use super::locate::V1Parents;
use super::{CPU_PERIOD_US, CgroupError, Group, Knob, Sample, WayIn, cpu_quota_us};
use crate::blueprint::Limits;

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

/// The group of one slot.
pub(super) struct V1Group {
    tasks: Vec<Knob>,
    memory_limit: Knob,
    /// Memory and swap together; absent without swap accounting.
    memsw_limit: Option<Knob>,
    memory_peak: Knob,
    oom_control: Knob,
    cpu_period: Knob,
    cpu_quota: Knob,
    /// Exact, in nanoseconds.
    cpu_total: Knob,
    /// Counted by the timer tick: good for a share, not for a sum.
    cpu_user: Knob,
    cpu_system: Knob,
    pids_base: Folder,
    pids_name: String,
    pids: Option<Pids>,
    set: Option<(u64, u32)>,
    before: Absolute,
}

/// The counters that can't be set back, as they stand.
#[derive(Clone, Copy, Default)]
struct Absolute {
    cpu_total: u64,
    cpu_user: u64,
    cpu_system: u64,
    oom_kills: u64,
}

/// The group of one cell in the hierarchy of `pids`.
struct Pids {
    tasks: Knob,
    events: Knob,
    /// Newer than the controller itself; without it `pids.current` is sampled.
    peak: Option<Knob>,
    current: Knob,
    seen: u64,
}

impl Pids {
    fn open(base: &Folder, name: &str, processes: u64) -> Result<Pids, CgroupError> {
        base.remove(name.as_ref())?;
        let folder = base.make(name)?;
        folder.set("pids.max", &processes.to_string())?;
        Ok(Pids {
            tasks: folder.knob("tasks", OFlags::WRONLY)?,
            events: folder.knob("pids.events", OFlags::RDONLY)?,
            peak: folder.knob("pids.peak", OFlags::RDONLY).ok(),
            current: folder.knob("pids.current", OFlags::RDONLY)?,
            seen: 0,
        })
    }

    fn peak(&mut self) -> Result<u64, CgroupError> {
        let now = self.peak.as_ref().unwrap_or(&self.current).number()?;
        self.seen = self.seen.max(now).max(1);
        Ok(self.seen)
    }
}

impl V1Group {
    pub(super) fn new(bases: &Bases, slot: u16) -> Result<V1Group, CgroupError> {
        let name = format!("slot{slot}");
        let memory = bases.memory.make(&name)?;
        let cpu = bases.cpu.make(&name)?;
        let cpuacct = bases
            .cpuacct
            .as_ref()
            .map(|base| base.make(&name))
            .transpose()?;
        let counters = cpuacct.as_ref().unwrap_or(&cpu);
        let read = OFlags::RDONLY;
        let write = OFlags::RDWR;
        let tasks = [Some(&memory), Some(&cpu), cpuacct.as_ref()]
            .into_iter()
            .flatten()
            .map(|folder| folder.knob("tasks", OFlags::WRONLY))
            .collect::<Result<_, _>>()?;
        Ok(V1Group {
            tasks,
            memory_limit: memory.knob("memory.limit_in_bytes", write)?,
            memsw_limit: memory.knob("memory.memsw.limit_in_bytes", write).ok(),
            memory_peak: memory.knob("memory.max_usage_in_bytes", write)?,
            oom_control: memory.knob("memory.oom_control", read)?,
            cpu_period: cpu.knob("cpu.cfs_period_us", write)?,
            cpu_quota: cpu.knob("cpu.cfs_quota_us", write)?,
            cpu_total: counters.knob("cpuacct.usage", read)?,
            cpu_user: counters.knob("cpuacct.usage_user", read)?,
            cpu_system: counters.knob("cpuacct.usage_sys", read)?,
            pids_base: bases.pids.again()?,
            pids_name: name,
            pids: None,
            set: None,
            before: Absolute::default(),
        })
    }

    fn set_limits(&mut self, limits: &Limits, cpus_milli: u32) -> Result<(), CgroupError> {
        let wanted = (limits.memory, cpus_milli);
        if self.set == Some(wanted) {
            return Ok(());
        }
        let memory = limits.memory.to_string();
        if let Some(memsw) = &self.memsw_limit {
            // memsw may not be below the memory limit at any moment.
            memsw.write("-1")?;
            self.memory_limit.write(&memory)?;
            memsw.write(&memory)?;
        } else {
            self.memory_limit.write(&memory)?;
        }
        self.cpu_period.write(&CPU_PERIOD_US.to_string())?;
        self.cpu_quota
            .write(&cpu_quota_us(cpus_milli).to_string())?;
        self.set = Some(wanted);
        Ok(())
    }

    fn absolute(&self) -> Result<Absolute, CgroupError> {
        Ok(Absolute {
            cpu_total: self.cpu_total.number()?,
            cpu_user: self.cpu_user.number()?,
            cpu_system: self.cpu_system.number()?,
            oom_kills: self.oom_control.field("oom_kill")?,
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
        self.set_limits(limits, cpus_milli)?;
        self.memory_peak.write("0")?;
        self.pids = Some(Pids::open(
            &self.pids_base,
            &self.pids_name,
            limits.processes,
        )?);
        self.before = self.absolute()?;
        Ok(())
    }

    fn way_in(&self) -> WayIn {
        let pids = self.pids.iter().map(|pids| &pids.tasks);
        let knobs = self.tasks.iter().chain(pids);
        WayIn::Tasks(knobs.map(|knob| knob.file.as_raw_fd()).collect())
    }

    fn sample(&mut self) -> Result<Sample, CgroupError> {
        let (now, before) = (self.absolute()?, self.before);
        let since = |now: u64, before: u64| now.saturating_sub(before);
        let (cpu_user, cpu_system) = divide(
            since(now.cpu_total, before.cpu_total),
            since(now.cpu_user, before.cpu_user),
            since(now.cpu_system, before.cpu_system),
        );
        let (processes_peak, forks_refused) = match &mut self.pids {
            Some(pids) => (pids.peak()?, pids.events.field("max")?),
            None => (0, 0),
        };
        Ok(Sample {
            cpu_user,
            cpu_system,
            memory_peak: self.memory_peak.number()?,
            processes_peak,
            oom_kills: since(now.oom_kills, before.oom_kills),
            forks_refused,
        })
    }

    fn close(&mut self) -> Result<(), CgroupError> {
        Ok(())
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
