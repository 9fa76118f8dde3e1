//! The network namespace that this process is in: its loopback interface (netdevice(7)), and a descriptor of it.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::{fds, last_errno};

/// `SIOCGSKNS` of linux/sockios.h.
const SIOCGSKNS: u64 = 0x894c;

nix::ioctl_none_bad!(get_namespace, SIOCGSKNS);
nix::ioctl_write_ptr_bad!(set_flags, libc::SIOCSIFFLAGS, libc::ifreq);

/// Brings `lo` up, and with it 127.0.0.1. Needs CAP_NET_ADMIN over the namespace.
///
/// # Errors
/// What netdevice(7) gives for `SIOCSIFFLAGS`.
pub(crate) fn loopback_up() -> Result<(), Errno> {
    let socket: OwnedFd = socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    // SAFETY: ifreq is plain integers and a union of such: all zero is a value of it.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    let up = libc::IFF_UP | libc::IFF_RUNNING;
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(up).unwrap_or_default();
    // SAFETY: SIOCSIFFLAGS reads one ifreq through the pointer, whose name ends with a NUL.
    match unsafe { set_flags(socket.as_raw_fd(), &raw const request) } {
        Ok(_) => Ok(()),
        Err(_) => Err(last_errno()),
    }
}

/// The network namespace of a socket. Needs CAP_NET_ADMIN over it.
///
/// # Errors
/// `EPERM` without that.
pub(crate) fn namespace_of(socket: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    // SAFETY: SIOCGSKNS takes no argument and returns a new descriptor that nobody else owns.
    match unsafe { get_namespace(socket.as_raw_fd()) } {
        Ok(fd) => Ok(fds::own(fd)),
        Err(_) => Err(last_errno()),
    }
}
