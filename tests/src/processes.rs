//! Looking at processes and cgroups from outside, through /proc and /sys.
//!
//! It must never signal anything but the process it was given.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// One process, by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process(pub i32);

impl Process {
    /// Its children.
    ///
    /// # Errors
    ///
    /// When /proc cannot be read.
    pub fn children(self) -> anyhow::Result<Vec<Process>> {
        let mut children = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // One that has just ended is nobody's child.
            if Process(pid)
                .stat(1)
                .is_ok_and(|parent| parent == self.0.to_string())
            {
                children.push(Process(pid));
            }
        }
        Ok(children)
    }

    /// The one that started it, or took it over.
    ///
    /// # Errors
    ///
    /// When there is none, or it has ended.
    pub fn parent(self) -> anyhow::Result<Process> {
        match self.stat(1)?.parse()? {
            0 => bail!("{} has no parent", self.0),
            parent => Ok(Process(parent)),
        }
    }

    /// All below it that have no children themselves.
    ///
    /// # Errors
    ///
    /// When /proc cannot be read.
    pub fn leaves(self) -> anyhow::Result<Vec<Process>> {
        let mut leaves = Vec::new();
        let mut open = self.children()?;
        while let Some(process) = open.pop() {
            match process.children()? {
                none if none.is_empty() => {
                    leaves.extend(Some(process).filter(|one| !one.is_ours()))
                }
                more => open.extend(more),
            }
        }
        Ok(leaves)
    }

    /// All that come from it and are called so.
    ///
    /// # Errors
    ///
    /// When /proc cannot be read.
    pub fn called(self, name: &str) -> anyhow::Result<Vec<Process>> {
        let mut found = Vec::new();
        let mut open = self.children()?;
        while let Some(process) = open.pop() {
            open.extend(process.children()?);
            found.extend(Some(process).filter(|one| one.name().is_ok_and(|own| own == name)));
        }
        Ok(found)
    }

    /// Whether it runs no job: a template, a cell that waits for a job, or what makes those, by its name; or what is to
    /// become one of them, by its stdin, which is a line to the warden. A job's is never a socket.
    fn is_ours(self) -> bool {
        let stdin = fs::read_link(format!("/proc/{}/fd/0", self.0)).unwrap_or_default();
        stdin.to_string_lossy().starts_with("socket:")
            || self.name().is_ok_and(|name| name.starts_with("glovebox-"))
    }

    /// Whether it runs. One that ended and was not reaped does not.
    #[must_use]
    pub fn is_alive(self) -> bool {
        self.stat(0).is_ok_and(|state| state != "Z" && state != "X")
    }

    /// Its name for `ps`.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn name(self) -> anyhow::Result<String> {
        Ok(self.read("comm")?.trim_end().to_owned())
    }

    /// The value of a line of its `status`.
    ///
    /// # Errors
    ///
    /// When it has ended, or there is no such line.
    pub fn status(self, field: &str) -> anyhow::Result<String> {
        let status = self.read("status")?;
        let value = status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let value = value.with_context(|| format!("no {field} in the status of {}", self.0))?;
        Ok(value.trim().to_owned())
    }

    /// Whether it is in sigwait(3).
    #[must_use]
    pub fn waits_for_a_signal(self) -> bool {
        self.read("wchan")
            .is_ok_and(|place| place.contains("sigtimedwait"))
    }

    /// The names of the network interfaces that it sees.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn network_interfaces(self) -> anyhow::Result<Vec<String>> {
        let table = self.read("net/dev")?;
        let names = table.lines().skip(2);
        Ok(names
            .filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()))
            .collect())
    }

    /// How many descriptors it has open.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn descriptors(self) -> anyhow::Result<usize> {
        let path = format!("/proc/{}/fd", self.0);
        let entries = fs::read_dir(&path).with_context(|| format!("reading {path}"))?;
        Ok(entries.count())
    }

    /// Its memory in KiB; of pages that it shares, its share (`Pss`).
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn memory_kib(self) -> anyhow::Result<u64> {
        self.rollup("Pss:")
    }

    /// The same without pages of files: those count for less while other tests use the same binary.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn own_memory_kib(self) -> anyhow::Result<u64> {
        self.rollup("Pss_Anon:")
    }

    fn rollup(self, name: &str) -> anyhow::Result<u64> {
        let rollup = self.read("smaps_rollup")?;
        let line = rollup.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let number = number.with_context(|| format!("smaps_rollup has no {name}"))?;
        Ok(number.trim().parse()?)
    }

    /// The processor time that it has used, in clock ticks of 10 ms.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn cpu_ticks(self) -> anyhow::Result<u64> {
        Ok(self.stat(11)?.parse::<u64>()? + self.stat(12)?.parse::<u64>()?)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn signal(self, signal: Signal) -> anyhow::Result<()> {
        // 0 and -1 are not processes but all of them.
        if self.0 <= 1 {
            bail!("{} is not a process to signal", self.0);
        }
        kill(Pid::from_raw(self.0), signal)
            .with_context(|| format!("sending {signal} to process {}", self.0))
    }

    /// Field `index` of its `stat`, counted from the state, which is 0.
    fn stat(self, index: usize) -> anyhow::Result<String> {
        let stat = self.read("stat")?;
        let (_, fields) = stat.rsplit_once(") ").context("stat has no name")?;
        let field = fields.split_whitespace().nth(index);
        Ok(field.context("stat is too short")?.to_owned())
    }

    fn read(self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.0);
        fs::read_to_string(&path).with_context(|| format!("reading {path}"))
    }
}

/// The cgroup folders that the warden with this process id made and that are still there.
#[must_use]
pub fn cgroups_of(warden: Process) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(Path::new("/sys/fs/cgroup"), warden, &mut found);
    found
}

fn collect(folder: &Path, warden: Process, found: &mut Vec<PathBuf>) {
    // Groups of other tests come and go while we look.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if maker(&entry.file_name().to_string_lossy()) == Some(warden) {
                found.push(entry.path());
            }
            collect(&entry.path(), warden, found);
        }
    }
}

/// The warden that made the group of this name: `glovebox.….PID.START`.
fn maker(name: &str) -> Option<Process> {
    let mut parts = name.strip_prefix("glovebox.")?.rsplit('.').skip(1);
    parts.next()?.parse().ok().map(Process)
}
