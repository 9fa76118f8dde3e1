//! What stays behind as process 1 of the cell: it names refused calls, reaps orphans, and reports how
//! the job's process ended. When it ends, the kernel ends everything else in the cell.
//!
//! It drops every power before it looks at anything that the job does. Must never answer a refused
//! call with anything but an error, and never wait for the job's goodwill.

use std::os::fd::{AsFd, BorrowedFd, RawFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, WaitOptions, wait};

use super::{Entry, Identity, errno, summon};
use crate::blueprint::Refusal;
use crate::enter::identity::{become_killer, drop_capabilities};
use crate::evidence::Call;
use crate::report::{Ended, Failure, at};
use crate::step::Step;
use crate::sys::fds::{borrow, close_all_but};
use crate::sys::fork::exit_now;
use crate::sys::{clock, seccomp};

/// Refused calls that one cell may make: answering them is not counted against the job's CPU time.
const MOST_ANSWERS: u32 = 100_000;

/// Watches the cell until the job's process `job` ends, then ends the cell.
pub(super) fn run(entry: &Entry<'_>, job: Pid) -> ! {
    if !entry.waits {
        entry.report.mark_started(clock::now());
    }
    match settle(entry).and_then(|(children, listener)| {
        watch(entry, job, &children, listener.map(borrow)).map_err(at(Step::Seccomp))
    }) {
        Ok(ended) => {
            entry.report.mark_ended(ended, clock::now());
            // Everything else in the cell, first: our end closes the listener before the kernel ends the
            // namespace, and a call that waits there would fail and its caller run on for a moment.
            // ESRCH: nobody else is left.
            if !entry.without.pid_namespace {
                kill_everybody(Signal::SIGKILL).unwrap_or_default();
            }
            exit_now(0)
        }
        Err(failure) => {
            entry.report.fail(failure);
            exit_now(1)
        }
    }
}

/// Gives up all power but that of ending the cell's own processes, and every descriptor but two. Without a
/// filter there is no listener.
fn settle(entry: &Entry<'_>) -> Result<(SignalFd, Option<RawFd>), Failure> {
    match entry.identity {
        Identity::Host { init, .. } => become_killer(init).map_err(at(Step::Identity))?,
        Identity::Own => drop_capabilities().map_err(at(Step::Capabilities))?,
    }
    rustix::thread::set_no_new_privs(true).map_err(at(Step::NoNewPrivs))?;
    // Changing the uid has set these two back (prctl(2)).
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(at(Step::DeathSignal))?;
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .map_err(at(Step::Capabilities))?;
    let listener = entry.report.listener();
    if listener.is_none() && entry.filter.listens && !entry.without.seccomp {
        return Err(at(Step::Seccomp)(rustix::io::Errno::BADF));
    }
    if let Some(summons) = &entry.summons {
        summon::let_go(summons)?;
    }
    close_all_but(listener.as_slice()).map_err(at(Step::Descriptors))?;
    // The warden blocks SIGCHLD before it clones, so that none was lost until here.
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    let children = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        .map_err(|error| at(Step::Fork)(errno(error)))?;
    Ok((children, listener))
}

/// kill(2) with -1: every process that this one may signal, which are those of its pid namespace.
fn kill_everybody(signal: Signal) -> nix::Result<()> {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(-1), signal)
}

fn watch(
    entry: &Entry<'_>,
    job: Pid,
    children: &SignalFd,
    listener: Option<BorrowedFd<'_>>,
) -> Result<Ended, rustix::io::Errno> {
    let mut listening = listener;
    let mut answered: u32 = 0;
    loop {
        // A child may have ended before the signalfd was there: look first, then wait.
        if let Some(ended) = reap(job)? {
            return Ok(ended);
        }
        let children_fd = children.as_fd();
        let watched = if listening.is_some() { 2 } else { 1 };
        let mut fds = [
            PollFd::new(&children_fd, PollFlags::IN),
            PollFd::new(listening.as_ref().unwrap_or(&children_fd), PollFlags::IN),
        ];
        match poll(fds.get_mut(..watched).unwrap_or_default(), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        let [child_event, refused_event] = fds.map(|fd| fd.revents());
        if child_event.contains(PollFlags::IN) {
            children.read_signal().map_err(errno)?;
        }
        let Some(listener) = listening else { continue };
        if refused_event.contains(PollFlags::IN) {
            if let Some(nr) = answer(entry, listener, &mut answered)? {
                return Ok(Ended::Refused(nr));
            }
        } else if refused_event.contains(PollFlags::HUP) {
            // No process under the filter is left; its SIGCHLD is on its way.
            listening = None;
        }
    }
}

/// Reaps whatever has ended; the job's own end is the answer.
fn reap(job: Pid) -> Result<Option<Ended>, rustix::io::Errno> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == job => {
                let code = status.exit_status().map(Ended::Code);
                let signal = status.terminating_signal().map(Ended::Signal);
                if let Some(ended) = code.or(signal) {
                    return Ok(Some(ended));
                }
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(None),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Answers one refused call; gives its number if it ends the cell.
fn answer(
    entry: &Entry<'_>,
    listener: BorrowedFd<'_>,
    answered: &mut u32,
) -> Result<Option<u32>, rustix::io::Errno> {
    let refused = match seccomp::receive(listener) {
        Ok(refused) => refused,
        // Its process was killed before we looked (seccomp_unotify(2)).
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::INTR) => return Ok(None),
        Err(error) => return Err(error),
    };
    let refusal = entry.filter.refusal(refused.nr);
    entry.report.refuse(Call {
        nr: refused.nr,
        args: refused.args,
    });
    *answered += 1;
    if refusal == Refusal::Kill || *answered > MOST_ANSWERS {
        return Ok(Some(refused.nr));
    }
    seccomp::refuse(listener, &refused, refusal.errno())?;
    Ok(None)
}
