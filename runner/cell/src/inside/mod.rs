//! What runs inside an interpreter that is a template: it imports, says that it is ready, and then gives a child for
//! each summons.
//!
//! Compiled into a library of its own (feature `inside`), which the warden hands to the interpreter as a sealed
//! memfd. Entered when the interpreter opens the program's file ([`crate::sys::hook`]) and returned from in children
//! only, each of which is a job then. Must never run anything of a job, nor return in the template.

mod child;
pub(crate) mod hot;

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd, RawFd};

use nix::errno::Errno;

use crate::blueprint::Filter;
use crate::protocol;
use crate::report::at;
use crate::step::Step;
use crate::sys::fds::borrow;
use crate::sys::fork::{exit_now, fork_as_programs};
use crate::sys::program;
use crate::sys::python::{self, Kept, Names};
use crate::sys::summon::{Summoned, Summoner};
use crate::warm::{NAMESPACES, SUMMONS_BYTES, Said, Setup};

/// The control socket: the template's standard input.
const CONTROL: RawFd = 0;
/// The longest reason for being broken that is told, in bytes.
const LONGEST_REASON: usize = 500;

/// Imports what is asked for and rehearses a job, so that the pages which that writes are written here once.
const PREPARE: &CStr = include_cstr!("prepare.py");
/// What the interpreter's own main function sets in `__main__`.
pub(crate) static MAIN: Kept = Kept::new();
/// Run after all of the program.
pub(crate) static END: Kept = Kept::new();
/// The modules that are there before a program; and the names of the two that are left to the last, as they are and as
/// they were before it.
pub(crate) static MODULES: Kept = Kept::new();
pub(crate) static SYS: Kept = Kept::new();
pub(crate) static BUILTINS: Kept = Kept::new();
pub(crate) static SYS_NAMES: Kept = Kept::new();
pub(crate) static BUILTIN_NAMES: Kept = Kept::new();

/// Serves summonses. Returns in a job's process, with the path of its program; `own` is the template's.
pub(crate) fn serve(own: &CStr) -> CString {
    let control = borrow(CONTROL);
    let Ok(Some((setup, _))) = protocol::receive::<Setup>(control) else {
        exit_now(1)
    };
    // For whoever looks at the host's processes; a job has the name back.
    let name = rustix::thread::name().unwrap_or_default();
    rustix::thread::set_name(c"glovebox-warm").unwrap_or_default();
    let (summoner, modules) = match prepare(&setup) {
        Ok(made) => made,
        Err(mut reason) => {
            reason.truncate(reason.floor_char_boundary(LONGEST_REASON));
            protocol::send(control, &Said::Broken(reason), &[]).unwrap_or_default();
            exit_now(1)
        }
    };
    let hot = match rehearse(own) {
        Rehearsed::Learned(hot) => hot,
        Rehearsed::Child(program) => return program,
    };
    // Made once, for all children.
    let filter = Filter {
        program: setup.program(),
        refusals: Vec::new(),
        listens: true,
    };
    let ground = Ground {
        setup: &setup,
        filter: &filter,
        hot: &hot,
    };
    if protocol::send(control, &Said::Ready(modules), &[]).is_err() {
        exit_now(1)
    }
    loop {
        let call = match receive() {
            Ok(call) => call,
            Err(Errno::EINTR) => continue,
            // The warden is gone, or speaks nonsense.
            Err(_) => exit_now(0),
        };
        let namespaces: Vec<(RawFd, i32)> = call
            .namespaces
            .iter()
            .zip(NAMESPACES)
            .map(|(fd, (_, kind))| (std::os::fd::AsRawFd::as_raw_fd(fd), kind))
            .collect();
        python::before_fork();
        match summoner.summon(&namespaces) {
            Summoned::Child => return child::become_job(&ground, call, &name),
            Summoned::Template(Ok(())) => python::after_fork_parent(),
            // The cell's init sees it, too: the other end of its line closes here.
            Summoned::Template(Err(error)) => {
                python::after_fork_parent();
                child::tell(&call.order, at(Step::Summon)(error));
            }
        }
    }
}

/// What all children begin with.
struct Ground<'a> {
    setup: &'a Setup,
    filter: &'a Filter,
    hot: &'a [hot::Range],
}

/// What came of a rehearsal, in which process.
enum Rehearsed {
    Learned(Vec<hot::Range>),
    Child(CString),
}

