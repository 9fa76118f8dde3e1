//! The few functions of Python's C interface that a template calls; all are in its stable part (PEP 384) but those
//! around a fork. They are found in the interpreter when the library is loaded into it.
//!
//! Must only be called by the thread that holds the interpreter's lock: all but [`locked`] are for within that.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};

/// `Py_file_input` of compile.h: a source of many statements.
pub(super) const FILE_INPUT: c_int = 257;

unsafe extern "C" {
    fn PyGILState_Ensure() -> c_int;
    fn PyGILState_Release(state: c_int);
    fn PyOS_BeforeFork();
    fn PyOS_AfterFork_Parent();
    fn PyOS_AfterFork_Child();
    fn PyDict_New() -> *mut c_void;
    fn PyDict_SetItemString(dict: *mut c_void, key: *const c_char, value: *mut c_void) -> c_int;
    fn PyDict_GetItemString(dict: *mut c_void, key: *const c_char) -> *mut c_void;
    fn PyBytes_FromStringAndSize(bytes: *const c_char, size: isize) -> *mut c_void;
    fn PyBytes_AsStringAndSize(
        object: *mut c_void,
        bytes: *mut *mut c_char,
        size: *mut isize,
    ) -> c_int;
    fn PyRun_StringFlags(
        source: *const c_char,
        start: c_int,
        globals: *mut c_void,
        locals: *mut c_void,
        flags: *mut c_void,
    ) -> *mut c_void;
    fn PyImport_AddModule(name: *const c_char) -> *mut c_void;
    fn PyModule_GetDict(module: *mut c_void) -> *mut c_void;
    fn PyObject_GC_Track(object: *mut c_void);
    fn PyObject_GC_UnTrack(object: *mut c_void);
    fn Py_CompileString(source: *const c_char, name: *const c_char, start: c_int) -> *mut c_void;
    fn PyEval_EvalCode(code: *mut c_void, globals: *mut c_void, locals: *mut c_void)
    -> *mut c_void;
    fn Py_IncRef(object: *mut c_void);
    fn Py_DecRef(object: *mut c_void);
    fn PyErr_Clear();
}

/// Does `work` with the interpreter's lock, which it lets go of around the opening of a file. Both processes of a fork
/// within return from here.
pub(crate) fn locked(work: impl FnOnce()) {
    // SAFETY: the interpreter is initialised, and the main thread's state is the one that is taken up again.
    let state = unsafe { PyGILState_Ensure() };
    work();
    // SAFETY: what `ensure` returned, in the same thread.
    unsafe { PyGILState_Release(state) };
}

/// Before a fork: takes the interpreter's own locks, and runs what was registered (`os.register_at_fork`).
pub(crate) fn before_fork() {
    // SAFETY: the thread holds the interpreter's lock (module rule).
    unsafe { PyOS_BeforeFork() };
}

/// After a fork, in the process that forked.
pub(crate) fn after_fork_parent() {
    // SAFETY: as above, after `before_fork`.
    unsafe { PyOS_AfterFork_Parent() };
}

/// After a fork, in the new process.
pub(crate) fn after_fork_child() {
    // SAFETY: as above, after `before_fork`.
    unsafe { PyOS_AfterFork_Child() };
}

/// An object that is kept for ever. What a template keeps its children have, without running anything for it.
pub(crate) struct Kept(AtomicPtr<c_void>);

