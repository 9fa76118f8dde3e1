//! The driver for cgroup version 2: one folder a cell, made anew for each, since `memory.peak` can't
//! be set back before Linux 6.12.
//!
//! Source: Documentation/admin-guide/cgroup-v2.rst of the kernel.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::OFlags;

use super::folder::Folder;
use super::locate::V2Parent;
use super::{CPU_PERIOD_US, CgroupError, Group, Knob, Sample, WayIn, cpu_quota_us, field};
use crate::blueprint::Limits;

/// The leaf that takes our own processes, so that the group above may hand its controllers on.
pub(super) const LEAF: &str = "glovebox-supervisor";
const CONTROLLERS: &str = "+memory +pids +cpu";

/// Makes the base group and hands the controllers down to it.
pub(super) fn make_base(parent: &V2Parent, name: &str) -> Result<Folder, CgroupError> {
    let folder = Folder::open(&parent.path)?;
    if parent.own {
        divide(&folder)?;
    } else {
        folder.set("cgroup.subtree_control", CONTROLLERS)?;
    }
    let base = folder.make(name)?;
    base.set("cgroup.subtree_control", CONTROLLERS)?;
    Ok(base)
}

/// Attempts to find the group without a process of its own.
const PATIENCE: u32 = 1000;

/// Empties our own group into the leaf and hands its controllers on. Another process of the same
/// service or scope may fork between the two, and then it is done again.
fn divide(own: &Folder) -> Result<(), CgroupError> {
    let mut done = Ok(());
    for _ in 0..PATIENCE {
        move_to_leaf(own)?;
        done = own.set("cgroup.subtree_control", CONTROLLERS);
        match &done {
            Err(error) if error.source.raw_os_error() == Some(libc::EBUSY) => {}
            _ => break,
        }
    }
    done
}

/// Once, at the start: the cost of moving by pid does not matter here.
fn move_to_leaf(own: &Folder) -> Result<(), CgroupError> {
    let leaf = own.make(LEAF)?;
    for pid in own.members()? {
        match leaf.set("cgroup.procs", &pid.to_string()) {
            Err(error) if error.source.raw_os_error() == Some(libc::ESRCH) => {}
            other => other?,
        }
    }
    Ok(())
}

/// The group of one slot: a new folder for each cell.
pub(super) struct V2Group {
    base: Folder,
    name: String,
    cell: Option<Cell>,
}

struct Cell {
    folder: Folder,
    cpu_stat: Knob,
    /// Since Linux 5.19; older kernels are sampled by `memory.current`.
    memory_peak: Option<Knob>,
    memory_current: Knob,
    memory_events: Knob,
    pids_events: Knob,
    pids_peak: Option<Knob>,
    pids_current: Knob,
    memory_seen: u64,
    pids_seen: u64,
    /// What a process had used in it before its job came.
    cpu_before: (u64, u64),
}

impl V2Group {
    pub(super) fn new(base: Folder, slot: u16) -> V2Group {
        V2Group {
            base,
            name: format!("slot{slot}"),
            cell: None,
        }
    }
}

fn set_limits(folder: &Folder, limits: &Limits, cpus_milli: u32) -> Result<(), CgroupError> {
    folder.set("memory.max", &limits.memory.to_string())?;
    // Absent where the kernel has no swap accounting.
    if let Ok(swap) = folder.knob("memory.swap.max", OFlags::WRONLY) {
        swap.write("0")?;
    }
    folder.set("memory.oom.group", "1")?;
    folder.set("pids.max", &limits.processes.to_string())?;
    let quota = format!("{} {CPU_PERIOD_US}", cpu_quota_us(cpus_milli));
    folder.set("cpu.max", &quota)
}

impl Cell {
    fn open(folder: Folder) -> Result<Cell, CgroupError> {
        let knob = |file: &str| folder.knob(file, OFlags::RDONLY);
        Ok(Cell {
            cpu_stat: knob("cpu.stat")?,
            memory_peak: knob("memory.peak").ok(),
            memory_current: knob("memory.current")?,
            memory_events: knob("memory.events")?,
            pids_events: knob("pids.events")?,
            pids_peak: knob("pids.peak").ok(),
            pids_current: knob("pids.current")?,
            memory_seen: 0,
            pids_seen: 0,
            cpu_before: (0, 0),
            folder,
        })
    }

    /// In user mode and in the kernel, in microseconds.
    fn cpu(&self) -> Result<(u64, u64), CgroupError> {
        let text = self.cpu_stat.read()?;
        Ok((field(&text, "user_usec"), field(&text, "system_usec")))
    }

    fn sample(&mut self) -> Result<Sample, CgroupError> {
        let (user, system) = self.cpu()?;
        self.memory_seen = self.memory_seen.max(match &self.memory_peak {
            Some(peak) => peak.number()?,
            None => self.memory_current.number()?,
        });
        self.pids_seen = self.pids_seen.max(match &self.pids_peak {
            Some(peak) => peak.number()?,
            None => self.pids_current.number()?,
        });
        Ok(Sample {
            cpu_user: Duration::from_micros(user.saturating_sub(self.cpu_before.0)),
            cpu_system: Duration::from_micros(system.saturating_sub(self.cpu_before.1)),
            memory_peak: self.memory_seen,
            processes_peak: self.pids_seen.max(1),
            oom_kills: self.memory_events.field("oom_kill")?,
            forks_refused: self.pids_events.field("max")?,
        })
    }
}

impl Group for V2Group {
    fn open(&mut self, limits: &Limits, cpus_milli: u32) -> Result<(), CgroupError> {
        self.close()?;
        let folder = self.base.make(&self.name)?;
        set_limits(&folder, limits, cpus_milli)?;
        self.cell = Some(Cell::open(folder)?);
        Ok(())
    }

    fn way_in(&self) -> WayIn {
        match &self.cell {
            Some(cell) => WayIn::Born(cell.folder.number()),
            None => WayIn::None,
        }
    }

    fn tasks(&self) -> Result<Vec<OwnedFd>, CgroupError> {
        let open = |cell: &Cell| cell.folder.knob("cgroup.procs", OFlags::WRONLY)?.again();
        self.cell.iter().map(open).collect()
    }

    fn adjust(&mut self, limits: &Limits) -> Result<(), CgroupError> {
        let Some(cell) = &mut self.cell else {
            return Ok(());
        };
        cell.folder.set("memory.max", &limits.memory.to_string())?;
        cell.folder.set("pids.max", &limits.processes.to_string())?;
        cell.cpu_before = cell.cpu()?;
        Ok(())
    }

    fn sample(&mut self) -> Result<Sample, CgroupError> {
        match &mut self.cell {
            Some(cell) => cell.sample(),
            None => Ok(Sample::default()),
        }
    }

    fn close(&mut self) -> Result<(), CgroupError> {
        self.cell = None;
        self.base.remove(self.name.as_ref())
    }
}
