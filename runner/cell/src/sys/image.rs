//! The program that a cell becomes: arguments and environment laid out before the fork.
//!
//! Must never allocate in [`Image::exec`]: it runs in the forked child.

use std::ffi::{CStr, CString, c_char};

use rustix::io::Errno;

use super::last_errno;

/// A program with its arguments and environment, ready for execve(2).
pub(crate) struct Image {
    argv: Vec<CString>,
    argv_pointers: Vec<*const c_char>,
    _envp: Vec<CString>,
    envp_pointers: Vec<*const c_char>,
}

impl Image {
    /// Lays out the two pointer lists. `None` when `argv` is empty.
    pub(crate) fn new(argv: Vec<CString>, envp: Vec<CString>) -> Option<Image> {
        if argv.is_empty() {
            return None;
        }
        let argv_pointers = pointers(&argv);
        let envp_pointers = pointers(&envp);
        Some(Image {
            argv,
            argv_pointers,
            _envp: envp,
            envp_pointers,
        })
    }

    /// The program's path.
    pub(crate) fn path(&self) -> &CStr {
        self.argv.first().map_or(c"", CString::as_c_str)
    }

    /// Whether its command begins with these words.
    pub(crate) fn begins_with(&self, words: &[CString]) -> bool {
        self.argv.starts_with(words)
    }

    /// The word of its command at this place; empty if there is none.
    pub(crate) fn word(&self, at: usize) -> &CStr {
        self.argv.get(at).map_or(c"", CString::as_c_str)
    }

    /// Becomes the program; returns only when that failed.
    pub(crate) fn exec(&self) -> Errno {
        // SAFETY: execve(2) wants a C string and two lists of C strings that end in a null pointer;
        // `pointers` ends both so, and the strings they point into are owned by `self`.
        unsafe {
            libc::execve(
                self.path().as_ptr(),
                self.argv_pointers.as_ptr(),
                self.envp_pointers.as_ptr(),
            )
        };
        last_errno()
    }
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    let mut pointers: Vec<_> = strings.iter().map(|text| text.as_ptr()).collect();
    pointers.push(std::ptr::null());
    pointers
}
