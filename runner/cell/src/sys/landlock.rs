//! Landlock: what the job may do with files beneath which folder, checked by the kernel at every open.
//!
//! Raw system calls, because the ruleset is made in the forked child, where nothing may allocate.
//! Source: Documentation/userspace-api/landlock.rst of the kernel.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::{fds, outcome};

/// Rights on files, as bits of `LANDLOCK_ACCESS_FS_*`.
pub(crate) mod access {
    pub(crate) const EXECUTE: u64 = 1 << 0;
    pub(crate) const WRITE_FILE: u64 = 1 << 1;
    pub(crate) const READ_FILE: u64 = 1 << 2;
    pub(crate) const READ_DIR: u64 = 1 << 3;
    pub(crate) const REMOVE_DIR: u64 = 1 << 4;
    pub(crate) const REMOVE_FILE: u64 = 1 << 5;
    pub(crate) const MAKE_DIR: u64 = 1 << 7;
    pub(crate) const MAKE_REG: u64 = 1 << 8;
    pub(crate) const MAKE_SOCK: u64 = 1 << 9;
    pub(crate) const MAKE_FIFO: u64 = 1 << 10;
    pub(crate) const MAKE_SYM: u64 = 1 << 12;
    pub(crate) const REFER: u64 = 1 << 13;
    pub(crate) const TRUNCATE: u64 = 1 << 14;

    /// Every right that exists in the interface of version `abi`.
    pub(crate) const fn known(abi: u32) -> u64 {
        let bits = match abi {
            0 => 0,
            1 => 13,
            2 => 14,
            3 | 4 => 15,
            _ => 16,
        };
        (1 << bits) - 1
    }
}

const RULE_PATH_BENEATH: libc::c_int = 1;
const RULE_NET_PORT: libc::c_int = 2;
const CREATE_RULESET_VERSION: u32 = 1;
/// TCP bind and connect (ABI 4).
const NET_TCP: u64 = 0b11;
const CONNECT_TCP: u64 = 0b10;
/// Abstract unix sockets and signals stay within the domain (ABI 6).
const SCOPE_ALL: u64 = 0b11;

#[repr(C)]
struct RulesetAttr {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

#[repr(C, packed)]
struct PathBeneathAttr {
    allowed_access: u64,
    parent_fd: i32,
}

#[repr(C)]
struct NetPortAttr {
    allowed_access: u64,
    port: u64,
}

/// The version of the interface that the kernel offers; 0 when it offers none.
pub(crate) fn abi() -> u32 {
    // SAFETY: with a null attribute, size 0 and the VERSION flag the kernel reads no memory.
    let version = outcome(unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<RulesetAttr>(),
            0usize,
            CREATE_RULESET_VERSION,
        )
    });
    version
        .ok()
        .and_then(|v| u32::try_from(v).ok())
        .unwrap_or(0)
}

/// A new ruleset that refuses whatever version `abi` can refuse and no later rule allows.
pub(crate) fn deny_everything(abi: u32) -> Result<OwnedFd, Errno> {
    let attr = RulesetAttr {
        handled_access_fs: access::known(abi),
        handled_access_net: if abi >= 4 { NET_TCP } else { 0 },
        scoped: if abi >= 6 { SCOPE_ALL } else { 0 },
    };
    // An older kernel refuses a structure longer than the one it knows unless the rest is zero,
    // which holds here.
    // SAFETY: the kernel reads `attr` for the size that is given.
    let fd = outcome(unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            &raw const attr,
            std::mem::size_of::<RulesetAttr>(),
            0u32,
        )
    })?;
    Ok(fds::own(i32::try_from(fd).map_err(|_| Errno::BADF)?))
}

/// Allows `rights` beneath the folder `parent`; rights that the kernel does not know are left out.
pub(crate) fn allow(
    ruleset: BorrowedFd<'_>,
    parent: BorrowedFd<'_>,
    rights: u64,
    abi: u32,
) -> Result<(), Errno> {
    let attr = PathBeneathAttr {
        allowed_access: rights & access::known(abi),
        parent_fd: parent.as_raw_fd(),
    };
    // SAFETY: the kernel reads one packed landlock_path_beneath_attr through the pointer.
    outcome(unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            ruleset.as_raw_fd(),
            RULE_PATH_BENEATH,
            &raw const attr,
            0u32,
        )
    })
    .map(drop)
}

/// Allows TCP connections to `port`; a kernel that knows no rules for the network refuses none.
pub(crate) fn allow_connect(ruleset: BorrowedFd<'_>, port: u16, abi: u32) -> Result<(), Errno> {
    if abi < 4 {
        return Ok(());
    }
    let attr = NetPortAttr {
        allowed_access: CONNECT_TCP,
        port: u64::from(port),
    };
    // SAFETY: the kernel reads one landlock_net_port_attr through the pointer.
    outcome(unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            ruleset.as_raw_fd(),
            RULE_NET_PORT,
            &raw const attr,
            0u32,
        )
    })
    .map(drop)
}

/// Puts this process and what it will start under `ruleset`, for ever. Needs no_new_privs.
pub(crate) fn restrict_self(ruleset: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: landlock_restrict_self(2) takes a descriptor and flags, no memory.
    outcome(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0u32) })
        .map(drop)
}
