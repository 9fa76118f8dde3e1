//! A program run to its end in an interpreter, as the interpreter's own main function does it.
//!
//! Done here for one reason: the end. Before it exits an interpreter takes itself apart, object by object; in a child of
//! a template that writes to nearly every page that it shares, for nobody. So the process exits once everything that a
//! program can see of its end is over: threads joined, exit functions run, its own modules destroyed with all that they
//! hold, streams flushed. What is left out is the interpreter's own memory, and finalizers of what a program has hung
//! onto modules that the template imported. Where a look at what a program has made shows that its end does nothing, it is
//! not destroyed at all. The steps before are those of CPython's `pymain_run_file_obj`,
//! `_PyRun_SimpleFileObject` and `handle_system_exit`, the same from 3.9 to 3.13. Where anything is out of the ordinary
//! at the end, the interpreter goes on to the last.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use super::python::{FILE_INPUT, Kept, Names, forget_error};
use crate::inside::{BUILTIN_NAMES, BUILTINS, END, MAIN, MODULES, SYS, SYS_NAMES};

type AuditHook = unsafe extern "C" fn(*const c_char, *mut c_void, *mut c_void) -> c_int;

unsafe extern "C" {
    static mut _Py_NoneStruct: u8;
    static PyExc_SystemExit: *mut c_void;
    static PyExc_KeyboardInterrupt: *mut c_void;
    fn PySys_AddAuditHook(hook: AuditHook, data: *mut c_void) -> c_int;
    fn PySys_GetObject(name: *const c_char) -> *mut c_void;
    fn PyRun_FileExFlags(
        file: *mut c_void,
        name: *const c_char,
        start: c_int,
        globals: *mut c_void,
        locals: *mut c_void,
        close: c_int,
        flags: *mut c_void,
    ) -> *mut c_void;
    fn PyErr_Occurred() -> *mut c_void;
    fn PyErr_ExceptionMatches(kind: *mut c_void) -> c_int;
    fn PyErr_Fetch(kind: *mut *mut c_void, value: *mut *mut c_void, trace: *mut *mut c_void);
    fn PyErr_NormalizeException(
        kind: *mut *mut c_void,
        value: *mut *mut c_void,
        trace: *mut *mut c_void,
    );
    fn PyErr_Restore(kind: *mut c_void, value: *mut c_void, trace: *mut c_void);
    fn PyErr_Print();
    fn PyErr_WriteUnraisable(object: *mut c_void);
    fn PyObject_CallMethod(
        object: *mut c_void,
        name: *const c_char,
        format: *const c_char,
        ...
    ) -> *mut c_void;
    fn PyImport_AddModule(name: *const c_char) -> *mut c_void;
    fn PyImport_GetModuleDict() -> *mut c_void;
    fn PyImport_ImportModule(name: *const c_char) -> *mut c_void;
    fn PyModule_GetDict(module: *mut c_void) -> *mut c_void;
    fn PyDict_GetItemString(dict: *mut c_void, key: *const c_char) -> *mut c_void;
    fn PyDict_DelItemString(dict: *mut c_void, key: *const c_char) -> c_int;
    fn PyDict_GetItem(dict: *mut c_void, key: *mut c_void) -> *mut c_void;
    fn PyDict_Next(
        dict: *mut c_void,
        position: *mut isize,
        key: *mut *mut c_void,
        value: *mut *mut c_void,
    ) -> c_int;
    fn PyDict_SetItem(dict: *mut c_void, key: *mut c_void, value: *mut c_void) -> c_int;
    fn PyCapsule_New(
        pointer: *mut c_void,
        name: *const c_char,
        destructor: unsafe extern "C" fn(*mut c_void),
    ) -> *mut c_void;
    fn PySys_SetObject(name: *const c_char, object: *mut c_void) -> c_int;
    fn Py_IncRef(object: *mut c_void);
    fn Py_DecRef(object: *mut c_void);
    fn Py_FinalizeEx() -> c_int;
}

/// The exit code, from when the program has come to its end.
static CODE: AtomicI32 = AtomicI32::new(NOT_ENDED);
const NOT_ENDED: i32 = i32::MIN;
/// It ended by a KeyboardInterrupt that nobody caught: it is to die of the signal, as programs do.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Something could not be raised while the interpreter took itself apart; its own exit code may depend on that.
static ODD: AtomicBool = AtomicBool::new(false);

/// The program has an audit hook of its own.
static LISTENED_TO: AtomicBool = AtomicBool::new(false);

/// Where the object lies that is destroyed when only `sys` and `builtins` are left: these two go last, `sys` first.
const TRAP: &CStr = c"_glovebox";

/// Exit code of an interpreter whose streams could not be flushed.
const NOT_FLUSHED: c_int = 120;
/// Tried first of all that an interpreter does to its own state, after everything of the program's is gone.
const LAST_EVENT: &CStr = c"cpython.PyInterpreterState_Clear";
/// The program is told of events, the last ones too.
const HOOK_EVENT: &CStr = c"sys.addaudithook";
const UNRAISABLE_EVENT: &CStr = c"sys.unraisablehook";

