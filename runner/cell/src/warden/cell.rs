//! One cell from its launch to its end: its limits, and the evidence that it leaves.
//!
//! Looks at the kernel's counters and at the page that the cell's own first processes wrote. Must never
//! say whose fault an end was.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use super::slot::Pending;
use super::{standby, workspace};
use crate::blueprint::Limits;
use crate::cgroup::Sample;
use crate::enter::Identity;
use crate::evidence::{Ending, Evidence, KillReason, Usage};
use crate::report::{Ended, Failure, Report};
use crate::sys::clock;
use crate::warm::Word;

/// How long a cell may take to start before it counts as broken.
const SETUP_PATIENCE: Duration = Duration::from_secs(30);

/// A cell that is in a slot.
pub(super) struct Cell {
    pub(super) ticket: u64,
    pub(super) identity: Identity,
    /// Of the cell's init, or of the collector once the cell is dead.
    pub(super) pidfd: OwnedFd,
    pub(super) workspace: OwnedFd,
    pub(super) limits: Limits,
    pub(super) launched: u64,
    pub(super) own_program: bool,
    /// To the process that a template gave, until it is the program.
    pub(super) line: Option<OwnedFd>,
    /// Whether a template gave it.
    pub(super) warm: bool,
    /// Whether it got as far as its program; what started cold is seen in the report.
    pub(super) begun: bool,
    pub(super) killed: Option<KillReason>,
    pub(super) disk_full: bool,
    pub(super) outputs: Option<(Vec<String>, u64, OwnedFd)>,
    /// The job, until it is begun by what a template gave: it can be started cold as long.
    pub(super) spare: Option<Box<Pending>>,
    /// Set once the cell is dead and its files are being collected, since when.
    pub(super) collecting: Option<(Evidence, u64)>,
}

impl Cell {
    pub(super) fn kill(&mut self, reason: KillReason) {
        self.killed.get_or_insert(reason);
        // Killing its init ends the whole pid namespace (pid_namespaces(7)). If this fails it has
        // ended already, and the next turn sees that.
        pidfd_send_signal(&self.pidfd, Signal::KILL).unwrap_or_default();
    }

    /// Takes what the process from a template says after its order: a step that failed, or the end of the line once it
    /// is the program.
    pub(super) fn hear(&mut self, report: &Report) {
        let Some(said) = self.line.as_ref().and_then(standby::said) else {
            return;
        };
        self.line = None;
        match said {
            Some(Word::Begun) => {
                self.begun = true;
                self.outputs = self.spare.take().and_then(|spare| spare.parcel.outputs());
            }
            Some(Word::Failed { step, errno }) => report.fail(Failure {
                step,
                errno: Errno::from_raw_os_error(errno),
            }),
            // It ended: whether that is its limits' work is seen when the cell has ended.
            Some(Word::Ready) | None => {}
        }
    }

    /// A process from a template that ended before its program, for no reason that the job has given.
    pub(super) fn was_lost(&self, sample: &Sample) -> bool {
        !self.begun && self.killed.is_none() && sample.oom_kills == 0
    }

    pub(super) fn look_at_clock(&mut self, report: &Report) {
        let now = clock::now();
        match report.started() {
            Some(started) if now.saturating_sub(started) > nanos(self.limits.wall) => {
                self.kill(KillReason::WallTime);
            }
            None if now.saturating_sub(self.launched) > nanos(SETUP_PATIENCE) => {
                self.kill(KillReason::NeverStarted);
            }
            _ => {}
        }
    }

    /// Compares a running cell's counters with its limits.
    pub(super) fn look(&mut self, sample: &Sample) {
        self.disk_full |= workspace::is_full(&self.workspace);
        if let Some(reason) = self.exceeded(sample) {
            self.kill(reason);
        }
    }

    pub(super) fn exceeded(&self, sample: &Sample) -> Option<KillReason> {
        if sample.oom_kills > 0 {
            Some(KillReason::Memory)
        } else if sample.forks_refused > self.limits.processes {
            Some(KillReason::Processes)
        } else if sample.cpu_user + sample.cpu_system > self.limits.cpu {
            Some(KillReason::CpuTime)
        } else {
            None
        }
    }

    /// The program is the job's own file and none that the kernel starts: the exit code that a shell gives
    /// (POSIX, "Exit Status for Commands").
    pub(super) fn could_not_execute(&self, errno: Errno, sample: &Sample) -> Evidence {
        let code = if errno == Errno::NOENT { 127 } else { 126 };
        Evidence {
            ending: Ending::Code(code),
            refused: Vec::new(),
            calls: Vec::new(),
            out_of_memory: sample.oom_kills > 0,
            forks_refused: sample.forks_refused,
            disk_full: self.disk_full,
            usage: Usage::default(),
            setup: Duration::ZERO,
        }
    }

    pub(super) fn evidence(&self, report: &Report, sample: &Sample) -> Evidence {
        let now = report.ended_at().unwrap_or_else(clock::now);
        let started = report.started().unwrap_or(now);
        let wall = now.saturating_sub(started);
        let over_time = sample.cpu_user + sample.cpu_system > self.limits.cpu;
        let ending = match (self.killed, report.ended()) {
            // A limit holds also if the program ended between two looks.
            (_, Some(Ended::Code(_))) if over_time => Ending::Killed(KillReason::CpuTime),
            (_, Some(Ended::Code(_))) if wall > nanos(self.limits.wall) => {
                Ending::Killed(KillReason::WallTime)
            }
            // Otherwise, what the program did by itself before our kill arrived stands.
            (_, Some(Ended::Code(code))) => Ending::Code(code),
            (_, Some(Ended::Signal(signal))) => Ending::Signal(signal),
            (_, Some(Ended::Refused(nr))) => Ending::Refused { nr },
            (Some(reason), None) => Ending::Killed(reason),
            (None, None) if sample.oom_kills > 0 => Ending::Killed(KillReason::Memory),
            (None, None) if self.disk_full && report.started().is_none() => {
                Ending::Killed(KillReason::Disk)
            }
            (None, None) => Ending::Vanished,
        };
        Evidence {
            ending,
            refused: report.refused(),
            calls: report.calls(),
            out_of_memory: sample.oom_kills > 0,
            forks_refused: sample.forks_refused,
            disk_full: self.disk_full,
            usage: Usage {
                wall: Duration::from_nanos(wall),
                cpu_user: sample.cpu_user,
                cpu_system: sample.cpu_system,
                memory_peak: sample.memory_peak,
                processes_peak: sample.processes_peak,
            },
            setup: Duration::from_nanos(started.saturating_sub(self.launched)),
        }
    }
}

/// Reaps the watched process if it has ended, and gives its exit code, or -1 for a signal. waitid(2)
/// on a pid namespace's init returns only when every process of the namespace is gone; and so is its pidfd readable,
/// by which one of a nursery is watched, for it has another parent.
pub(super) fn has_ended(cell: &Cell) -> Option<i32> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    match waitid(WaitId::PidFd(cell.pidfd.as_fd()), options) {
        Ok(None) | Err(Errno::INTR) => None,
        Ok(Some(status)) => Some(status.exit_status().unwrap_or(-1)),
        Err(_) => {
            let now = Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            let ended = poll(&mut [PollFd::new(&cell.pidfd, PollFlags::IN)], Some(&now));
            (ended != Ok(0)).then_some(-1)
        }
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
