//! A fork of this process that lives in other namespaces than it, a pid namespace among them.
//!
//! Two short-lived processes stand between, since a process keeps its own pid namespace for life and only its
//! children can be born in another: the first joins the namespaces, the second is born in them and forks. Both share
//! this process's memory (`CLONE_VM`), so that pages are copied once, by the last fork. That child goes on where the
//! call was made, on this process's own stack: it switches contexts (makecontext(3)), since it was forked by a process
//! that ran on another. Must only be called in a process with one thread.

use std::os::fd::RawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};

use libc::{c_int, c_void};
use rustix::io::Errno;

use super::last_errno;

/// Each of the three side stacks. None calls anything that is deep, at-fork handlers of libraries included.
const STACK_BYTES: usize = 256 * 1024;

unsafe extern "C" {
    fn getcontext(context: *mut libc::ucontext_t) -> c_int;
    fn setcontext(context: *const libc::ucontext_t) -> c_int;
    fn swapcontext(save: *mut libc::ucontext_t, go: *const libc::ucontext_t) -> c_int;
    fn makecontext(context: *mut libc::ucontext_t, entry: extern "C" fn(), count: c_int, ...);
}

/// Which process runs after [`Summoner::summon`].
pub(crate) enum Summoned {
    /// The caller; whether the child was made.
    Template(Result<(), Errno>),
    /// The child, in the namespaces.
    Child,
}

/// The stacks and contexts; made once.
pub(crate) struct Summoner {
    /// For the code between the caller and the first process, then for each of the two.
    stacks: [NonNull<c_void>; 3],
}

/// What the two processes work on. They share the caller's memory and can see it.
struct Work<'a> {
    namespaces: &'a [(RawFd, i32)],
    stacks: [NonNull<c_void>; 3],
    caller: libc::ucontext_t,
    errno: AtomicI32,
    child: bool,
}

/// makecontext(3) passes no pointer: the one summons that is under way.
static WORK: AtomicPtr<Work<'static>> = AtomicPtr::new(std::ptr::null_mut());

impl Summoner {
    /// Maps the stacks.
    pub(crate) fn new() -> Result<Summoner, Errno> {
        let stack = || -> Result<NonNull<c_void>, Errno> {
            let (access, kind) = (
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK,
            );
            // SAFETY: mmap(2) with a null hint and MAP_ANONYMOUS makes a fresh mapping and touches no other memory.
            let base =
                unsafe { libc::mmap(std::ptr::null_mut(), STACK_BYTES, access, kind, -1, 0) };
            match base == libc::MAP_FAILED {
                true => Err(last_errno()),
                false => NonNull::new(base).ok_or(Errno::NOMEM),
            }
        };
        Ok(Summoner {
            stacks: [stack()?, stack()?, stack()?],
        })
    }

    /// Forks a child into `namespaces`, each with its CLONE_NEW* flag.
    pub(crate) fn summon(&self, namespaces: &[(RawFd, i32)]) -> Summoned {
        // SAFETY: ucontext_t is plain data for which zero is valid; getcontext fills it in before it is used.
        let (caller, mut side) = unsafe {
            (
                std::mem::zeroed::<libc::ucontext_t>(),
                std::mem::zeroed::<libc::ucontext_t>(),
            )
        };
        let mut work = Work {
            namespaces,
            stacks: self.stacks,
            caller,
            errno: AtomicI32::new(0),
            child: false,
        };
        let pointer = std::ptr::from_mut(&mut work);
        WORK.store(pointer.cast(), Ordering::Relaxed);
        // SAFETY: `side` is filled in by getcontext and given a mapped stack of its own before it is entered; `apart`
        // never returns, it goes back by setcontext to what swapcontext saves in `work.caller`. That context is entered
        // once in this process and once in the child, whose memory is a copy; the frame that it returns to is this one,
        // which nothing has touched since, as everything between ran on the side stacks. `work` outlives all of it and
        // is only reached through the pointer meanwhile.
        unsafe {
            if getcontext(&raw mut side) != 0 {
                return Summoned::Template(Err(last_errno()));
            }
            side.uc_stack.ss_sp = self.stacks[0].as_ptr();
            side.uc_stack.ss_size = STACK_BYTES;
            side.uc_link = std::ptr::null_mut();
            makecontext(&raw mut side, apart, 0);
            if swapcontext(&raw mut (*pointer).caller, &raw const side) != 0 {
                return Summoned::Template(Err(last_errno()));
            }
            std::hint::black_box(pointer);
            if std::ptr::read_volatile(&raw const (*pointer).child) {
                return Summoned::Child;
            }
        }
        match work.errno.load(Ordering::Relaxed) {
            0 => Summoned::Template(Ok(())),
            number => Summoned::Template(Err(Errno::from_raw_os_error(number))),
        }
    }
}

