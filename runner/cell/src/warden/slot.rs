//! A slot: what a job can't soil and the next one may use, and the cell that is in it now.
//!
//! The empty network namespace, the uid and the cgroup are a slot's; one with doors, the tmpfs, the mounts, the processes
//! and the ipc are a cell's and end with it. Must never hold more than one cell.

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use super::cell::{Cell, has_ended, nanos};
use super::launch::Parcel;
use super::network::Networks;
use super::nurse::Site;
use super::root::Roots;
use super::standby::Standby;
use super::{collect, workspace};
use crate::blueprint::{Blueprint, Network};
use crate::cgroup::Group;
use crate::enter::Identity;
use crate::evidence::KillReason;
use crate::protocol::Event;
use crate::report::{Failure, Report, at};
use crate::step::Step;
use crate::sys::clock;
use crate::sys::page::SharedPage;

/// How long collecting output files may take.
const COLLECT_PATIENCE: Duration = Duration::from_secs(30);

/// What is the same for all slots.
pub(super) struct Host {
    /// The warden's own pidfd.
    pub(super) pidfd: OwnedFd,
    pub(super) roots: Roots,
    pub(super) landlock_abi: u32,
    pub(super) cgroup: bool,
    /// One a slot, by its number.
    pub(super) identities: Vec<Identity>,
    pub(super) reports: Vec<Rc<SharedPage<Report>>>,
}

impl Host {
    /// For the nursery of a blueprint's cells.
    pub(super) fn site<'a>(&'a self, blueprint: &'a Blueprint) -> Site<'a> {
        Site {
            blueprint,
            identities: &self.identities,
            reports: &self.reports,
            warden: &self.pidfd,
            landlock_abi: self.landlock_abi,
        }
    }
}

/// One place for a cell.
pub(super) struct Slot {
    pub(super) number: u16,
    pub(super) identity: Identity,
    pub(super) networks: Networks,
    pub(super) group: Box<dyn Group>,
    pub(super) report: Rc<SharedPage<Report>>,
    pub(super) cell: Option<Cell>,
    /// Instead of a cell: one that waits for its job.
    pub(super) standby: Option<Standby>,
    /// The job that waits for it.
    pub(super) pending: Option<Pending>,
    /// The kind of cell that it had last of those that can be had warm.
    pub(super) last: Option<u16>,
    /// When that was.
    pub(super) used: u64,
    /// Until when nothing is prepared here, since that has failed.
    pub(super) resting: u64,
    /// Why the job that is pending got its order from a template in vain.
    pub(super) lost: Option<Failure>,
}

/// A job on its way into a cell.
pub(super) struct Pending {
    pub(super) ticket: u64,
    pub(super) parcel: Parcel,
    /// When it came.
    pub(super) launched: u64,
    /// Why its cell is to end as soon as there is one.
    pub(super) killed: Option<KillReason>,
}

impl Slot {
    pub(super) fn new(
        number: u16,
        identity: Identity,
        networks: Networks,
        group: Box<dyn Group>,
        report: Rc<SharedPage<Report>>,
    ) -> Slot {
        Slot {
            number,
            identity,
            networks,
            group,
            report,
            cell: None,
            standby: None,
            pending: None,
            last: None,
            used: 0,
            resting: 0,
            lost: None,
        }
    }

    /// What becomes readable when something has ended here.
    pub(super) fn watched(&self) -> impl Iterator<Item = &OwnedFd> {
        let cell = self.cell.iter();
        let cell = cell.flat_map(|cell| std::iter::once(&cell.pidfd).chain(&cell.line));
        cell.chain(self.standby.iter().map(|standby| &standby.line))
    }

    /// The sockets that the next cell will find on its loopback, if it is to find any.
    pub(super) fn doors(&mut self, blueprint: &Blueprint) -> Result<Option<[OwnedFd; 2]>, Failure> {
        if self.cell.is_some() {
            return Err(at(Step::Check)(Errno::BUSY));
        }
        match blueprint.network {
            Network::Nothing => Ok(None),
            Network::Doors => self.networks.doors().map(Some).map_err(at(Step::Network)),
        }
    }

    /// Bytes that its cell has used at the most; 0 if that can't be said.
    pub(super) fn memory(&mut self) -> u64 {
        self.group.sample().map_or(0, |sample| sample.memory_peak)
    }

    /// Whether something runs here that has limits of time.
    pub(super) fn is_busy(&self) -> bool {
        self.cell.is_some() || self.standby.as_ref().is_some_and(|standby| !standby.ready)
    }

    /// Whether nothing runs here, nothing waits to, and something may be prepared.
    pub(super) fn is_idle(&self) -> bool {
        self.cell.is_none() && self.pending.is_none() && self.resting <= clock::now()
    }

    /// Ends the cell if it is the one meant. One that is dead already is only waited for.
    pub(super) fn kill(&mut self, ticket: u64, reason: KillReason) {
        if let Some(pending) = self.pending.as_mut().filter(|one| one.ticket == ticket) {
            pending.killed.get_or_insert(reason);
        }
        let meant = |cell: &&mut Cell| cell.ticket == ticket && cell.collecting.is_none();
        if let Some(cell) = self.cell.as_mut().filter(meant) {
            cell.kill(reason);
        }
    }