/// Has the interpreter call us at its end. To be done before any fork.
pub(crate) fn watch_the_end() -> bool {
    // SAFETY: `at_event` has the type of an audit hook, and is there as long as the process.
    let added = unsafe { PySys_AddAuditHook(at_event, null_mut()) } == 0;
    if !added {
        forget_error();
    }
    added
}

/// Called for each audit event (PEP 578).
unsafe extern "C" fn at_event(event: *const c_char, _: *mut c_void, _: *mut c_void) -> c_int {
    // SAFETY: the interpreter passes the event's name, a C string.
    let event = unsafe { CStr::from_ptr(event) };
    let code = CODE.load(Ordering::Relaxed);
    if code == NOT_ENDED {
        if event == HOOK_EVENT {
            LISTENED_TO.store(true, Ordering::Relaxed);
        }
        return 0;
    }
    if event == UNRAISABLE_EVENT {
        ODD.store(true, Ordering::Relaxed);
    } else if event == LAST_EVENT && !ODD.load(Ordering::Relaxed) {
        exit(code);
    }
    0
}

fn exit(code: c_int) -> ! {
    if crate::inside::hot::tell() {
        super::fork::exit_now(0);
    }
    if INTERRUPTED.load(Ordering::Relaxed) {
        // SAFETY: signal(2) and kill(2) take numbers.
        unsafe {
            libc::signal(libc::SIGINT, libc::SIG_DFL);
            libc::kill(libc::getpid(), libc::SIGINT);
        }
    }
    // SAFETY: exit(3) runs what C libraries have registered and flushes their streams.
    unsafe { libc::exit(code) }
}

/// Runs the program in `file`, which is its `path`, as `__main__`, and ends this process. Returns only if the file is no
/// text, with nothing done.
///
/// # Safety
/// `file` is a stream that was opened for reading at its beginning, and nobody else uses it.
pub(crate) unsafe fn run(file: *mut c_void, path: &CStr) {
    // SAFETY: the stream is the caller's promise.
    if !unsafe { is_text(file.cast()) } {
        return;
    }
    let Some(names) = Names::new() else { return };
    if names.set(c"path", path.to_bytes()).is_none() || !names.run_kept(&MAIN) {
        return;
    }
    // SAFETY: `__main__` is kept by the interpreter, and its dictionary by it. The stream is closed by the call.
    let code = unsafe {
        let globals = PyModule_GetDict(PyImport_AddModule(c"__main__".as_ptr()));
        let name = path.as_ptr();
        let result = PyRun_FileExFlags(file, name, FILE_INPUT, globals, globals, 1, null_mut());
        flush();
        let code = match NonNull::new(result) {
            Some(none) => {
                Py_DecRef(none.as_ptr());
                Some(0)
            }
            None if PyErr_ExceptionMatches(PyExc_SystemExit) != 0 => None,
            None => {
                let interrupted = PyErr_Occurred() == PyExc_KeyboardInterrupt;
                INTERRUPTED.store(interrupted, Ordering::Relaxed);
                PyErr_Print();
                Some(1)
            }
        };
        match code {
            Some(code) => {
                for name in [c"__file__", c"__cached__"] {
                    PyDict_DelItemString(globals, name.as_ptr());
                    forget_error();
                }
                code
            }
            None => wanted(&names),
        }
    };
    finish(code, &names)
}

/// Whether it begins as a source does; compiled code begins with a byte that no text has.
///
/// # Safety
/// As [`run`].
unsafe fn is_text(file: *mut libc::FILE) -> bool {
    let mut first = 0u8;
    // SAFETY: reads one byte into `first`; the stream is valid.
    unsafe {
        let read = libc::fread((&raw mut first).cast(), 1, 1, file);
        libc::rewind(file);
        read == 0 || first.is_ascii() || first == 0xef
    }
}

/// Flushes both streams whatever comes of it; an exception that is set stays so.
fn flush() {
    let (mut kind, mut value, mut trace) = (null_mut(), null_mut(), null_mut());
    // SAFETY: fetches three references, and gives them back at the end; those of the streams are borrowed.
    unsafe {
        PyErr_Fetch(&raw mut kind, &raw mut value, &raw mut trace);
        for name in [c"stderr", c"stdout"] {
            if let Some(stream) = NonNull::new(PySys_GetObject(name.as_ptr())) {
                call(stream.as_ptr(), c"flush");
                forget_error();
            }
        }
        PyErr_Restore(kind, value, trace);
    }
}

/// Calls a method without arguments; whether it returned.
///
/// # Safety
/// `object` is a reference that lives as long as the call.
unsafe fn call(object: *mut c_void, method: &CStr) -> bool {
    // SAFETY: a null format means no arguments; returns a new reference or null.
    let result = unsafe { PyObject_CallMethod(object, method.as_ptr(), std::ptr::null()) };
    match NonNull::new(result) {
        Some(result) => {
            // SAFETY: gives back the reference.
            unsafe { Py_DecRef(result.as_ptr()) };
            true
        }
        None => false,
    }
}

