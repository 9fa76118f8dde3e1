//! A cell that waits for its job: built from a template ahead of time, jailed, and of use to one job only.
//!
//! What is a job's own and known only when it comes (limits, streams, files) is set then. Must never give an order to
//! a process whose listener the cell's init does not hold.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use super::ahead;
use super::cell::Cell;
use super::launch::Parcel;
use super::nursery::Nursery;
use super::slot::{Host, Pending, Slot, cgroup_failed};
use super::start::lend_stdio;
use super::workspace;
use crate::blueprint::{Blueprint, Limits};
use crate::enter;
use crate::protocol;
use crate::report::{Failure, at};
use crate::step::Step;
use crate::sys::clock;
use crate::warm::{Order, Word};

/// A waiting cell, or one that is on its way to be.
pub(super) struct Standby {
    /// Which blueprint's job it can take.
    pub(super) blueprint: u16,
    /// Of the cell's init.
    pub(super) pidfd: OwnedFd,
    workspace: OwnedFd,
    /// To the process that waits in it.
    pub(super) line: OwnedFd,
    /// Whether that is jailed, and waits.
    pub(super) ready: bool,
    /// When it was begun.
    pub(super) since: u64,
    /// Bytes of its own: what they are taken to be, until it is ready and where no group counts them.
    memory: u64,
    /// How many it was at the most; 0 where no group counts them.
    processes: u64,
}

impl Standby {
    /// Bytes that it takes of the pool's budget.
    pub(super) fn needs(&self) -> u64 {
        self.memory
    }

    /// Whether it has used no more by itself than a job with these limits may.
    pub(super) fn takes(&self, limits: &Limits) -> bool {
        limits.processes >= self.processes && limits.memory >= self.memory
    }
}

/// What is offered to a slot.
pub(super) struct Offer<'a> {
    pub(super) number: u16,
    pub(super) blueprint: &'a Blueprint,
    /// Bytes that a cell of it is taken to need, until that is known.
    pub(super) needs: u64,
    pub(super) from: From<'a>,
}

/// Where a process comes from that will wait.
pub(super) enum From<'a> {
    Template {
        nursery: &'a Nursery,
        /// The template's control socket.
        control: &'a OwnedFd,
    },
    /// It is started, with this library in it.
    Ahead(&'a OwnedFd),
}

impl Slot {
    /// Begins a waiting cell in this slot, which must be empty.
    pub(super) fn prepare(&mut self, offer: &Offer<'_>, host: &Host) -> Result<(), Failure> {
        let blueprint = offer.blueprint;
        self.report.reset();
        self.group
            .open(&blueprint.ceilings, blueprint.cpus_milli)
            .map_err(cgroup_failed(Step::Cgroup))?;
        let workspace = workspace::make(&blueprint.ceilings, blueprint, self.identity)
            .map_err(at(Step::Workspace))?;
        let (ours, order) = pair()?;
        rustix::io::ioctl_fionbio(&ours, true).map_err(at(Step::Summon))?;
        let pidfd = match offer.from {
            From::Template { nursery, control } => {
                let (line, theirs) = pair()?;
                let tasks = self.group.tasks().map_err(cgroup_failed(Step::Cgroup))?;
                let beside = [&workspace, control, &line, &theirs, &order];
                let beside: Vec<_> = beside.into_iter().chain(&tasks).map(AsFd::as_fd).collect();
                nursery.bear(self.number, &beside)?
            }
            From::Ahead(library) => {
                let parcel = ahead::parcel(offer, library, &ours, order, host)?;
                self.clone_cell(&parcel, blueprint, host, &workspace, self.identity)?
            }
        };
        self.standby = Some(Standby {
            blueprint: offer.number,
            pidfd,
            workspace,
            line: ours,
            ready: false,
            since: clock::now(),
            memory: offer.needs,
            processes: 0,
        });
        Ok(())
    }

