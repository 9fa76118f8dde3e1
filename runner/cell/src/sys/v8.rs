//! Running a script in the interpreter that this library was loaded into, by V8's own interface.
//!
//! The five functions are exported by every Node (its addons use them), and their names and shapes have been the same
//! since version 12. A program without them can't load this library, and does not start. Must be called in a callback of
//! the interpreter only, where a script may be run and its handles are given back by the caller.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{NonNull, null_mut};

type Handle = *mut c_void;

/// `v8::NewStringType::kNormal`.
const NORMAL: c_int = 0;
/// "As long as the C string is".
const WHOLE: c_int = -1;

unsafe extern "C" {
    #[link_name = "_ZN2v87Isolate10GetCurrentEv"]
    fn current_isolate() -> *mut c_void;
    #[link_name = "_ZN2v87Isolate17GetCurrentContextEv"]
    fn current_context(isolate: *mut c_void) -> Handle;
    #[link_name = "_ZN2v86String11NewFromUtf8EPNS_7IsolateEPKcNS_13NewStringTypeEi"]
    fn new_string(isolate: *mut c_void, text: *const c_char, kind: c_int, length: c_int) -> Handle;
    #[link_name = "_ZN2v86Script7CompileENS_5LocalINS_7ContextEEENS1_INS_6StringEEEPNS_12ScriptOriginE"]
    fn compile(context: Handle, source: Handle, origin: *mut c_void) -> Handle;
    #[link_name = "_ZN2v86Script3RunENS_5LocalINS_7ContextEEE"]
    fn run_script(script: Handle, context: Handle) -> Handle;
}

/// Whether there is an interpreter in this thread.
pub(super) fn is_here() -> bool {
    // SAFETY: only looks at a variable of the thread.
    !unsafe { current_isolate() }.is_null()
}

/// Runs a script to its end; `None` if it could not be read, or has thrown something.
pub(crate) fn run(source: &CStr) -> Option<()> {
    // SAFETY: the isolate and its context are those that have called us, and `v8::Local` is one pointer, which is null
    // where there is nothing. The text is copied. Handles live until the callback that we are in returns.
    unsafe {
        let isolate = NonNull::new(current_isolate())?.as_ptr();
        let context = NonNull::new(current_context(isolate))?.as_ptr();
        let source = NonNull::new(new_string(isolate, source.as_ptr(), NORMAL, WHOLE))?;
        let script = NonNull::new(compile(context, source.as_ptr(), null_mut()))?;
        NonNull::new(run_script(script.as_ptr(), context)).map(drop)
    }
}