fn top(stack: NonNull<c_void>) -> *mut c_void {
    // SAFETY: one past the end of the mapping of STACK_BYTES, which is aligned to a page.
    unsafe { stack.as_ptr().byte_add(STACK_BYTES) }
}

/// clone(2) of a process that shares this memory, while this one waits.
fn beside(work: &Work<'_>, stack: usize, entry: extern "C" fn(*mut c_void) -> c_int) -> c_int {
    let Some(stack) = work.stacks.get(stack) else {
        return -1;
    };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: `entry` runs on a mapped stack that nobody else uses, and the caller is suspended until it has ended.
    let pid = unsafe {
        libc::clone(
            entry,
            top(*stack),
            flags,
            WORK.load(Ordering::Relaxed).cast(),
        )
    };
    if pid < 0 {
        note(work);
    }
    pid
}

/// Keeps the first error.
fn note(work: &Work<'_>) {
    let errno = last_errno().raw_os_error();
    let kept = work
        .errno
        .compare_exchange(0, errno, Ordering::Relaxed, Ordering::Relaxed);
    // One that is there already says more.
    kept.map(drop).unwrap_or_default();
}

/// In the caller's process, on the first side stack.
extern "C" fn apart() {
    // SAFETY: set by `summon`, whose frame is alive.
    let work = unsafe { &*WORK.load(Ordering::Relaxed) };
    let pid = beside(work, 1, join);
    if pid > 0 {
        // SAFETY: waitpid(2) writes through no pointer here. It has ended already; nothing is to be learned of it.
        unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
    }
    // SAFETY: saved by swapcontext in `summon`, and not entered before in this process.
    unsafe { setcontext(&raw const work.caller) };
    std::process::abort()
}

/// The first process: joins the namespaces, so that its child is born in them.
extern "C" fn join(work: *mut c_void) -> c_int {
    // SAFETY: the pointer that `beside` passed; `summon`'s frame is alive in the shared memory.
    let work = unsafe { &*work.cast::<Work<'_>>() };
    for (fd, kind) in work.namespaces {
        // SAFETY: setns(2) takes two numbers.
        if unsafe { libc::setns(*fd, *kind) } != 0 {
            note(work);
            return 1;
        }
    }
    beside(work, 2, born);
    0
}

/// The second process: in the pid namespace. The C library's fork runs the handlers of libraries and sets the
/// thread's own number right.
extern "C" fn born(work: *mut c_void) -> c_int {
    // SAFETY: as in `join`; only this process runs on this memory now, the two above wait for it.
    let work = unsafe { &mut *work.cast::<Work<'_>>() };
    // SAFETY: fork(2) in a process with one thread.
    match unsafe { libc::fork() } {
        0 => {
            work.child = true;
            // SAFETY: this copy's `caller` was saved by swapcontext and was not entered in this process.
            unsafe { setcontext(&raw const work.caller) };
            std::process::abort()
        }
        pid if pid < 0 => {
            note(work);
            1
        }
        _ => 0,
    }
}