    /// Looks whether the waiting cell has become ready, or can't. `None`: nothing new.
    pub(super) fn turn_standby(&mut self) -> Option<Result<(), Failure>> {
        let standby = self.standby.as_mut()?;
        match said(&standby.line) {
            Some(Some(Word::Ready)) => {
                standby.ready = true;
                // Only a measure for the budget: without it the guess stands.
                let sample = self.group.sample().unwrap_or_default();
                standby.processes = sample.processes_peak;
                if sample.memory_peak > 0 {
                    standby.memory = sample.memory_peak;
                }
                Some(Ok(()))
            }
            Some(Some(Word::Begun)) => Some(Err(at(Step::Summon)(Errno::BADMSG))),
            Some(Some(Word::Failed { step, errno })) => Some(Err(Failure {
                step,
                errno: Errno::from_raw_os_error(errno),
            })),
            Some(None) => {
                let failure = self.report.failure();
                Some(Err(failure.unwrap_or(at(Step::Summon)(Errno::CHILD))))
            }
            None => None,
        }
    }

    /// Gives the waiting cell its job; gives it back if that fails.
    pub(super) fn order(&mut self, pending: Pending) -> Result<(), Box<Pending>> {
        let Some(standby) = self.standby.take() else {
            return Err(Box::new(pending));
        };
        if self.give(&standby, &pending.parcel).is_err() {
            self.standby = Some(standby);
            return Err(Box::new(pending));
        }
        self.cell = Some(Cell {
            ticket: pending.ticket,
            identity: self.identity,
            pidfd: standby.pidfd,
            workspace: standby.workspace,
            limits: pending.parcel.launch.limits,
            launched: pending.launched,
            own_program: false,
            line: Some(standby.line),
            warm: true,
            begun: false,
            killed: None,
            disk_full: false,
            outputs: None,
            spare: Some(Box::new(pending)),
            collecting: None,
        });
        Ok(())
    }

    fn give(&mut self, standby: &Standby, parcel: &Parcel) -> Result<(), Failure> {
        let limits = &parcel.launch.limits;
        // Such a job is to fail at its start, and not to be spared that.
        if !standby.takes(limits) {
            return Err(at(Step::Cgroup)(Errno::BUSY));
        }
        self.group
            .adjust(limits)
            .map_err(cgroup_failed(Step::Cgroup))?;
        workspace::resize(&standby.workspace, limits.disk).map_err(at(Step::Workspace))?;
        lend_stdio(&parcel.stdio, self.identity).map_err(at(Step::Stdio))?;
        let [stdin, stdout, stderr] = &parcel.stdio;
        let order = Order {
            launch_bytes: parcel.contents_offset,
        };
        let beside = [stdin, stdout, stderr, &parcel.contents].map(AsFd::as_fd);
        // The clock of the job starts here: all that is done from now on is done for it.
        self.report.mark_started(clock::now());
        protocol::send(standby.line.as_fd(), &order, &beside)
            .map_err(|error| at(Step::Summon)(enter::errno(error)))
    }

    /// Ends the waiting cell, and waits until nothing of it is left.
    pub(super) fn discard(&mut self) {
        let Some(standby) = self.standby.take() else {
            return;
        };
        // It has ended already if this fails.
        pidfd_send_signal(&standby.pidfd, Signal::KILL).unwrap_or_default();
        wait_for(&standby.pidfd);
        // Opened anew for whatever comes next, which fails there if it can't be.
        self.group.close().unwrap_or_default();
    }
}

fn pair() -> Result<(OwnedFd, OwnedFd), Failure> {
    protocol::pair().map_err(|error| at(Step::Summon)(enter::errno(error)))
}

/// Waits for the end of a cell, and reaps it unless another process does, whose child it is.
fn wait_for(pidfd: &OwnedFd) {
    let gone = WaitId::PidFd(pidfd.as_fd());
    while waitid(gone.clone(), WaitIdOptions::EXITED).is_err_and(|e| e == Errno::INTR) {}
    while poll(&mut [PollFd::new(pidfd, PollFlags::IN)], None).is_err_and(|e| e == Errno::INTR) {}
}

/// The next word on a line that does not block: none yet, one, or the end of it.
pub(super) fn said(line: &OwnedFd) -> Option<Option<Word>> {
    match protocol::receive_short(line.as_fd()) {
        Ok(Some((word, _))) => Some(Some(word)),
        Err(nix::Error::EAGAIN | nix::Error::EINTR) => None,
        Ok(None) | Err(_) => Some(None),
    }
}
