//! Warm cells: the words between the warden, a template, the init of a cell that waits for a job, and the process
//! in it that will become the job.
//!
//! A template is an interpreter in a cell of its own, without any power. The warden builds a cell as ever, but in a
//! user namespace that belongs to the template's uid, and stops where a cold cell forks the job. The cell's init then
//! summons a child of the template into it, which takes the same steps as a cold job's process, waits jailed for its
//! order, and becomes the job. Nothing here may be believed without a check: a template runs packages of third parties.

use std::os::fd::RawFd;

use seccompiler::sock_filter;
use serde::{Deserialize, Serialize};

use crate::blueprint::Limits;
use crate::step::Step;

/// The namespaces that a summoned child joins, in this order: the user namespace first gives the power for the others.
pub(crate) const NAMESPACES: [(&std::ffi::CStr, i32); 6] = [
    (c"/proc/self/ns/user", libc::CLONE_NEWUSER),
    (c"/proc/self/ns/mnt", libc::CLONE_NEWNS),
    (c"/proc/self/ns/pid", libc::CLONE_NEWPID),
    (c"/proc/self/ns/ipc", libc::CLONE_NEWIPC),
    (c"/proc/self/ns/uts", libc::CLONE_NEWUTS),
    (c"/proc/self/ns/net", libc::CLONE_NEWNET),
];
/// The environment variable by which the template's library learns which file's opening it waits for. Taken away
/// before the interpreter starts.
pub(crate) const PROGRAM_VARIABLE: &std::ffi::CStr = c"GLOVEBOX_TEMPLATE";
/// How a library is brought into the interpreter (ld.so(8)). Taken away likewise.
pub(crate) const PRELOAD_VARIABLE: &std::ffi::CStr = c"LD_PRELOAD";
/// Where a process finds the library that it was given as descriptor number …
pub(crate) const DESCRIPTORS: &str = "/proc/self/fd/";
/// The most groups' files that a child writes itself into.
pub(crate) const MOST_TASKS: usize = 4;
/// Descriptors beside a summons: the namespaces, the lines to the cell's init and to the warden, the groups.
pub(crate) const MOST_DESCRIPTORS: usize = NAMESPACES.len() + 2 + MOST_TASKS;

/// What a template is told when it starts, on its control socket.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// The filter of the jobs.
    filter: Vec<(u16, u8, u8, u32)>,
    pub(crate) landlock_abi: u32,
    pub(crate) exec_workdir: bool,
    pub(crate) open_files: u64,
    /// Whether there are control groups.
    pub(crate) cgroup: bool,
    /// What every child is limited to until its order comes.
    pub(crate) ceilings: Limits,
    pub(crate) preload: Vec<String>,
    /// How many words of a job's command are the template's own.
    pub(crate) words: u16,
}

impl Setup {
    pub(crate) fn new(
        filter: &[sock_filter],
        landlock_abi: u32,
        blueprint: &crate::Blueprint,
        warm: &crate::Warm,
        cgroup: bool,
    ) -> Setup {
        Setup {
            filter: filter.iter().map(|i| (i.code, i.jt, i.jf, i.k)).collect(),
            landlock_abi,
            exec_workdir: blueprint.exec_workdir,
            open_files: blueprint.open_files,
            cgroup,
            ceilings: blueprint.ceilings,
            preload: warm.preload.clone(),
            words: u16::try_from(warm.argv.len()).unwrap_or(u16::MAX),
        }
    }

    #[cfg(feature = "inside")]
    pub(crate) fn program(&self) -> Vec<sock_filter> {
        let instruction = |(code, jt, jf, k): &(u16, u8, u8, u32)| sock_filter {
            code: *code,
            jt: *jt,
            jf: *jf,
            k: *k,
        };
        self.filter.iter().map(instruction).collect()
    }
}

/// What an interpreter that is started ahead is told, on its order's line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Brief {
    pub(crate) open_files: u64,
    /// Whether there are control groups.
    pub(crate) cgroup: bool,
    /// Modules of the interpreter's own that it loads before it waits.
    pub(crate) preload: Vec<String>,
    /// How many words of a job's command are its own.
    pub(crate) words: u16,
}

/// What a template says once on its control socket.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    /// Its modules are imported; it can be summoned from. With the names of all modules that are loaded, without what
    /// comes after a dot, one a line.
    Ready(String),
    /// It can't be used, and why.
    Broken(String),
}

/// What the process in a cell that waits tells the warden.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    /// Jailed, and waiting for its order.
    Ready,
    /// All that the order is about is done: the program is next.
    Begun,
    /// A step failed. Nothing of a job has run.
    Failed { step: Step, errno: i32 },
}

/// The order of a waiting cell. Beside it: stdin, stdout, stderr, and the memfd with the launch.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) launch_bytes: u64,
}

/// What a cell's init needs to summon a job's process: all open in it until that has come.
pub(crate) struct Summons<'a> {
    /// The template's control socket.
    pub(crate) template: RawFd,
    /// Init's end of the line to the summoned.
    pub(crate) line: RawFd,
    /// The summoned's end of it.
    pub(crate) theirs: RawFd,
    /// The summoned's end of its line to the warden.
    pub(crate) order: RawFd,
    /// What it writes itself into.
    pub(crate) tasks: &'a [RawFd],
}

/// A summons as it travels: the uid of the job. What is beside it is told by the order of [`Summons`].
pub(crate) const SUMMONS_BYTES: usize = 4;
/// The summoned's word to init: its process number and the number of its listener.
pub(crate) const PRESENT_BYTES: usize = 8;

#[cfg(feature = "inside")]
/// Two numbers as they travel between processes of one host.
pub(crate) fn pack(pid: i32, listener: i32) -> [u8; PRESENT_BYTES] {
    let mut bytes = [0; PRESENT_BYTES];
    let (first, second) = bytes.split_at_mut(4);
    first.copy_from_slice(&pid.to_ne_bytes());
    second.copy_from_slice(&listener.to_ne_bytes());
    bytes
}

/// The reverse of [`pack`].
pub(crate) fn unpack(bytes: [u8; PRESENT_BYTES]) -> (i32, i32) {
    let [a, b, c, d, e, f, g, h] = bytes;
    (
        i32::from_ne_bytes([a, b, c, d]),
        i32::from_ne_bytes([e, f, g, h]),
    )
}