    /// Ends the cell, whichever it is.
    pub(super) fn end(&mut self, reason: KillReason) {
        let cell = self.cell.as_ref().map(|cell| cell.ticket);
        if let Some(ticket) = cell.or(self.pending.as_ref().map(|one| one.ticket)) {
            self.kill(ticket, reason);
        }
    }

    /// Ends the cell without a word of it, and waits for that.
    pub(super) fn end_now(&mut self) {
        if let Some(cell) = self.cell.take() {
            // It has ended already if this fails.
            pidfd_send_signal(&cell.pidfd, Signal::KILL).unwrap_or_default();
            while waitid(WaitId::PidFd(cell.pidfd.as_fd()), WaitIdOptions::EXITED)
                .is_err_and(|error| error == Errno::INTR)
            {}
        }
    }

    /// Looks at the cell: its end, the end of the collector, and, if it is time for that, its limits.
    /// Gives what is to be told.
    pub(super) fn turn(&mut self, look: bool) -> Option<Event> {
        let ended = has_ended(self.cell.as_ref()?);
        let cell = self.cell.as_mut()?;
        cell.hear(&self.report);
        if cell.collecting.is_some() {
            return self.turn_collecting(ended);
        }
        if ended.is_none() {
            if look {
                cell.look_at_clock(&self.report);
                match self.group.sample() {
                    Ok(sample) => cell.look(&sample),
                    // Without its counters a cell has no limits.
                    Err(_) => cell.kill(KillReason::Unaccounted),
                }
            }
            return None;
        }
        self.finish()
    }

    fn turn_collecting(&mut self, ended: Option<i32>) -> Option<Event> {
        let cell = self.cell.as_mut()?;
        let (_, since) = cell.collecting.as_ref()?;
        let Some(code) = ended else {
            if clock::now().saturating_sub(*since) > nanos(COLLECT_PATIENCE) {
                // It has ended if this fails, and the next turn sees it.
                pidfd_send_signal(&cell.pidfd, Signal::KILL).unwrap_or_default();
            }
            return None;
        };
        let cell = self.cell.take()?;
        let (evidence, _) = cell.collecting?;
        if code != 0 {
            return Some(failed(cell.ticket, at(Step::Collect)(Errno::IO)));
        }
        Some(Event::Ended {
            ticket: cell.ticket,
            evidence,
            warm: cell.warm,
        })
    }

    /// Nothing of the job has run. One whose order was in vain is pending again, unless its files are why.
    fn lose(&mut self, cell: Cell, failure: Failure) -> Option<Event> {
        if cell.spare.is_none() || failure.step == Step::Files {
            return Some(failed(cell.ticket, failure));
        }
        self.pending = cell.spare.map(|spare| *spare);
        self.lost = Some(failure);
        None
    }

    /// The cell is dead: account, clean, and tell, or collect its files first.
    fn finish(&mut self) -> Option<Event> {
        let sample = self.group.sample();
        let closed = self.group.close();
        let mut cell = self.cell.take()?;
        let (ticket, warm) = (cell.ticket, cell.warm);
        let sample = match (sample, closed) {
            (Ok(sample), Ok(())) => sample,
            (Err(error), _) | (_, Err(error)) => {
                return Some(failed(ticket, cgroup_failed(Step::Account)(error)));
            }
        };
        cell.disk_full |= workspace::is_full(&cell.workspace);
        match cell.killed {
            Some(KillReason::NeverStarted) => {
                return Some(failed(ticket, at(Step::Alive)(Errno::TIMEDOUT)));
            }
            Some(KillReason::Unaccounted) => {
                return Some(failed(ticket, at(Step::Account)(Errno::IO)));
            }
            _ => {}
        }
        if let Some(failure) = self.report.failure()
            && cell.killed.is_none()
            && sample.oom_kills == 0
        {
            if failure.step == Step::Exec && cell.own_program {
                let evidence = cell.could_not_execute(failure.errno, &sample);
                return Some(Event::Ended {
                    ticket,
                    evidence,
                    warm,
                });
            }
            if !is_job_too_large(&failure) {
                return self.lose(cell, failure);
            }
            cell.disk_full = true;
        }
        if cell.was_lost(&sample) && self.report.failure().is_none() {
            return self.lose(cell, at(Step::Summon)(Errno::CHILD));
        }
        let evidence = cell.evidence(&self.report, &sample);
        match cell.outputs.take() {
            Some((globs, most, pipe)) if self.report.started().is_some() => {
                match collect::start(&cell.workspace, cell.identity, &globs, most, &pipe) {
                    Ok(pidfd) => {
                        cell.pidfd = pidfd;
                        cell.collecting = Some((evidence, clock::now()));
                        self.cell = Some(cell);
                        None
                    }
                    Err(failure) => Some(failed(ticket, failure)),
                }
            }
            _ => Some(Event::Ended {
                ticket,
                evidence,
                warm,
            }),
        }
    }
}

/// Files that did not fit are the job's matter, not a fault of the host.
fn is_job_too_large(failure: &Failure) -> bool {
    failure.step == Step::Files && matches!(failure.errno, Errno::NOSPC | Errno::FBIG)
}

fn failed(ticket: u64, failure: Failure) -> Event {
    failure.event(ticket)
}

pub(super) fn cgroup_failed(step: Step) -> impl Fn(crate::cgroup::CgroupError) -> Failure {
    move |error| Failure {
        step,
        errno: Errno::from_raw_os_error(error.source.raw_os_error().unwrap_or(libc::EIO)),
    }
}