/// The exit code that a SystemExit asks for; says its message, if that is what it carries.
fn wanted(names: &Names) -> c_int {
    let (mut kind, mut value, mut trace) = (null_mut(), null_mut(), null_mut());
    // SAFETY: fetches three references and gives them back; the dictionary takes one of its own of the value.
    unsafe {
        PyErr_Fetch(&raw mut kind, &raw mut value, &raw mut trace);
        PyErr_NormalizeException(&raw mut kind, &raw mut value, &raw mut trace);
        names.lend(c"ended", value);
    }
    names.run(
        c"import sys as _sys
try:
    _code = ended.code
except BaseException:
    _code = ended
if _code is None:
    code = 0
elif isinstance(_code, int):
    code = int.__index__(_code)
    code = code & 0xffffffff if -(1 << 63) <= code < 1 << 63 else 0xffffffff
else:
    code = 1
    _err = getattr(_sys, 'stderr', None)
    if _err is None:
        _err = open(2, 'w', closefd=False, errors='backslashreplace')
    for _text in _code, '\\n':
        try:
            _err.write(str(_text))
        except BaseException:
            pass
    if _err is not getattr(_sys, 'stderr', None):
        _err.close()
code = str(code).encode()
del ended
",
    );
    // SAFETY: as above.
    unsafe {
        PyErr_Restore(kind, value, trace);
    }
    forget_error();
    let text = names.get(c"code").unwrap_or_default();
    let code: u32 = std::str::from_utf8(&text)
        .unwrap_or_default()
        .parse()
        .unwrap_or(1);
    code.cast_signed()
}

/// The end of the interpreter, as far as the program takes part in it.
fn finish(code: c_int, names: &Names) -> ! {
    // SAFETY: the modules' references are borrowed from the interpreter, or leaked on purpose: it ends.
    unsafe {
        let modules = PyImport_GetModuleDict();
        let threading = PyDict_GetItemString(modules, c"threading".as_ptr());
        if !threading.is_null() && !call(threading, c"_shutdown") {
            PyErr_WriteUnraisable(threading);
        }
        let exits = PyImport_ImportModule(c"atexit".as_ptr());
        if !exits.is_null() {
            call(exits, c"_run_exitfuncs");
        }
        forget_error();
    }
    names.lend_kept(c"kept", &MODULES);
    names.run_kept(&END);
    let over = names.get(c"over").is_some_and(|over| !over.is_empty());
    if over && !LISTENED_TO.load(Ordering::Relaxed) {
        exit(code);
    }
    CODE.store(code, Ordering::Relaxed);
    lay_the_trap();
    // SAFETY: called once, by the thread with the interpreter's lock, after which nothing of the interpreter is used.
    let flushed = unsafe { Py_FinalizeEx() } == 0;
    exit(if flushed { code } else { NOT_FLUSHED })
}

/// Puts an object where the interpreter destroys it after all modules of the program, and before what it began with.
fn lay_the_trap() {
    // SAFETY: the capsule's pointer is never followed; `sys` takes a reference of its own.
    unsafe {
        let capsule = PyCapsule_New((&raw mut TRAPPED).cast(), TRAP.as_ptr(), trap);
        if !capsule.is_null() {
            PySys_SetObject(TRAP.as_ptr(), capsule);
            Py_DecRef(capsule);
        }
    }
    // Without it the interpreter comes to the last event.
    forget_error();
}

/// Something that a capsule can point to.
static mut TRAPPED: u8 = 0;

/// Everything of the program's is gone but what it has hung onto `sys` and `builtins`.
unsafe extern "C" fn trap(_: *mut c_void) {
    let code = CODE.load(Ordering::Relaxed);
    if code == NOT_ENDED || ODD.load(Ordering::Relaxed) {
        return;
    }
    clear_but(&SYS, &SYS_NAMES);
    clear_but(&BUILTINS, &BUILTIN_NAMES);
    flush();
    if !ODD.load(Ordering::Relaxed) {
        exit(code);
    }
}

/// Lets go of what is among a module's names and not its own, or not what was called so.
fn clear_but(names: &Kept, own: &Kept) {
    let (mut position, mut key, mut value) = (0, null_mut(), null_mut());
    let mut others = Vec::new();
    // SAFETY: the dictionary is alive until the interpreter is not; nothing is changed while it is gone through, and the
    // references of keys are our own from then on.
    unsafe {
        let names = names.get();
        while PyDict_Next(names, &raw mut position, &raw mut key, &raw mut value) != 0 {
            if PyDict_GetItem(own.get(), key) != value {
                Py_IncRef(key);
                others.push(key);
            }
        }
        for key in others {
            PyDict_SetItem(names, key, (&raw mut _Py_NoneStruct).cast());
            Py_DecRef(key);
            forget_error();
        }
    }
}