impl Kept {
    /// Nothing yet.
    pub(crate) const fn new() -> Kept {
        Kept(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// Keeps the code of `source`.
    pub(crate) fn compile(&self, source: &CStr) -> Option<()> {
        // SAFETY: two C strings; returns a new reference, which is kept, or null.
        let code = unsafe { Py_CompileString(source.as_ptr(), c"glovebox".as_ptr(), FILE_INPUT) };
        if code.is_null() {
            forget_error();
        }
        self.set(code)
    }

    fn set(&self, object: *mut c_void) -> Option<()> {
        self.0.store(object, Ordering::Relaxed);
        (!object.is_null()).then_some(())
    }

    pub(super) fn get(&self) -> *mut c_void {
        self.0.load(Ordering::Relaxed)
    }
}

/// The global names of some source that is run.
pub(crate) struct Names(NonNull<c_void>);

impl Names {
    /// None yet.
    pub(crate) fn new() -> Option<Names> {
        // SAFETY: returns a new reference or null.
        NonNull::new(unsafe { PyDict_New() }).map(Names)
    }

    /// Gives `name` a bytes object for a value.
    pub(crate) fn set(&self, name: &CStr, value: &[u8]) -> Option<()> {
        let size = isize::try_from(value.len()).ok()?;
        // SAFETY: copies `size` bytes; returns a new reference or null.
        let object =
            NonNull::new(unsafe { PyBytes_FromStringAndSize(value.as_ptr().cast(), size) })?;
        // SAFETY: both objects are alive; the dictionary takes a reference of its own.
        let set = unsafe { PyDict_SetItemString(self.0.as_ptr(), name.as_ptr(), object.as_ptr()) };
        // SAFETY: gives back the reference from above.
        unsafe { Py_DecRef(object.as_ptr()) };
        (set == 0).then_some(())
    }

    /// Gives `name` an object for a value.
    ///
    /// # Safety
    /// `object` is a reference that lives as long as the call.
    pub(super) unsafe fn lend(&self, name: &CStr, object: *mut c_void) {
        // SAFETY: the dictionary takes a reference of its own.
        if unsafe { PyDict_SetItemString(self.0.as_ptr(), name.as_ptr(), object) } != 0 {
            forget_error();
        }
    }

    /// The bytes object that is called so.
    pub(crate) fn get(&self, name: &CStr) -> Option<Vec<u8>> {
        // SAFETY: returns a borrowed reference or null; the dictionary keeps it alive below.
        let object = NonNull::new(unsafe { PyDict_GetItemString(self.0.as_ptr(), name.as_ptr()) })?;
        let (mut bytes, mut size) = (std::ptr::null_mut(), 0);
        // SAFETY: writes both through the pointers when it returns 0, and fails for what is no bytes object.
        if unsafe { PyBytes_AsStringAndSize(object.as_ptr(), &raw mut bytes, &raw mut size) } != 0 {
            forget_error();
            return None;
        }
        let size = usize::try_from(size).ok()?;
        // SAFETY: the object's own buffer of `size` bytes, unchanged while it is copied.
        Some(unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), size) }.to_vec())
    }

    /// Keeps the object that is called so.
    pub(crate) fn keep(&self, name: &CStr, kept: &Kept) -> Option<()> {
        // SAFETY: a borrowed reference or null, of which one of our own is made.
        kept.set(unsafe {
            let object = PyDict_GetItemString(self.0.as_ptr(), name.as_ptr());
            Py_IncRef(object);
            object
        })
    }

    /// Gives `name` what is kept, if there is something.
    pub(super) fn lend_kept(&self, name: &CStr, kept: &Kept) {
        if !kept.get().is_null() {
            // SAFETY: the reference that is kept.
            unsafe { self.lend(name, kept.get()) };
        }
    }

    /// Runs code that is kept; whether it came to its end without an exception.
    pub(crate) fn run_kept(&self, code: &Kept) -> bool {
        let (code, names) = (code.get(), self.0.as_ptr());
        // SAFETY: a code object, if it is there, and the dictionary serves for both kinds of names.
        !code.is_null() && done(unsafe { PyEval_EvalCode(code, names, names) })
    }

    /// Runs `source`; whether it came to its end without an exception.
    pub(crate) fn run(&self, source: &CStr) -> bool {
        let names = self.0.as_ptr();
        // SAFETY: source is a C string, the dictionary serves for both kinds of names, null flags are allowed.
        let result = unsafe {
            PyRun_StringFlags(
                source.as_ptr(),
                FILE_INPUT,
                names,
                names,
                std::ptr::null_mut(),
            )
        };
        done(result)
    }
}

/// Whether something that was run returned; gives back what that was.
fn done(result: *mut c_void) -> bool {
    match NonNull::new(result) {
        Some(none) => {
            // SAFETY: gives back the reference that the call returned.
            unsafe { Py_DecRef(none.as_ptr()) };
            true
        }
        None => {
            forget_error();
            false
        }
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        // SAFETY: gives back the reference of `new`.
        unsafe { Py_DecRef(self.0.as_ptr()) };
    }
}

/// Lets the collector look at the program's own names again after all else was frozen (`gc.freeze`): a cycle through
/// them, which every function makes, would not be found at the program's end.
pub(crate) fn unfreeze_main() {
    // SAFETY: both references are borrowed from objects that the interpreter keeps; a dictionary is tracked by the
    // collector, and is taken from one of its lists and put into another.
    unsafe {
        if let Some(module) = NonNull::new(PyImport_AddModule(c"__main__".as_ptr()))
            && let Some(names) = NonNull::new(PyModule_GetDict(module.as_ptr()))
        {
            PyObject_GC_UnTrack(names.as_ptr());
            PyObject_GC_Track(names.as_ptr());
        }
    }
    forget_error();
}

pub(super) fn forget_error() {
    // SAFETY: the thread holds the interpreter's lock (module rule).
    unsafe { PyErr_Clear() };
}
