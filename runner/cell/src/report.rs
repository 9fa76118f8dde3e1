//! What a cell's own first processes tell the warden, through a page that the job never sees.
//!
//! Written by trusted code between fork and exec and by the cell's init; read by the warden once the
//! cell is dead. Must never be mapped in a process that runs the job's code.

use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use rustix::io::Errno;

use crate::evidence::{Call, RefusedCall};
use crate::protocol::Event;
use crate::step::Step;

/// How many different refused calls are told apart; programs that make more are told the first.
const REFUSED_KINDS: usize = 64;
/// How many different refused calls are kept with their arguments.
const REFUSED_CALLS: usize = 256;

const ENDED_NOT: u32 = 0;
const ENDED_CODE: u32 = 1;
const ENDED_SIGNAL: u32 = 2;
const ENDED_REFUSED: u32 = 3;

/// A step that failed, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    pub(crate) errno: Errno,
}

impl Failure {
    /// Whether the host had none left of something that it has only so much of, and has again when others end.
    pub(crate) fn is_shortage(&self) -> bool {
        use Errno as E;
        matches!(
            self.errno,
            E::MFILE | E::NFILE | E::NOMEM | E::AGAIN | E::NOSPC
        )
    }

    /// As the runner is told of it.
    pub(crate) fn event(self, ticket: u64) -> Event {
        Event::Failed {
            ticket,
            step: self.step,
            errno: self.errno.raw_os_error(),
        }
    }

    /// The reverse of [`Failure::event`].
    pub(crate) fn told_by(event: &Event) -> Option<Failure> {
        match event {
            Event::Failed { step, errno, .. } => Some(Failure {
                step: *step,
                errno: Errno::from_raw_os_error(*errno),
            }),
            _ => None,
        }
    }
}

/// For `map_err`: an errno becomes a [`Failure`] of `step`.
pub(crate) fn at(step: Step) -> impl Fn(Errno) -> Failure {
    move |errno| Failure { step, errno }
}

/// How the job's first process ended, as the cell's init saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Code(i32),
    Signal(i32),
    /// Init ended the cell because of this call.
    Refused(u32),
}

/// The shared record. Zero everywhere means: nothing happened yet.
///
/// Atomics only: two processes use it at once (see [`crate::sys::page`]).
pub(crate) struct Report {
    failed_step: AtomicU32,
    failed_errno: AtomicI32,
    started: AtomicU64,
    ended_at: AtomicU64,
    listener: AtomicI32,
    descriptor: AtomicI32,
    ended: AtomicU32,
    ended_value: AtomicI32,
    refused: [RefusedSlot; REFUSED_KINDS],
    /// How many of the calls below there are.
    calls_made: AtomicU32,
    calls: [CallSlot; REFUSED_CALLS],
}

struct RefusedSlot {
    /// The call's number plus one; zero is an empty place.
    nr: AtomicU32,
    count: AtomicU64,
}

struct CallSlot {
    nr: AtomicU32,
    args: [AtomicU64; 6],
}

impl CallSlot {
    fn call(&self) -> Call {
        Call {
            nr: self.nr.load(Ordering::Relaxed),
            args: self.args.each_ref().map(|arg| arg.load(Ordering::Relaxed)),
        }
    }
}

impl Report {
    /// Back to zero, for the slot's next cell.
    pub(crate) fn reset(&self) {
        self.failed_step.store(0, Ordering::Relaxed);
        self.failed_errno.store(0, Ordering::Relaxed);
        self.started.store(0, Ordering::Relaxed);
        self.ended_at.store(0, Ordering::Relaxed);
        self.listener.store(0, Ordering::Relaxed);
        self.descriptor.store(0, Ordering::Relaxed);
        self.ended_value.store(0, Ordering::Relaxed);
        for slot in &self.refused {
            slot.nr.store(0, Ordering::Relaxed);
            slot.count.store(0, Ordering::Relaxed);
        }
        self.calls_made.store(0, Ordering::Relaxed);
        self.ended.store(ENDED_NOT, Ordering::Release);
    }

    pub(crate) fn fail(&self, failure: Failure) {
        self.failed_errno
            .store(failure.errno.raw_os_error(), Ordering::Relaxed);
        self.failed_step
            .store(failure.step as u32, Ordering::Release);
    }

