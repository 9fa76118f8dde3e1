//! Control groups: how much memory, CPU and how many processes a cell gets, and what it used.
//!
//! One driver for each version of the kernel's interface behind the trait [`Group`]; the host is
//! looked at once, in [`locate`]. Must never move a process by its pid: that takes 7 to 12 ms at
//! realistic gaps. A job enters by itself (v1) or is born inside (v2).

mod available;
mod folder;
mod locate;
mod sweep;
mod v1;
mod v2;

use std::fs::File;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use available::available_memory;
use folder::Folder;
pub(crate) use locate::{Found, locate};
pub(crate) use sweep::sweep_stale;

use crate::blueprint::Limits;

/// A cgroup file that could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{action} {path}")]
pub(crate) struct CgroupError {
    action: &'static str,
    path: PathBuf,
    #[source]
    pub(crate) source: io::Error,
}

/// For `map_err`: what was done to which path.
fn on(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CgroupError {
    let path = path.to_owned();
    move |source| CgroupError {
        action,
        path,
        source,
    }
}

/// Counters of one cell so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) cpu_user: Duration,
    pub(crate) cpu_system: Duration,
    pub(crate) memory_peak: u64,
    pub(crate) processes_peak: u64,
    pub(crate) oom_kills: u64,
    pub(crate) forks_refused: u64,
}

/// How the job's process gets into its group.
#[derive(Debug)]
pub(crate) enum WayIn {
    /// It writes `0` to each of these, itself (v1).
    Tasks(Vec<RawFd>),
    /// It is born in this directory (v2).
    Born(RawFd),
    /// There is no group.
    None,
}

/// The cgroup of one slot.
pub(crate) trait Group {
    /// Makes it ready for a new cell with these limits; `cpus_milli` is its CPU bandwidth.
    fn open(&mut self, limits: &Limits, cpus_milli: u32) -> Result<(), CgroupError>;
    /// How the cell's job enters.
    fn way_in(&self) -> WayIn;
    /// The files by which a process enters that was born elsewhere: it writes `0` to each.
    fn tasks(&self) -> Result<Vec<OwnedFd>, CgroupError>;
    /// Gives a cell that is waiting for its job the job's limits; the counters start anew.
    fn adjust(&mut self, limits: &Limits) -> Result<(), CgroupError>;
    /// The counters since `open`.
    fn sample(&mut self) -> Result<Sample, CgroupError>;
    /// Called when the cell is dead: nothing in it may be left.
    fn close(&mut self) -> Result<(), CgroupError>;
}

/// The warden's own part of the cgroup tree; removed on drop.
pub(crate) struct Tree {
    name: String,
    parents: Vec<Folder>,
    bases: Bases,
}

/// The warden's base groups, of whichever version.
enum Bases {
    V1(v1::Bases),
    V2(Folder),
    None,
}

impl Tree {
    /// Makes this process's base groups.
    pub(crate) fn new(found: &Found) -> Result<Tree, CgroupError> {
        let name = sweep::own_name();
        let bases = match found {
            Found::V1(parents) => Bases::V1(v1::Bases::new(parents, &name)?),
            Found::V2(parent) => Bases::V2(v2::make_base(parent, &name)?),
            Found::Missing(_) => Bases::None,
        };
        let parents = found.parents();
        let parents = parents.iter().map(|path| Folder::open(path));
        Ok(Tree {
            parents: parents.collect::<Result<_, _>>()?,
            name,
            bases,
        })
    }

    /// The group of slot number `slot`.
    pub(crate) fn group(&self, slot: u16) -> Result<Box<dyn Group>, CgroupError> {
        Ok(match &self.bases {
            Bases::V1(bases) => Box::new(v1::V1Group::new(bases, slot)?),
            Bases::V2(base) => Box::new(v2::V2Group::new(base.again()?, slot)),
            Bases::None => Box::new(NoGroup),
        })
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        for parent in &self.parents {
            // What could not be removed is found by the next warden's sweep.
            parent.remove(self.name.as_ref()).unwrap_or_default();
        }
    }
}

/// Stands in where the host gives no cgroup and the operator allowed that.
struct NoGroup;

impl Group for NoGroup {
    fn open(&mut self, _: &Limits, _: u32) -> Result<(), CgroupError> {
        Ok(())
    }

    fn way_in(&self) -> WayIn {
        WayIn::None
    }

    fn tasks(&self) -> Result<Vec<OwnedFd>, CgroupError> {
        Ok(Vec::new())
    }

    fn adjust(&mut self, _: &Limits) -> Result<(), CgroupError> {
        Ok(())
    }

    fn sample(&mut self) -> Result<Sample, CgroupError> {
        Ok(Sample::default())
    }

    fn close(&mut self) -> Result<(), CgroupError> {
        Ok(())
    }
}

/// One file of a cgroup, kept open: opening costs more than reading.
struct Knob {
    path: PathBuf,
    file: File,
}

impl Knob {
    fn write(&self, value: &str) -> Result<(), CgroupError> {
        self.file
            .write_all_at(value.as_bytes(), 0)
            .map_err(on("writing", &self.path))
    }

    fn read(&self) -> Result<String, CgroupError> {
        let mut bytes = [0u8; 4096];
        let length = self
            .file
            .read_at(&mut bytes, 0)
            .map_err(on("reading", &self.path))?;
        Ok(String::from_utf8_lossy(bytes.get(..length).unwrap_or_default()).into_owned())
    }

    fn again(&self) -> Result<OwnedFd, CgroupError> {
        let file = self.file.try_clone();
        file.map(OwnedFd::from)
            .map_err(on("duplicating the descriptor of", &self.path))
    }

    fn number(&self) -> Result<u64, CgroupError> {
        let text = self.read()?;
        text.trim().parse().map_err(|_| CgroupError {
            action: "reading a number from",
            path: self.path.clone(),
            source: io::Error::new(io::ErrorKind::InvalidData, text.trim().to_owned()),
        })
    }

    /// The value behind `key` in a file of `key value` lines; 0 when it is not there.
    fn field(&self, key: &str) -> Result<u64, CgroupError> {
        Ok(field(&self.read()?, key))
    }
}

fn field(text: &str, key: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(name, _)| *name == key)
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

/// The kernel's period for CPU bandwidth, in microseconds.
const CPU_PERIOD_US: u64 = 100_000;

/// The share of [`CPU_PERIOD_US`] that `cpus_milli` thousandths of a processor are.
fn cpu_quota_us(cpus_milli: u32) -> u64 {
    u64::from(cpus_milli) * CPU_PERIOD_US / 1000
}
