//! Installing a filter with a listener, and answering what the filter asks the listener.
//!
//! Sources: seccomp(2), seccomp_unotify(2). Must never let a refused call through: there is no
//! answer here that continues it (`SECCOMP_USER_NOTIF_FLAG_CONTINUE` is not defined on purpose, as
//! its argument memory could change between our look and the kernel's).

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use rustix::io::Errno;
use seccompiler::sock_filter;

use super::{last_errno, outcome};

#[repr(C)]
struct FilterProgram {
    len: libc::c_ushort,
    filter: *const sock_filter,
}

/// Installs `program` on the calling process, which must have no_new_privs, and returns the number
/// of the listener's descriptor (close-on-exec); 0 if it was to have none.
///
/// # Errors
/// What seccomp(2) gives: `EINVAL` for a malformed program, `EBUSY` if a listener is there already.
pub(crate) fn install(program: &[sock_filter], listens: bool) -> Result<RawFd, Errno> {
    let len = libc::c_ushort::try_from(program.len()).map_err(|_| Errno::INVAL)?;
    if len == 0 {
        return Err(Errno::INVAL);
    }
    let program = FilterProgram {
        len,
        filter: program.as_ptr(),
    };
    // SAFETY: the kernel copies `len` instructions from `filter` and keeps no pointer to either.
    let fd = outcome(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            if listens {
                libc::SECCOMP_FILTER_FLAG_NEW_LISTENER
            } else {
                0
            },
            &raw const program,
        )
    })?;
    RawFd::try_from(fd).map_err(|_| Errno::BADF)
}

/// Whether the kernel knows filters that ask a listener.
pub(crate) fn listener_available() -> bool {
    let action: u32 = libc::SECCOMP_RET_USER_NOTIF;
    // SAFETY: SECCOMP_GET_ACTION_AVAIL reads one u32 through the pointer.
    outcome(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_ACTION_AVAIL,
            0,
            &raw const action,
        )
    })
    .is_ok()
}

/// A refused call that waits for its answer.
pub(crate) struct Notification {
    id: u64,
    /// The call's number on this machine's architecture.
    pub(crate) nr: u32,
    /// Its arguments. What a pointer among them leads to is never looked at.
    pub(crate) args: [u64; 6],
}

nix::ioctl_readwrite!(notif_recv, b'!', 0, libc::seccomp_notif);
nix::ioctl_readwrite!(notif_send, b'!', 1, libc::seccomp_notif_resp);

/// Takes one waiting call; `Errno::NOENT` when its process has ended meanwhile.
pub(crate) fn receive(listener: BorrowedFd<'_>) -> Result<Notification, Errno> {
    // SAFETY: seccomp_notif is plain integers, and the kernel demands that it comes zeroed.
    let mut notification: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: SECCOMP_IOCTL_NOTIF_RECV writes one seccomp_notif through the pointer.
    unsafe { notif_recv(listener.as_raw_fd(), &raw mut notification) }.map_err(|_| last_errno())?;
    Ok(Notification {
        id: notification.id,
        nr: notification.data.nr.cast_unsigned(),
        args: notification.data.args,
    })
}

/// Makes the waiting call fail with `error`. A process that ended meanwhile is no error.
pub(crate) fn refuse(
    listener: BorrowedFd<'_>,
    notification: &Notification,
    error: Errno,
) -> Result<(), Errno> {
    let mut response = libc::seccomp_notif_resp {
        id: notification.id,
        val: 0,
        error: -error.raw_os_error(),
        flags: 0,
    };
    // SAFETY: SECCOMP_IOCTL_NOTIF_SEND reads one seccomp_notif_resp through the pointer.
    match unsafe { notif_send(listener.as_raw_fd(), &raw mut response) } {
        Ok(_) | Err(nix::Error::ENOENT) => Ok(()),
        Err(_) => Err(last_errno()),
    }
}
