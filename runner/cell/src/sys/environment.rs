//! The place in an interpreter's life at which it waits for its job: when it looks for the folders of its modules.
//!
//! That is the last that Node asks of its environment before it reads the program: its own modules are loaded, the
//! streams are not opened yet, and it does so in a callback, where a script may be run. The library stands in for the C
//! library's `getenv` (ld.so(8), LD_PRELOAD). Must pass on every other call unchanged.

use std::ffi::{CStr, CString, c_char};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{taken, v8};
use crate::warm::PROGRAM_VARIABLE;

/// What is asked for at that place, first.
const MOMENT: &CStr = c"HOME";

static WAITING: AtomicBool = AtomicBool::new(false);

/// Run by the loader before the interpreter's own code: takes the variables that were for us.
#[used]
#[unsafe(link_section = ".init_array")]
static TAKE: extern "C" fn() = {
    extern "C" fn take() {
        let is_ours = taken::variable(PROGRAM_VARIABLE).is_some();
        WAITING.store(is_ours, Ordering::Relaxed);
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
    // SAFETY: getenv(3) is given a C string.
    let asked = unsafe { CStr::from_ptr(name) };
    if asked == MOMENT && v8::is_here() && WAITING.swap(false, Ordering::Relaxed) {
        crate::ahead::wait();
    }
    // SAFETY: passes on what the caller promised.
    unsafe { secure_getenv(name) }
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
