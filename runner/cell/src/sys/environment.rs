//! The place in an interpreter's life at which it waits for its job: before it looks for the folders of its modules.
//!
//! That is the last that Node does before it reads the program: its own modules are loaded, the streams are not opened
//! yet. It asks for two variables there, as careful as a program that may have more power than its user: it looks at its
//! uid first, in a callback, where a script may be run. Later, within the C library's `getenv`, it holds a lock that
//! scripts need. The library stands in for the two functions (ld.so(8), LD_PRELOAD). Must pass on every other call
//! unchanged.

use std::ffi::{CStr, CString, c_char};
use std::sync::atomic::{AtomicU8, Ordering};

use super::{taken, v8};
use crate::warm::PROGRAM_VARIABLE;

/// What is asked for last before that place: whether it is a worker of a cluster.
const BEFORE: &CStr = c"NODE_UNIQUE_ID";

/// Not started ahead, or past the place.
const PASSED: u8 = 0;
const STARTING: u8 = 1;
/// The next question for the uid is the place.
const NEAR: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(PASSED);

/// Run by the loader before the interpreter's own code: takes the variables that were for us.
#[used]
#[unsafe(link_section = ".init_array")]
static TAKE: extern "C" fn() = {
    extern "C" fn take() {
        if taken::variable(PROGRAM_VARIABLE).is_some() {
            STATE.store(STARTING, Ordering::Relaxed);
        }
        taken::library();
    }
    take
};

unsafe extern "C" {
    /// The C library's getenv(3) by the name that is not taken here; it differs where a program has more power than
    /// its user, which no job has.
    fn secure_getenv(name: *const c_char) -> *mut c_char;
}

/// In place of the C library's.
///
/// # Safety
/// As getenv(3).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn getenv(name: *const c_char) -> *mut c_char {
    if STATE.load(Ordering::Relaxed) == STARTING && v8::is_here() {
        // SAFETY: getenv(3) is given a C string.
        if unsafe { CStr::from_ptr(name) } == BEFORE {
            STATE.store(NEAR, Ordering::Relaxed);
        }
    }
    // SAFETY: passes on what the caller promised.
    unsafe { secure_getenv(name) }
}

/// In place of the C library's.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn getuid() -> libc::uid_t {
    if STATE.load(Ordering::Relaxed) == NEAR && v8::is_here() {
        STATE.store(PASSED, Ordering::Relaxed);
        crate::ahead::wait();
    }
    rustix::process::getuid().as_raw()
}

/// Puts these in the place of all variables.
pub(crate) fn replace(variables: Vec<CString>) {
    // SAFETY: the interpreter's other threads ask for no variable before it runs a program. What is put there is kept
    // for ever, as putenv(3) wants it.
    unsafe {
        libc::clearenv();
        for variable in variables {
            libc::putenv(variable.into_raw());
        }
    }
}
