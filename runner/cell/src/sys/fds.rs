//! Descriptors: what a new process keeps, and nothing else.
//!
//! Must never close a descriptor that an `OwnedFd` in the same process will still use.

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;

use super::outcome;

/// Closes every descriptor but those in `keep`, which must be sorted and without doubles.
///
/// Called only in a process that was just forked and will end by `_exit` or exec, so that no
/// destructor ever touches what was closed here.
///
/// # Errors
/// What close_range(2) gives; `ENOSYS` before Linux 5.9.
pub(crate) fn close_all_but(keep: &[RawFd]) -> Result<(), Errno> {
    let mut from: u32 = 0;
    for fd in keep {
        let fd = fd.cast_unsigned();
        if fd > from {
            close_range(from, fd - 1)?;
        }
        from = fd + 1;
    }
    close_range(from, u32::MAX)
}

fn close_range(first: u32, last: u32) -> Result<(), Errno> {
    // SAFETY: close_range(2) takes plain numbers. The caller promises (see above) that no owner of
    // a descriptor in the range will use it again.
    outcome(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).map(drop)
}

/// Lends a descriptor by its number.
///
/// For numbers that a child inherited and that are kept open for as long as it lives.
pub(crate) fn borrow<'a>(fd: RawFd) -> BorrowedFd<'a> {
    // SAFETY: borrow_raw asks that the descriptor is open for 'a and not -1. The callers pass
    // descriptors that they own in the same scope, or that stay open until _exit or exec.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Takes over a descriptor that the kernel has just handed to this process by number.
pub(crate) fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: from_raw_fd asks for an open descriptor without another owner: the callers pass one
    // that SCM_RIGHTS (unix(7)) or seccomp(2) has just made for this process.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
