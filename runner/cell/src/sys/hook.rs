//! The place in an interpreter's life at which it becomes a template: when it opens the program's file.
//!
//! Everything is set up then (`site`, `sys.path`, the streams), nothing of the program was read, and no Python frame is
//! active. So a child that returns from here goes on exactly as an interpreter that was started for its job: tracebacks,
//! exit codes and the end of the process are the interpreter's own work. The library stands in for the C library's
//! `fopen64` (ld.so(8), LD_PRELOAD). Must pass on every other call unchanged.

use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::taken;
use crate::warm::PROGRAM_VARIABLE;

type Open = unsafe extern "C" fn(*const c_char, *const c_char) -> *mut c_void;

/// The file whose opening is waited for.
static PROGRAM: OnceLock<CString> = OnceLock::new();
static REAL: OnceLock<Open> = OnceLock::new();
static WAITING: AtomicBool = AtomicBool::new(true);

/// Run by the loader before the interpreter's own code: takes the variables that were for us.
#[used]
#[unsafe(link_section = ".init_array")]
static TAKE: extern "C" fn() = {
    extern "C" fn take() {
        if let Some(program) = taken::variable(PROGRAM_VARIABLE) {
            PROGRAM.get_or_init(|| program);
        }
        taken::library();
    }
    take
};

/// In place of the C library's.
///
/// # Safety
/// As fopen(3).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn fopen64(path: *const c_char, mode: *const c_char) -> *mut c_void {
    // SAFETY: fopen(3) is given a C string.
    let asked = unsafe { CStr::from_ptr(path) };
    if WAITING.load(Ordering::Relaxed)
        && PROGRAM
            .get()
            .is_some_and(|program| program.as_c_str() == asked)
    {
        WAITING.store(false, Ordering::Relaxed);
        let mut program = CString::default();
        super::python::locked(|| program = crate::inside::serve(asked));
        // SAFETY: another path in place of the caller's; the stream that it gives is used by nobody else.
        return unsafe {
            let file = real(program.as_ptr(), mode);
            if !file.is_null() {
                super::python::locked(|| super::program::run(file, &program));
            }
            file
        };
    }
    // SAFETY: passes on what the caller promised.
    unsafe { real(path, mode) }
}

/// The C library's own.
///
/// # Safety
/// As fopen(3).
unsafe fn real(path: *const c_char, mode: *const c_char) -> *mut c_void {
    let real = REAL.get_or_init(|| {
        // SAFETY: dlsym(3) gives the next definition of the symbol, the C library's, whose type this is.
        unsafe {
            let symbol = libc::dlsym(libc::RTLD_NEXT, c"fopen64".as_ptr());
            std::mem::transmute::<*mut c_void, Open>(symbol)
        }
    });
    // SAFETY: passes on what the caller promised.
    unsafe { real(path, mode) }
}
