//! How a cell is started that no template gives: cloned from the warden itself.
//!
//! Templates are started so, too, within their nursery's pid namespace, and what waits for a job that it was started
//! ahead of. Must never leave a child behind that is not the
//! slot's cell.

use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};

use nix::sched::{CloneFlags, setns};
use rustix::fs::{FileType, Gid, Uid};
use rustix::io::Errno;
use rustix::process::{WaitOptions, waitpid};

use super::cell::Cell;
use super::launch::Parcel;
use super::slot::{Host, Pending, Slot, cgroup_failed};
use super::{rlimits, workspace};
use crate::blueprint::{Blueprint, Without};
use crate::enter::{self, Entry, Identity};
use crate::report::{Failure, at};
use crate::step::Step;
use crate::sys::fds;
use crate::sys::fork::{Forked, exit_now, fork};

/// Why a job has no cell, and the job.
pub(super) type Refused = (Failure, Box<Pending>);

/// What a cell is made of, that runs.
struct Built {
    identity: Identity,
    pidfd: OwnedFd,
    workspace: OwnedFd,
}

impl Built {
    /// With the job that is in it.
    fn with(self, pending: Pending) -> Cell {
        let Parcel {
            launch,
            outputs,
            own_program,
            ..
        } = pending.parcel;
        Cell {
            ticket: pending.ticket,
            identity: self.identity,
            pidfd: self.pidfd,
            workspace: self.workspace,
            limits: launch.limits,
            launched: pending.launched,
            own_program,
            line: None,
            warm: false,
            begun: true,
            killed: None,
            disk_full: false,
            outputs: outputs.map(|pipe| (launch.outputs, launch.outputs_bytes, pipe)),
            spare: None,
            collecting: None,
        }
    }
}

impl Slot {
    /// Starts a cell; gives the job back if that fails.
    pub(super) fn launch(
        &mut self,
        pending: Pending,
        blueprint: &Blueprint,
        host: &Host,
    ) -> Result<(), Refused> {
        match self.build(&pending.parcel, blueprint, host) {
            Ok(built) => {
                self.cell = Some(built.with(pending));
                Ok(())
            }
            Err(failure) => Err((failure, Box::new(pending))),
        }
    }

    fn build(
        &mut self,
        parcel: &Parcel,
        blueprint: &Blueprint,
        host: &Host,
    ) -> Result<Built, Failure> {
        if self.cell.is_some() {
            return Err(at(Step::Check)(Errno::BUSY));
        }
        self.discard();
        let limits = parcel.launch.limits;
        self.report.reset();
        self.group
            .open(&limits, blueprint.cpus_milli)
            .map_err(cgroup_failed(Step::Cgroup))?;
        let identity = match blueprint.without.identity {
            false => self.identity,
            true => Identity::Own,
        };
        let workspace =
            workspace::make(&limits, blueprint, identity).map_err(at(Step::Workspace))?;
        lend_stdio(&parcel.stdio, identity).map_err(at(Step::Stdio))?;
        let pidfd = self.clone_cell(parcel, blueprint, host, &workspace, identity)?;
        Ok(Built {
            identity,
            pidfd,
            workspace,
        })
    }

