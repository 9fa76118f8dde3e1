//! What every cell of one profile has in common, decided before the first job is read.
//!
//! The warden gets its blueprints when it starts and never later: whoever takes over the runner can
//! choose among them, but can't make a weaker one. Must never hold anything that a job supplied.

use std::ffi::CString;
use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;
use seccompiler::sock_filter;
use serde::{Deserialize, Serialize};

/// The plan that all cells of one profile are built from.
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// The profile's name; for messages.
    pub name: String,
    /// Host paths that the cell sees, read-only. A symbolic link is copied as one.
    pub root: Vec<RootPath>,
    /// Symbolic links of the root: where, and to what.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// Whether `/env` is a folder of the job's own: cells that build a package environment write there.
    pub builds_env: bool,
    /// Whether files in the working folder and in `/tmp` may be executed.
    pub exec_workdir: bool,
    /// The system calls that are allowed, and how the others are refused.
    pub filter: Filter,
    /// No launch may ask for more than this.
    pub ceilings: Limits,
    /// `RLIMIT_NOFILE`: how many descriptors one process may have open.
    pub open_files: u64,
    /// CPU bandwidth of the whole cell in thousandths of one processor.
    pub cpus_milli: u32,
    /// What the cell can reach.
    pub network: Network,
    /// How its cells can be had warm; `None`: each starts its program anew.
    pub warm: Option<Warm>,
    /// Layers that are left out: none, in everything that runs a job.
    pub without: Without,
}

/// How a process comes to wait for its job in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarmMode {
    /// It is a child of a template: of an interpreter that has started, and that jobs are forked from.
    Fork,
    /// It is an interpreter that was started in its cell before the job came.
    Ahead,
}

/// What waits in warm cells.
#[derive(Clone, Debug)]
pub struct Warm {
    /// How it gets there.
    pub mode: WarmMode,
    /// A command that a warm job runs, without arguments; its last word is the program's file, of which each job has its
    /// own.
    pub argv: Vec<CString>,
    /// The environment that the interpreter starts with, `NAME=value` each.
    pub env: Vec<CString>,
    /// The modules that it imports.
    pub preload: Vec<String>,
    /// What the template itself may call: what its jobs may, and what it takes to jail them. It has no listener,
    /// since a process can have one only, and that is the job's.
    pub filter: Filter,
    /// How many jobs are forked from one template before the next is made.
    pub forks: u32,
    /// How many cells of this kind are kept ready while there is nothing to do.
    pub min: u16,
    /// How many are kept ready at the most.
    pub max: u16,
}

/// What a cell can reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// A network namespace with nothing in it.
    #[default]
    Nothing,
    /// One in which only loopback is up, and on it two sockets that somebody outside accepts on:
    /// [`HTTP_DOOR`] and [`SOCKS_DOOR`].
    Doors,
}

/// The port of 127.0.0.1 on which a cell finds an HTTP proxy.
pub const HTTP_DOOR: u16 = 3128;
/// The port of 127.0.0.1 on which a cell finds a SOCKS5 proxy.
pub const SOCKS_DOOR: u16 = 1080;

/// One host path of a cell's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootPath {
    /// Absolute, on the host.
    pub host: PathBuf,
    /// Absolute, in the cell.
    pub at: PathBuf,
    /// Whether the cell can do without it.
    pub optional: bool,
}

/// A compiled allowlist: allowed calls pass, every other one asks the listener.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The BPF program that seccomp(2) installs.
    pub program: Vec<sock_filter>,
    /// How the calls that reach the listener are answered, by number. What is not listed gets
    /// [`Refusal::Eperm`].
    pub refusals: Vec<(u32, Refusal)>,
    /// Whether it asks a listener at all. A template's does not.
    pub listens: bool,
}

/// How a call that is not allowed is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `EPERM`, and it is reported.
    Eperm,
    /// `ENOSYS`, so that a library falls back, and it is reported.
    Enosys,
    /// The cell is ended, and it is reported.
    Kill,
}

