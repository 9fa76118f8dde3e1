//! The cell's init, process 1 of the new pid namespace: it builds what the cell sees.
//!
//! It still has the warden's power while it does so, and has read nothing that a job supplied. Must
//! never run the job's code nor return to the warden's.

use std::os::fd::BorrowedFd;

use nix::sched::{CloneFlags, setns};
use nix::unistd::pivot_root;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MoveMountFlags, UnmountFlags, mount, mount_bind, move_mount, unmount,
};
use rustix::process::{DumpableBehavior, Signal, set_dumpable_behavior};

use super::{ATTIC, ENV_FOLDER, Entry, FOLDERS, ROOT, Stage, errno, init, inmate, summon};
use crate::report::{Failure, at};
use crate::step::Step;
use crate::sys::fds::{borrow, close_all_but};
use crate::sys::fork::exit_now;

/// Files of /proc that tell of other jobs or of the host, and that no namespace divides: locks on shared
/// files, keys, timers, kernel addresses.
const MASKED: [&std::ffi::CStr; 5] = [
    c"proc/locks",
    c"proc/keys",
    c"proc/key-users",
    c"proc/timer_list",
    c"proc/kallsyms",
];

/// Just cloned: own pid, mount, ipc and uts namespaces, and otherwise the warden's twin.
struct Born;
/// Ends when the warden ends, and holds no descriptor that it does not need.
struct Alone;
/// Sees the slot's empty network and no name of the host.
struct Nameless;
/// The job's folders and the cell's own /proc are in place.
struct Furnished;
/// The cell's root is the root, and the host's is out of reach.
pub(super) struct Housed;

/// Runs in the cloned child: builds the cell, starts the job in it, and stays as its init.
pub(crate) fn enter(entry: &Entry<'_>) -> ! {
    let housed = Stage::<Born> {
        entry,
        at: std::marker::PhantomData,
    }
    .stand_alone()
    .and_then(Stage::forget_the_host)
    .and_then(Stage::furnish)
    .and_then(Stage::move_in);
    let job = match &entry.summons {
        None => housed.and_then(inmate::fork),
        Some(summons) => housed.and_then(|housed| summon::summon(housed, summons)),
    };
    match job {
        Ok(job) => init::run(entry, job),
        Err(failure) => {
            entry.report.fail(failure);
            exit_now(1)
        }
    }
}

impl<'a> Stage<'a, Born> {
    /// First, because everything after it must die with the warden, and because a descriptor of the
    /// warden's that leaked into a cell has been the way out of other sandboxes.
    fn stand_alone(self) -> Result<Stage<'a, Alone>, Failure> {
        let alive = at(Step::Alive);
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(&alive)?;
        // The warden may have died before the line above: then the signal never comes.
        let warden = borrow(self.entry.warden);
        let mut polled = [PollFd::new(&warden, PollFlags::IN)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        if poll(&mut polled, Some(&now)).map_err(&alive)? > 0 {
            return Err(alive(rustix::io::Errno::SRCH));
        }
        // Nobody may trace this process or read its memory, which is a copy of the warden's.
        set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(&alive)?;
        // For whoever looks at the host's processes; the job, too, is called so until it is the program.
        rustix::thread::set_name(c"glovebox-cell").map_err(&alive)?;
        if self.entry.without.descriptors {
            keep_over_exec();
        } else {
            close_all_but(self.entry.keep).map_err(at(Step::Descriptors))?;
        }
        Ok(self.next())
    }
}

impl<'a> Stage<'a, Alone> {
    /// The network is joined, not made: making one costs most of a millisecond (the slot
    /// keeps the empty one).
    fn forget_the_host(self) -> Result<Stage<'a, Nameless>, Failure> {
        setns(borrow(self.entry.network), CloneFlags::CLONE_NEWNET)
            .map_err(|error| at(Step::Network)(errno(error)))?;
        if !self.entry.without.uts_namespace {
            rustix::system::sethostname(b"cell").map_err(at(Step::Hostname))?;
        }
        Ok(self.next())
    }
}

impl<'a> Stage<'a, Nameless> {
    /// Mounts beneath the prepared root, before it becomes the root: the read-only part is the
    /// warden's work and shared; only what a job can soil is made here.
    fn furnish(self) -> Result<Stage<'a, Furnished>, Failure> {
        let mounts = at(Step::Mounts);
        let root = if self.entry.rooted { c"/" } else { ROOT };
        rustix::process::chdir(root).map_err(&mounts)?;
        let workspace: BorrowedFd<'_> = borrow(self.entry.workspace);
        move_mount(
            workspace,
            c"",
            CWD,
            ATTIC,
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
        )
        .map_err(&mounts)?;
        let env = self.entry.builds_env.then_some(ENV_FOLDER);
        for (from, to) in env.into_iter().chain(FOLDERS) {
            mount_bind(from, to).map_err(&mounts)?;
        }
        let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        let (flags, options, masked) = match self.entry.without.proc {
            false => (safe | MountFlags::RDONLY, c"hidepid=2", MASKED.as_slice()),
            true => (safe, c"hidepid=0", [].as_slice()),
        };
        mount(c"proc", c"proc", c"proc", flags, options).map_err(at(Step::Proc))?;
        for file in masked {
            match mount_bind(c"dev/null", *file) {
                // Not every kernel has each of them.
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(at(Step::Proc)(error)),
            }
        }
        Ok(self.next())
    }
}

impl<'a> Stage<'a, Furnished> {
    /// After the mounts, since the host's files are needed for nothing any more. The old root is
    /// stacked on the new one and detached at once (pivot_root(2), "pivot_root(".", ".")").
    fn move_in(self) -> Result<Stage<'a, Housed>, Failure> {
        let pivot = at(Step::Pivot);
        if !self.entry.rooted {
            pivot_root(c".", c".").map_err(|error| pivot(errno(error)))?;
            unmount(c".", UnmountFlags::DETACH).map_err(&pivot)?;
        }
        rustix::process::chdir(c"/").map_err(&pivot)?;
        Ok(self.next())
    }
}

/// For [`crate::blueprint::Without::descriptors`]: whatever the warden has open is open in the program.
fn keep_over_exec() {
    for fd in 3..256 {
        rustix::io::fcntl_setfd(borrow(fd), rustix::io::FdFlags::empty()).unwrap_or_default();
    }
}