/// Runs the template's own program, an empty one, in a child to its end, and learns what that writes to.
fn rehearse(own: &CStr) -> Rehearsed {
    let Ok((read, write)) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC) else {
        return Rehearsed::Learned(Vec::new());
    };
    python::before_fork();
    match fork_as_programs() {
        Ok(None) => {
            drop(read);
            hot::watch(write);
            python::after_fork_child();
            child::rehearse(own).unwrap_or_else(|| exit_now(1));
            Rehearsed::Child(own.to_owned())
        }
        Ok(Some(pid)) => {
            drop(write);
            python::after_fork_parent();
            let hot = hot::learn(read);
            // It has told all that it had to tell. ECHILD: it was reaped already.
            while rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty())
                .is_err_and(|error| error == rustix::io::Errno::INTR)
            {}
            Rehearsed::Learned(hot::keep_text(hot))
        }
        Err(_) => {
            python::after_fork_parent();
            Rehearsed::Learned(Vec::new())
        }
    }
}

/// A summons, with what is beside it.
struct Call {
    job: u32,
    namespaces: Vec<OwnedFd>,
    /// To the cell's init.
    line: OwnedFd,
    /// To the warden.
    order: OwnedFd,
    tasks: Vec<OwnedFd>,
}

fn receive() -> nix::Result<Call> {
    let mut bytes = [0; SUMMONS_BYTES];
    let (length, mut beside) = protocol::receive_raw(borrow(CONTROL), &mut bytes)?;
    if length != SUMMONS_BYTES || beside.len() < NAMESPACES.len() + 2 {
        return Err(Errno::EBADMSG);
    }
    let mut rest = beside.split_off(NAMESPACES.len()).into_iter();
    let mut next = || rest.next().ok_or(Errno::EBADMSG);
    Ok(Call {
        job: u32::from_ne_bytes(bytes),
        namespaces: beside,
        line: next()?,
        order: next()?,
        tasks: rest.collect(),
    })
}

/// Imports, rehearses, and looks whether a child could be told apart from another by what it shares with it.
fn prepare(setup: &Setup) -> Result<(Summoner, String), String> {
    let names = Names::new().ok_or("out of memory")?;
    let preload = setup.preload.join("\n");
    names
        .set(c"preload", preload.as_bytes())
        .ok_or("out of memory")?;
    if !names.run(PREPARE) {
        let reason = names.get(c"reason").unwrap_or_default();
        return Err(match String::from_utf8_lossy(&reason).into_owned() {
            reason if reason.is_empty() => "the interpreter could not be prepared".to_owned(),
            reason => reason,
        });
    }
    for (name, kept) in [
        (c"kept", &MODULES),
        (c"sys_dict", &SYS),
        (c"builtins_dict", &BUILTINS),
        (c"sys_names", &SYS_NAMES),
        (c"builtin_names", &BUILTIN_NAMES),
    ] {
        names.keep(name, kept).ok_or("nothing was imported")?;
    }
    for (kept, source) in [
        (&child::REHEARSE, include_cstr!("rehearse.py")),
        (&child::BEGIN, include_cstr!("begin.py")),
        (&MAIN, include_cstr!("main.py")),
        (&END, include_cstr!("end.py")),
    ] {
        kept.compile(source)
            .ok_or("what a child runs can't be compiled")?;
    }
    python::unfreeze_main();
    let modules = names.get(c"modules").ok_or("out of memory")?;
    let modules = String::from_utf8(modules).map_err(|_| "a module's name is no text")?;
    if !program::watch_the_end() {
        return Err("a preloaded module's audit hook has an objection".to_owned());
    }
    let summoner = Summoner::new().map_err(|error| format!("mapping stacks: {error}"))?;
    Ok((summoner, modules))
}

/// A source file as a C string.
macro_rules! include_cstr {
    ($file:literal) => {
        match std::ffi::CStr::from_bytes_with_nul(concat!(include_str!($file), "\0").as_bytes()) {
            Ok(text) => text,
            Err(_) => panic!("a NUL in a source file"),
        }
    };
}
use include_cstr;

/// Lends the descriptor of each.
fn raw(descriptors: &[OwnedFd]) -> Vec<RawFd> {
    descriptors
        .iter()
        .map(|fd| std::os::fd::AsRawFd::as_raw_fd(&fd.as_fd()))
        .collect()
}