    pub(crate) fn failure(&self) -> Option<Failure> {
        let step = Step::from_number(self.failed_step.load(Ordering::Acquire))?;
        let errno = Errno::from_raw_os_error(self.failed_errno.load(Ordering::Relaxed));
        Some(Failure { step, errno })
    }

    /// Nanoseconds of `CLOCK_MONOTONIC` when the program replaced our code.
    pub(crate) fn mark_started(&self, now: u64) {
        self.started.store(now, Ordering::Release);
    }

    pub(crate) fn started(&self) -> Option<u64> {
        Some(self.started.load(Ordering::Acquire)).filter(|at| *at > 0)
    }

    pub(crate) fn set_listener(&self, fd: i32) {
        self.listener.store(fd, Ordering::Release);
    }

    pub(crate) fn listener(&self) -> Option<i32> {
        Some(self.listener.load(Ordering::Acquire)).filter(|fd| *fd > 0)
    }

    /// A descriptor that another process has made in the warden's table.
    pub(crate) fn set_descriptor(&self, fd: i32) {
        self.descriptor.store(fd, Ordering::Release);
    }

    pub(crate) fn descriptor(&self) -> Option<i32> {
        Some(self.descriptor.load(Ordering::Acquire)).filter(|fd| *fd > 0)
    }

    /// Nanoseconds of `CLOCK_MONOTONIC` when the job's process had ended.
    pub(crate) fn ended_at(&self) -> Option<u64> {
        Some(self.ended_at.load(Ordering::Acquire)).filter(|at| *at > 0)
    }

    pub(crate) fn mark_ended(&self, ended: Ended, now: u64) {
        self.ended_at.store(now, Ordering::Relaxed);
        let (kind, value) = match ended {
            Ended::Code(code) => (ENDED_CODE, code),
            Ended::Signal(signal) => (ENDED_SIGNAL, signal),
            Ended::Refused(nr) => (ENDED_REFUSED, nr.cast_signed()),
        };
        self.ended_value.store(value, Ordering::Relaxed);
        self.ended.store(kind, Ordering::Release);
    }

    pub(crate) fn ended(&self) -> Option<Ended> {
        let kind = self.ended.load(Ordering::Acquire);
        let value = self.ended_value.load(Ordering::Relaxed);
        match kind {
            ENDED_CODE => Some(Ended::Code(value)),
            ENDED_SIGNAL => Some(Ended::Signal(value)),
            ENDED_REFUSED => Some(Ended::Refused(value.cast_unsigned())),
            _ => None,
        }
    }

    /// Counts a refused call, and keeps it if it is not among those that are kept.
    pub(crate) fn refuse(&self, call: Call) {
        self.keep(call);
        let tag = call.nr.wrapping_add(1);
        for slot in &self.refused {
            let there = slot.nr.load(Ordering::Relaxed);
            if there == tag || there == 0 {
                slot.nr.store(tag, Ordering::Relaxed);
                slot.count.fetch_add(1, Ordering::Release);
                return;
            }
        }
    }

    fn keep(&self, call: Call) {
        let made = self.calls_made.load(Ordering::Relaxed);
        let kept = self.calls.get(..made as usize).unwrap_or_default();
        if kept.iter().any(|slot| slot.call() == call) {
            return;
        }
        if let Some(slot) = self.calls.get(made as usize) {
            for (place, arg) in slot.args.iter().zip(call.args) {
                place.store(arg, Ordering::Relaxed);
            }
            slot.nr.store(call.nr, Ordering::Relaxed);
            self.calls_made.store(made + 1, Ordering::Release);
        }
    }

    /// The first different refused calls, in the order in which they were made.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let made = self.calls_made.load(Ordering::Acquire) as usize;
        let kept = self.calls.get(..made).unwrap_or_default();
        kept.iter().map(CallSlot::call).collect()
    }

    pub(crate) fn refused(&self) -> Vec<RefusedCall> {
        self.refused
            .iter()
            .map(|slot| (slot, slot.count.load(Ordering::Acquire)))
            .take_while(|(_, count)| *count != 0)
            .map(|(slot, count)| RefusedCall {
                nr: slot.nr.load(Ordering::Relaxed).wrapping_sub(1),
                count,
            })
            .collect()
    }
}