    pub(super) fn clone_cell(
        &self,
        parcel: &Parcel,
        blueprint: &Blueprint,
        host: &Host,
        workspace: &OwnedFd,
        identity: Identity,
    ) -> Result<OwnedFd, Failure> {
        host.roots
            .enter(parcel.launch.blueprint)
            .map_err(at(Step::Mounts))?;
        let without = blueprint.without;
        let network = self.networks.of(blueprint);
        let way_in = match without.cgroup {
            false => self.group.way_in(),
            true => crate::cgroup::WayIn::None,
        };
        let stdio = [0, 1, 2].map(|at| parcel.stdio.get(at).map_or(-1, AsRawFd::as_raw_fd));
        let mut keep: Vec<RawFd> = vec![
            host.pidfd.as_raw_fd(),
            parcel.contents.as_raw_fd(),
            workspace.as_raw_fd(),
            network.as_raw_fd(),
        ];
        keep.extend(stdio);
        let template = parcel.template.as_ref();
        let library = template.map(|inside| inside.library.as_raw_fd());
        keep.extend(library);
        match &way_in {
            crate::cgroup::WayIn::Tasks(tasks) => keep.extend(tasks),
            crate::cgroup::WayIn::Born(folder) => keep.push(*folder),
            crate::cgroup::WayIn::None => {}
        }
        keep.sort_unstable();
        keep.dedup();
        let rlimits = match without.rlimits {
            false => rlimits::of(&parcel.launch.limits, blueprint.open_files, host.cgroup),
            true => Vec::new(),
        };
        let entry = Entry {
            report: &self.report,
            warden: host.pidfd.as_raw_fd(),
            stdio,
            contents: parcel.contents.as_raw_fd(),
            contents_offset: parcel.contents_offset,
            files: &parcel.launch.files,
            folders: &parcel.folders,
            workspace: workspace.as_raw_fd(),
            network: network.as_raw_fd(),
            rooted: false,
            reaches: blueprint.network,
            identity,
            rlimits: &rlimits,
            way_in: &way_in,
            filter: &blueprint.filter,
            landlock_abi: host.landlock_abi,
            exec_workdir: blueprint.exec_workdir,
            builds_env: blueprint.builds_env,
            without,
            image: Some(&parcel.image),
            library,
            summons: None,
            waits: template.is_some_and(|inside| inside.pids.is_none()),
            summoned: false,
            counted: &|| {},
            keep: &keep,
        };
        if let Some(pids) = template.and_then(|inside| inside.pids.as_ref()) {
            return clone_within(pids, &entry);
        }
        match fork(namespaces(&without), None).map_err(at(Step::Clone))? {
            Forked::Parent { pidfd, .. } => Ok(pidfd),
            Forked::Child => enter::enter(&entry),
        }
    }
}

/// Clones a cell into a pid namespace that is there. A process of its own enters that, for the warden's children shall
/// not be born there, and has its parent adopt the child (`CLONE_PARENT`); the table of descriptors is shared, so that
/// the pidfd is, too.
fn clone_within(pids: &OwnedFd, entry: &Entry<'_>) -> Result<OwnedFd, Failure> {
    let failed = at(Step::Clone);
    match fork(libc::CLONE_VFORK | libc::CLONE_FILES, None).map_err(&failed)? {
        Forked::Parent { pid, .. } => {
            while waitpid(Some(pid), WaitOptions::empty()).is_err_and(|error| error == Errno::INTR)
            {
            }
            match (entry.report.descriptor(), entry.report.failure()) {
                (Some(pidfd), None) => Ok(fds::own(pidfd)),
                (_, failure) => Err(failure.unwrap_or(failed(Errno::CHILD))),
            }
        }
        Forked::Child => {
            let flags = namespaces(&entry.without) | libc::CLONE_PARENT;
            let entered = setns(pids, CloneFlags::CLONE_NEWPID).map_err(enter::errno);
            match entered.and_then(|()| fork(flags, None)) {
                Ok(Forked::Child) => enter::enter(entry),
                Ok(Forked::Parent { pidfd, .. }) => {
                    entry.report.set_descriptor(pidfd.into_raw_fd());
                }
                Err(error) => entry.report.fail(failed(error)),
            }
            exit_now(0)
        }
    }
}

/// Gives the pipes to the job, which could not open `/dev/stdin` or `/proc/self/fd/1` by name otherwise:
/// the kernel looks at the owner then (proc(5)). Nothing but pipes is given away.
pub(super) fn lend_stdio(stdio: &[OwnedFd; 3], identity: Identity) -> Result<(), Errno> {
    let Some(id) = identity.owner() else {
        return Ok(());
    };
    for fd in stdio {
        if FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode) == FileType::Fifo {
            rustix::fs::fchown(fd, Some(Uid::from_raw(id)), Some(Gid::from_raw(id)))?;
        }
    }
    Ok(())
}

fn namespaces(without: &Without) -> i32 {
    [
        (libc::CLONE_NEWNS, false),
        (libc::CLONE_NEWPID, without.pid_namespace),
        (libc::CLONE_NEWIPC, without.ipc_namespace),
        (libc::CLONE_NEWUTS, without.uts_namespace),
    ]
    .into_iter()
    .filter(|(_, left_out)| !left_out)
    .fold(0, |flags, (flag, _)| flags | flag)
}
