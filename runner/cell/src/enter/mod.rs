//! The way into a cell: everything between fork and exec, in its one right order.
//!
//! Two processes walk it. The cell's init ([`house`]) is process 1 of the new pid namespace: it
//! builds what the cell sees and then forks the job's own process ([`inmate`]), which gives up every
//! power and becomes the program. Init stays behind with hardly any ([`init`]): it names refused
//! calls, reaps orphans, and takes the whole cell with it when it ends.
//!
//! The order is the security property. Each stage is a type and each step consumes the stage before
//! it, so that a wrong order does not compile.
//!
//! Nothing here may allocate, lock, or read what the job supplied but its files, whose bytes are
//! copied by the kernel: this runs in forked children (signal-safety(7)).

mod house;
mod identity;
mod init;
mod inmate;
mod summon;

use std::ffi::CString;
use std::marker::PhantomData;
use std::os::fd::RawFd;

pub(crate) use house::enter;
pub(crate) use identity::{
    Identity, OWN_ID, become_id, become_powerless, drop_bounding_set, drop_capabilities,
};
#[cfg(feature = "inside")]
pub(crate) use inmate::jail;
#[cfg(any(feature = "inside", feature = "ahead"))]
pub(crate) use inmate::write_files;

use crate::blueprint::{Filter, Network, Without};
use crate::cgroup::WayIn;
use crate::protocol::FileSpec;
use crate::report::Report;
use crate::sys::image::Image;
use crate::warm::Summons;

/// Where the job's tmpfs is attached.
pub(crate) const ATTIC: &std::ffi::CStr = c"tmp";
/// Folders of the job's tmpfs and where each appears in the cell. The last covers the tmpfs's own root for good: to take
/// that away again would have every processor told (`synchronize_rcu_expedited` in each umount(2)).
pub(crate) const FOLDERS: [(&std::ffi::CStr, &std::ffi::CStr); 3] = [
    (c"tmp/work", c"work"),
    (c"tmp/shm", c"dev/shm"),
    (c"tmp/tmp", ATTIC),
];
/// One more in cells that build a package environment.
pub(crate) const ENV_FOLDER: (&std::ffi::CStr, &std::ffi::CStr) = (c"tmp/env", c"env");
/// A cell's root, in the mount namespace that was prepared for its blueprint.
pub(crate) const ROOT: &std::ffi::CStr = c"/cell";
/// The working folder, as the job sees it.
pub(crate) const WORK: &std::ffi::CStr = c"/work";

/// Everything a cell needs, prepared by the warden before it forks.
pub(crate) struct Entry<'a> {
    pub(crate) report: &'a Report,
    /// A pidfd of the warden itself: readable once it is dead.
    pub(crate) warden: RawFd,
    pub(crate) stdio: [RawFd; 3],
    /// The memfd with the files' contents, and where they begin in it.
    pub(crate) contents: RawFd,
    pub(crate) contents_offset: u64,
    pub(crate) files: &'a [FileSpec],
    /// The folders that the files need, parents first.
    pub(crate) folders: &'a [CString],
    /// The job's tmpfs, not attached yet.
    pub(crate) workspace: RawFd,
    /// The slot's network namespace.
    pub(crate) network: RawFd,
    /// Whether the cell's root is the root of the mount namespace that it is cloned from.
    pub(crate) rooted: bool,
    pub(crate) identity: Identity,
    /// Which, soft, hard.
    pub(crate) rlimits: &'a [(nix::sys::resource::Resource, u64, u64)],
    pub(crate) way_in: &'a WayIn,
    pub(crate) filter: &'a Filter,
    pub(crate) reaches: Network,
    /// 0 when Landlock may be missing and is.
    pub(crate) landlock_abi: u32,
    pub(crate) exec_workdir: bool,
    pub(crate) builds_env: bool,
    pub(crate) without: Without,
    /// What becomes the job, unless it is summoned.
    pub(crate) image: Option<&'a Image>,
    /// Whose descriptor the program is to find open: a template's library.
    pub(crate) library: Option<RawFd>,
    /// How the job's process is had from a template.
    pub(crate) summons: Option<Summons<'a>>,
    /// Whether the job's process, once it is in, waits for its order: the warden says then when the job has started.
    pub(crate) waits: bool,
    /// Whether this is about a process that was summoned: it has a full bounding set, and another parent for a moment.
    pub(crate) summoned: bool,
    /// Called once what this process uses counts against the job.
    pub(crate) counted: &'a dyn Fn(),
    /// All descriptors above, sorted, without doubles; everything else is closed.
    pub(crate) keep: &'a [RawFd],
}

/// A position on the way in; `S` names the last step that was taken.
struct Stage<'a, S> {
    entry: &'a Entry<'a>,
    at: PhantomData<S>,
}

impl<'a, S> Stage<'a, S> {
    fn next<T>(self) -> Stage<'a, T> {
        Stage {
            entry: self.entry,
            at: PhantomData,
        }
    }
}

/// nix's errors are the same numbers in another type.
pub(crate) fn errno(error: nix::Error) -> rustix::io::Errno {
    rustix::io::Errno::from_raw_os_error(error as i32)
}
