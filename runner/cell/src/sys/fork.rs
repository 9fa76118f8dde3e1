//! Making processes: `clone3(2)` with a pidfd, and the plain fork of the warden and its helpers.
//!
//! Must never be called from a process with more than one thread: the child would inherit locks
//! that nobody will ever release. The warden is single-threaded for this reason.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

use super::outcome;

/// Which of the two processes is running after a fork.
pub(crate) enum Forked {
    /// The caller; `pidfd` refers to the child and is close-on-exec.
    Parent {
        /// Becomes readable when the child has ended (pidfd_open(2)).
        pidfd: OwnedFd,
        /// The child's process id, in the caller's pid namespace.
        pid: rustix::process::Pid,
    },
    /// The new process.
    Child,
}

/// The kernel's `struct clone_args` (clone(2)), up to and with `cgroup`.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// `CLONE_INTO_CGROUP` (clone(2), Linux 5.7): the child is born in the cgroup instead of being
/// moved there, which takes 7 to 12 ms at realistic gaps.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Forks with `flags` of clone(2), optionally straight into a cgroup of version 2.
///
/// # Errors
/// Whatever clone3(2) gives: `EPERM` without the privilege for a namespace, `EAGAIN` at a limit of
/// processes, `ENOSPC` at a limit of namespaces.
pub(crate) fn fork(flags: i32, cgroup: Option<BorrowedFd<'_>>) -> Result<Forked, Errno> {
    let mut pidfd: libc::c_int = -1;
    let mut args = CloneArgs {
        flags: u64::from(flags.cast_unsigned()) | libc::CLONE_PIDFD as u64,
        pidfd: std::ptr::from_mut(&mut pidfd) as u64,
        // Of a sibling it is the caller's own, and may not be given.
        exit_signal: match flags & libc::CLONE_PARENT {
            0 => libc::SIGCHLD as u64,
            _ => 0,
        },
        ..CloneArgs::default()
    };
    if let Some(directory) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = u64::from(directory.as_raw_fd().cast_unsigned());
    }
    // SAFETY: clone3(2) reads `args` for the size that is given and writes one int through `pidfd`;
    // both live until it returns. Neither CLONE_VM nor a stack is asked for, so the child runs on
    // its own copy of this memory. The caller is single-threaded (module rule).
    let pid = outcome(unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw mut args,
            std::mem::size_of::<CloneArgs>(),
        )
    })?;
    match i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        None => Ok(Forked::Child),
        Some(pid) => {
            // SAFETY: with CLONE_PIDFD the kernel has stored a new descriptor that nobody else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Forked::Parent { pidfd, pid })
        }
    }
}

/// Forks as programs do, with the handlers that libraries have registered; `None` in the child. For a process that may not
/// call clone3(2).
#[cfg(feature = "inside")]
pub(crate) fn fork_as_programs() -> Result<Option<rustix::process::Pid>, Errno> {
    // SAFETY: fork(2) in a process with one thread (module rule).
    let pid = outcome(unsafe { libc::fork() }.into())?;
    Ok(i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw))
}

/// Ends this process at once: no destructors, no buffers, no exit handlers of a parent's copy.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit(2) takes any status and is async-signal-safe.
    unsafe { libc::_exit(code) }
}
