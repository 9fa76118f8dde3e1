//! Memory that the warden shares with a cell's first processes, until the job's program replaces them.
//!
//! It carries our verdict from the cell to the warden: which step failed, when the program started,
//! how it ended, what was refused. exec(2) takes the mapping away, so the job can never write here.

use std::ops::Deref;
use std::ptr::NonNull;

use rustix::io::Errno;

use super::last_errno;

/// One value of `T` in an anonymous shared mapping.
///
/// `T` must be made of atomics only: two processes use it at once.
pub(crate) struct SharedPage<T: Zeroed> {
    value: NonNull<T>,
}

/// Types made of atomics only, for which all-zero bytes are a valid value.
///
/// # Safety
/// The implementor promises both.
pub(crate) unsafe trait Zeroed: Sync {}

// SAFETY: the report consists of atomic integers and arrays of structures of them: zero is valid for
// each, and each may be changed by another process at any time.
unsafe impl Zeroed for crate::report::Report {}

impl<T: Zeroed> SharedPage<T> {
    /// Maps a new zeroed value.
    pub(crate) fn new() -> Result<SharedPage<T>, Errno> {
        // SAFETY: mmap(2) with a null hint and MAP_ANONYMOUS makes a fresh mapping and touches no
        // other memory.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                std::mem::size_of::<T>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(last_errno());
        }
        NonNull::new(address.cast::<T>())
            .map(|value| SharedPage { value })
            .ok_or(Errno::NOMEM)
    }
}

impl<T: Zeroed> Deref for SharedPage<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the mapping is page-aligned, as large as `T`, zero-filled by the kernel (valid by
        // the promise of `Zeroed`) and lives until drop; all access is through atomics.
        unsafe { self.value.as_ref() }
    }
}

impl<T: Zeroed> Drop for SharedPage<T> {
    fn drop(&mut self) {
        // SAFETY: munmap(2) of exactly what `new` mapped; no reference outlives `self`.
        unsafe { libc::munmap(self.value.as_ptr().cast(), std::mem::size_of::<T>()) };
    }
}
