//! `mount_setattr(2)`: attributes added to a mount, or to a whole tree of mounts, without a need to
//! know those it already has. An older remount must repeat every locked flag or fail with `EPERM`.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use super::outcome;

pub(crate) const RDONLY: u64 = 0x01;
pub(crate) const NOSUID: u64 = 0x02;
pub(crate) const NODEV: u64 = 0x04;
pub(crate) const NOEXEC: u64 = 0x08;

#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Sets `attributes` on the mount that `mount` refers to, and on those beneath it if `recursive`.
///
/// # Errors
/// What mount_setattr(2) gives; `ENOSYS` before Linux 5.12.
pub(crate) fn set_attributes(
    mount: BorrowedFd<'_>,
    attributes: u64,
    recursive: bool,
) -> Result<(), Errno> {
    let attr = MountAttr {
        attr_set: attributes,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let mut flags = libc::AT_EMPTY_PATH;
    if recursive {
        flags |= libc::AT_RECURSIVE;
    }
    // SAFETY: the kernel reads the empty C string and `attr` for the size that is given.
    outcome(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            std::mem::size_of::<MountAttr>(),
        )
    })
    .map(drop)
}
