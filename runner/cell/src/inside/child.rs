//! The child of a template on its way to being a job: jailed first, by the steps of every cell; then it waits for its
//! order, writes its files, and lets the interpreter open the program.
//!
//! After the jail all that is done here is done under the job's own filter, uid and limits. Must never keep a
//! descriptor of ours when it returns.

use std::ffi::{CStr, CString};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use rustix::io::Errno;
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

use super::{Call, Ground, hot, raw};
use crate::blueprint::{Network, Without};
use crate::cgroup::WayIn;
use crate::enter::{Entry, Identity, WORK, errno, jail};
use crate::order::take_order;
use crate::protocol;
use crate::report::{Failure, Report, at};
use crate::step::Step;
use crate::sys::fds::{borrow, close_all_but, own};
use crate::sys::fork::exit_now;
use crate::sys::page::SharedPage;
use crate::sys::python::{self, Kept, Names};
use crate::warden::rlimits;
use crate::warm::{Setup, Word, pack};

/// Run once jailed, before the order comes: touches what a program's start will touch.
pub(super) static REHEARSE: Kept = Kept::new();
/// Run when the order has come: arguments, environment, randomness.
pub(super) static BEGIN: Kept = Kept::new();

/// Returns as the job, with the path of its program.
pub(super) fn become_job(ground: &Ground<'_>, call: Call, name: &CStr) -> CString {
    // Open until there is nothing left to tell.
    let Call { order, .. } = &call;
    let order = order.as_raw_fd();
    let call = ManuallyDrop::new(call);
    match try_become_job(ground, &call, borrow(order)) {
        Ok(program) => {
            drop(own(order));
            rustix::thread::set_name(name).unwrap_or_default();
            program
        }
        Err(failure) => {
            tell(&borrow(order), failure);
            exit_now(127)
        }
    }
}

/// Tells the warden what failed. If nobody is there to be told, the cell ends anyway.
pub(super) fn tell(order: &impl AsFd, failure: Failure) {
    let word = Word::Failed {
        step: failure.step,
        errno: failure.errno.raw_os_error(),
    };
    protocol::send(order.as_fd(), &word, &[]).unwrap_or_default();
}

/// In the child that is learned from, what comes before a program in all others.
pub(super) fn rehearse(program: &CStr) -> Option<()> {
    let names = Names::new()?;
    for (name, value) in [
        (c"argv", program),
        (c"words", c"0"),
        (c"path", program),
        (c"env", c""),
    ] {
        names.set(name, value.to_bytes())?;
    }
    (names.run_kept(&REHEARSE) && names.run_kept(&BEGIN)).then_some(())
}

/// What owns the descriptors of `call` is never dropped: all but one of them are closed by their numbers here.
fn try_become_job(
    ground: &Ground<'_>,
    call: &Call,
    order: BorrowedFd<'_>,
) -> Result<CString, Failure> {
    let failed = at(Step::Summon);
    let setup = ground.setup;
    let tell = |word| protocol::send(order, &word, &[]).map_err(|error| failed(errno(error)));
    let listener = jailed(ground, call)?;
    // From here on under every layer.
    present(call.line.as_fd(), listener).map_err(&failed)?;
    close_all_but(&[0, 1, 2, order.as_raw_fd()]).map_err(at(Step::Descriptors))?;
    python::after_fork_child();
    let names = Names::new().ok_or(failed(Errno::NOMEM))?;
    rustix::thread::set_name(c"glovebox-ready").unwrap_or_default();
    tell(Word::Ready)?;
    let launch = take_order(order, setup.open_files, setup.cgroup)?;
    // The last of the template's own words is the program's file; a job has its own in that place.
    let own_words = usize::from(setup.words).saturating_sub(1);
    let program = launch.argv.get(own_words).ok_or(failed(Errno::INVAL))?;
    let path = [WORK.to_bytes(), b"/", program.to_bytes()].concat();
    let joined = |words: &[CString]| {
        let words: Vec<&[u8]> = words.iter().map(|word| word.to_bytes()).collect();
        words.join(&0)
    };
    let given = names
        .set(c"argv", &joined(&launch.argv))
        .and_then(|()| names.set(c"words", own_words.to_string().as_bytes()))
        .and_then(|()| names.set(c"path", &path))
        .and_then(|()| names.set(c"env", &joined(&launch.env)));
    if given.is_none() || !names.run_kept(&BEGIN) {
        return Err(failed(Errno::CANCELED));
    }
    let path = CString::new(path).map_err(|_| failed(Errno::INVAL))?;
    tell(Word::Begun).map(|()| path)
}

/// Takes all steps of a cell's process; gives the number of the filter's listener.
fn jailed(ground: &Ground<'_>, call: &Call) -> Result<RawFd, Failure> {
    let Ground { setup, filter, hot } = *ground;
    let report: SharedPage<Report> = SharedPage::new().map_err(at(Step::Summon))?;
    let way_in = WayIn::Tasks(raw(&call.tasks));
    let limits = rlimits::of(&setup.ceilings, setup.open_files, setup.cgroup);
    // Each page that is copied by a process that has been on another processor has that one told.
    let pinned = Pinned::here();
    let entry = Entry {
        report: &report,
        warden: -1,
        // The control socket is closed by this; the real ones come with the order.
        stdio: [1, 1, 2],
        // Never read: there are no files yet.
        contents: 1,
        contents_offset: 0,
        files: &[],
        folders: &[],
        workspace: -1,
        network: -1,
        rooted: true,
        identity: Identity::Host {
            init: call.job,
            job: call.job,
        },
        rlimits: &limits,
        way_in: &way_in,
        filter,
        reaches: Network::Nothing,
        landlock_abi: setup.landlock_abi,
        exec_workdir: setup.exec_workdir,
        builds_env: false,
        without: Without::default(),
        image: None,
        library: None,
        summons: None,
        waits: true,
        summoned: true,
        counted: &|| {
            hot::touch(hot);
            pinned.release();
        },
        keep: &[],
    };
    jail(&entry)?;
    report.listener().ok_or(at(Step::Seccomp)(Errno::BADF))
}

/// Tells the cell's init where the listener is, and waits until it has it.
fn present(line: BorrowedFd<'_>, listener: RawFd) -> Result<(), Errno> {
    let pid = rustix::process::getpid().as_raw_pid();
    rustix::io::write(line, &pack(pid, listener))?;
    match rustix::io::read(line, &mut [0u8; 1])? {
        1 => Ok(()),
        _ => Err(Errno::PIPE),
    }
}

/// A process that stays on the processor that it is on.
struct Pinned(Option<CpuSet>);

impl Pinned {
    /// From here on, if it can be had.
    fn here() -> Pinned {
        let all = sched_getaffinity(None).ok();
        let mut one = CpuSet::new();
        one.set(sched_getcpu());
        Pinned(all.filter(|_| sched_setaffinity(None, &one).is_ok()))
    }

    /// No longer. What has been allowed before can't be refused now.
    fn release(&self) {
        if let Some(all) = &self.0 {
            sched_setaffinity(None, all).unwrap_or_default();
        }
    }
}
