//! What a library of ours takes away before the interpreter that it was loaded into runs: the variables that were for it,
//! and the descriptor that it came by.
//!
//! Must be called from an initialiser of the library (`.init_array`) only, and leave nothing of ours to be seen.

use std::ffi::{CStr, CString};

use super::fds;
use crate::warm::{DESCRIPTORS, PRELOAD_VARIABLE};

/// Takes a variable out of the environment.
pub(super) fn variable(name: &CStr) -> Option<CString> {
    // SAFETY: the process has one thread, and nothing has kept a pointer into the environment yet.
    unsafe {
        let value = libc::getenv(name.as_ptr());
        let value = (!value.is_null()).then(|| CStr::from_ptr(value).to_owned());
        libc::unsetenv(name.as_ptr());
        value
    }
}

/// Takes away by what means the library was loaded.
pub(super) fn library() {
    let library = variable(PRELOAD_VARIABLE);
    let number = library.as_ref().and_then(|path| path.to_str().ok());
    let number = number.and_then(|path| path.strip_prefix(DESCRIPTORS)?.parse().ok());
    if let Some(number) = number {
        drop(fds::own(number));
    }
}