impl Warm {
    /// The command without the program's file.
    pub(crate) fn interpreter(&self) -> &[CString] {
        self.argv.split_last().map_or(&[], |(_, words)| words)
    }
}

impl Filter {
    /// The answer to call number `nr`.
    pub(crate) fn refusal(&self, nr: u32) -> Refusal {
        self.refusals
            .binary_search_by_key(&nr, |(number, _)| *number)
            .ok()
            .and_then(|at| self.refusals.get(at))
            .map_or(Refusal::Eperm, |(_, refusal)| *refusal)
    }

    /// Sorted by number, as [`Filter::refusal`] needs it.
    pub(crate) fn sorted(mut self) -> Filter {
        self.refusals.sort_by_key(|(nr, _)| *nr);
        self
    }
}

impl Refusal {
    /// The error that the caller gets.
    pub(crate) fn errno(self) -> Errno {
        match self {
            Refusal::Eperm | Refusal::Kill => Errno::PERM,
            Refusal::Enosys => Errno::NOSYS,
        }
    }
}

/// What one job may use at the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// From the start of the program to its end.
    pub wall: Duration,
    /// CPU time of all its processes together.
    pub cpu: Duration,
    /// Bytes of memory, with the files it writes; no swap beyond it.
    pub memory: u64,
    /// Bytes of files in the working folder, `/tmp` and `/dev/shm` together.
    pub disk: u64,
    /// Processes and threads at one time.
    pub processes: u64,
}

impl Limits {
    /// The name of the first limit that is above `ceiling`.
    #[must_use]
    pub fn first_above(&self, ceiling: &Limits) -> Option<&'static str> {
        [
            ("wall", self.wall > ceiling.wall),
            ("cpu", self.cpu > ceiling.cpu),
            ("memory", self.memory > ceiling.memory),
            ("disk", self.disk > ceiling.disk),
            ("processes", self.processes > ceiling.processes),
        ]
        .into_iter()
        .find_map(|(name, above)| above.then_some(name))
    }
}

/// Layers of the isolation that a cell goes without.
///
/// Exists for one reader: the suite that shows, layer by layer, that its probes escape when that layer
/// is gone. Nothing that a user can write sets a field of it, and nothing ever may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Without {
    /// No filter of system calls, and so nobody who names refused ones.
    pub seccomp: bool,
    /// No Landlock.
    pub landlock: bool,
    /// The job keeps the warden's uid; its capabilities still go.
    pub identity: bool,
    /// The job keeps the capabilities that its uid has, and no bounding set keeps programs from gaining
    /// them; a change of uid takes them as well.
    pub capabilities: bool,
    /// No no_new_privs; needs that Landlock and seccomp are left out too, which ask for it.
    pub no_new_privs: bool,
    /// The job is in the network namespace that the warden was started in.
    pub network: bool,
    /// The job sees and signals the processes of the warden's pid namespace. Only to be used within an outer
    /// pid namespace made for it: `kill(-1)` means all of them.
    pub pid_namespace: bool,
    /// The warden's System V memory, semaphores and queues.
    pub ipc_namespace: bool,
    /// The warden's host name.
    pub uts_namespace: bool,
    /// The cell's place in the host's cgroups can be seen.
    pub cgroup_namespace: bool,
    /// No limits of memory, processes and CPU but the rlimits.
    pub cgroup: bool,
    /// The warden's resource limits.
    pub rlimits: bool,
    /// The warden's descriptors stay open, and without close-on-exec.
    pub descriptors: bool,
    /// The warden's session, with its controlling terminal.
    pub session: bool,
    /// All of `/proc`, writable: nothing masked, and processes of other uids shown.
    pub proc: bool,
    /// The root can be written to.
    pub read_only: bool,
    /// Setuid, devices and execution work in the job's folders.
    pub mount_flags: bool,
}
