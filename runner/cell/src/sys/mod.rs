//! The calls that no safe crate wraps, each behind a safe function.
//!
//! This is the only place in Glovebox where `unsafe` is allowed. Every block names the rule of the
//! callee that makes it sound. What [`rustix`] or [`nix`] wrap safely is called there directly and
//! never again here. Nothing in here may allocate: half of it runs between fork and exec, where
//! only what is async-signal-safe may run (signal-safety(7)).
#![expect(
    unsafe_code,
    reason = "system calls that neither rustix nor nix wrap safely"
)]

pub(crate) mod clock;
#[cfg(feature = "ahead")]
pub(crate) mod environment;
pub(crate) mod fds;
pub(crate) mod fork;
#[cfg(feature = "inside")]
pub(crate) mod hook;
pub(crate) mod image;
pub(crate) mod interface;
pub(crate) mod landlock;
#[cfg(feature = "inside")]
pub(crate) mod memory;
pub(crate) mod mount;
pub(crate) mod page;
#[cfg(feature = "inside")]
pub(crate) mod program;
#[cfg(feature = "inside")]
pub(crate) mod python;
pub(crate) mod seccomp;
pub(crate) mod signals;
#[cfg(feature = "inside")]
pub(crate) mod summon;
#[cfg(any(feature = "inside", feature = "ahead"))]
pub(crate) mod taken;
#[cfg(feature = "ahead")]
pub(crate) mod v8;

use rustix::io::Errno;

/// What `syscall(2)` returned, as a value or as the errno that it left.
fn outcome(returned: libc::c_long) -> Result<libc::c_long, Errno> {
    if returned < 0 {
        Err(last_errno())
    } else {
        Ok(returned)
    }
}

fn last_errno() -> Errno {
    Errno::from_raw_os_error(
        std::io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::EIO),
    )
}
