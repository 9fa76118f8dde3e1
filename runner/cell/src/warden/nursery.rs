//! The nursery of a template: the user namespace and the pid namespace that its cells are in, and the process that makes
//! their inits there.
//!
//! A template has no power. Its uid owns the user namespace, which gives it the power to send a child into cells that
//! are in it (user_namespaces(7)), and over nothing else; so the cells have to be in it with all their namespaces. And
//! since a process can enter only pid namespaces that are within its own (setns(2)), the template is in the nursery's,
//! too; it comes and goes there, while the cells stay. Must be made before the warden leaves the host's tree, and must
//! never map an id but those of init and of the slots' jobs.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sched::{CloneFlags, unshare};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{
    Gid, Pid, Signal, Uid, WaitId, WaitIdOptions, WaitOptions, pidfd_send_signal, waitid, waitpid,
};
use rustix::thread::{
    CapabilitySet, capabilities, set_capabilities, set_keep_capabilities, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};

use super::nurse::{self, Born, Site};
use super::root::{self, Broken};
use crate::enter::{Identity, errno};
use crate::protocol;
use crate::report::{Failure, at};
use crate::step::Step;
use crate::sys::fork::{Forked, exit_now, fork};

/// The warden's side of a nursery.
pub(super) struct Nursery {
    /// The user namespace, and a mount namespace with the root of its cells: all that a nurse is made of. They can be
    /// made before the warden has left the host's tree only.
    users: OwnedFd,
    mounts: OwnedFd,
    nurse: Option<Nurse>,
}

/// The process that makes the cells' inits. It is process 1 of the nursery's pid namespace: all that is in there ends
/// with it.
struct Nurse {
    socket: OwnedFd,
    process: OwnedFd,
    /// The pid namespace that the template belongs in.
    pids: OwnedFd,
}

impl Nursery {
    /// Makes one for the template with the id `owner`, or says why there can be none.
    pub(super) fn make(site: &Site<'_>, owner: u32) -> Result<Nursery, String> {
        let users = user_namespace(site.identities, owner)?;
        let mounts = root::build_one(site.blueprint, site.identities, true).map_err(
            |Broken { what, path, cause }| format!("{what} {}: {cause}", path.display()),
        )?;
        let mut nursery = Nursery {
            users,
            mounts,
            nurse: None,
        };
        nursery.revive(site)?;
        Ok(nursery)
    }

    /// Makes a new nurse if the one that was there is gone, or says why there can be none.
    pub(super) fn revive(&mut self, site: &Site<'_>) -> Result<(), String> {
        if !self.nurse.as_ref().is_some_and(Nurse::lives) {
            // It ends for good before the next begins.
            self.nurse = None;
            self.nurse = Some(Nurse::make(site, &self.users, &self.mounts)?);
        }
        Ok(())
    }

    /// The pid namespace that the template belongs in.
    pub(super) fn pids(&self) -> Result<&OwnedFd, Failure> {
        let nurse = self.nurse.as_ref().ok_or(at(Step::Clone)(Errno::PIPE))?;
        Ok(&nurse.pids)
    }

    /// Has a cell's init made for this slot; `beside` is what that takes along. Gives its pidfd.
    pub(super) fn bear(&self, slot: u16, beside: &[BorrowedFd<'_>]) -> Result<OwnedFd, Failure> {
        let nurse = self.nurse.as_ref().ok_or(at(Step::Clone)(Errno::PIPE))?;
        nurse.bear(slot, beside)
    }
}

impl Nurse {
    fn make(site: &Site<'_>, users: &OwnedFd, mounts: &OwnedFd) -> Result<Nurse, String> {
        let text = |error: rustix::io::Errno| error.to_string();
        let (socket, theirs) = protocol::pair().map_err(|error| error.to_string())?;
        let process = match fork(libc::CLONE_NEWPID, None).map_err(text)? {
            Forked::Parent { pidfd, .. } => pidfd,
            Forked::Child => nurse::run(site, users, mounts, &theirs),
        };
        drop(theirs);
        let made = match protocol::receive::<Result<(), String>>(socket.as_fd()) {
            Ok(Some((Ok(()), mut beside))) => {
                beside.pop().ok_or("it has no pid namespace".to_owned())
            }
            Ok(Some((Err(reason), _))) => Err(reason),
            Ok(None) | Err(_) => Err("the nursery's process has ended".to_owned()),
        };
        match made {
            Ok(pids) => Ok(Nurse {
                socket,
                process,
                pids,
            }),
            Err(reason) => {
                end(&process);
                Err(reason)
            }
        }
    }

    /// Whether it is there to be asked. Its end of the socket closes first of all when it ends.
    fn lives(&self) -> bool {
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut polled = [PollFd::new(&self.socket, PollFlags::empty())];
        matches!(poll(&mut polled, Some(&now)), Ok(0))
    }

    fn bear(&self, slot: u16, beside: &[BorrowedFd<'_>]) -> Result<OwnedFd, Failure> {
        let failed = at(Step::Clone);
        protocol::send(self.socket.as_fd(), &slot, beside).map_err(|error| failed(errno(error)))?;
        loop {
            match protocol::receive_short(self.socket.as_fd()) {
                Ok(Some((Born::Alive, mut beside))) => {
                    return beside.pop().ok_or(failed(Errno::BADMSG));
                }
                Ok(Some((Born::Failed(number), _))) => {
                    return Err(failed(Errno::from_raw_os_error(number)));
                }
                Err(nix::Error::EINTR) => {}
                Ok(None) | Err(_) => return Err(failed(Errno::PIPE)),
            }
        }
    }
}

impl Drop for Nurse {
    fn drop(&mut self) {
        end(&self.process);
    }
}

/// Ends the nursery with all that is in it.
fn end(process: &OwnedFd) {
    // It has ended already if this fails.
    pidfd_send_signal(process, Signal::KILL).unwrap_or_default();
    let gone = WaitId::PidFd(process.as_fd());
    while waitid(gone.clone(), WaitIdOptions::EXITED).is_err_and(|error| error == Errno::INTR) {}
}

/// A user namespace that `owner` owns, with the ids of the cells in it as they are outside.
fn user_namespace(identities: &[Identity], owner: u32) -> Result<OwnedFd, String> {
    let (ours, theirs) = protocol::pair().map_err(|error| error.to_string())?;
    let child = match fork(0, None).map_err(|error| error.to_string())? {
        Forked::Parent { pid, .. } => pid,
        Forked::Child => {
            drop(ours);
            exit_now(i32::from(own_user_namespace(owner, &theirs).is_err()))
        }
    };
    drop(theirs);
    let namespace = protocol::receive_short::<u8>(ours.as_fd());
    let made = match namespace
        .ok()
        .flatten()
        .and_then(|(_, mut beside)| beside.pop())
    {
        Some(namespace) => map_ids(child, identities).map(|()| namespace),
        None => Err(
            "a user namespace can't be made: raise user.max_user_namespaces, or choose ids that \
             exist here with GLOVEBOX_UID_BASE"
                .to_owned(),
        ),
    };
    drop(ours);
    bury(child);
    made
}

/// In a process of its own: makes the namespace as `owner`, with the capabilities that this takes where the host does
/// not let everybody make one, hands it over, and stays until the line closes. Whoever has another uid would need
/// CAP_SYS_PTRACE to open it (namespaces(7)), which a hardened service has not.
fn own_user_namespace(owner: u32, line: &OwnedFd) -> Result<(), Errno> {
    set_keep_capabilities(true)?;
    set_thread_groups(&[])?;
    let (gid, uid) = (Gid::from_raw(owner), Uid::from_raw(owner));
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    let mut sets = capabilities(None)?;
    sets.effective = sets.permitted & CapabilitySet::SYS_ADMIN;
    set_capabilities(None, sets)?;
    unshare(CloneFlags::CLONE_NEWUSER).map_err(errno)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let namespace = rustix::fs::open(c"/proc/self/ns/user", flags, Mode::empty())?;
    protocol::send(line.as_fd(), &0u8, &[namespace.as_fd()]).map_err(errno)?;
    rustix::io::read(line, &mut [0u8; 1]).map(drop)
}

fn map_ids(child: Pid, identities: &[Identity]) -> Result<(), String> {
    let mut ids: Vec<u32> = identities
        .iter()
        .flat_map(|identity| match identity {
            Identity::Host { init, job } => vec![*init, *job],
            Identity::Own => Vec::new(),
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let lines: String = runs(&ids)
        .into_iter()
        .map(|(first, count)| format!("{first} {first} {count}\n"))
        .collect();
    for file in ["uid_map", "gid_map"] {
        let path = format!("/proc/{}/{file}", child.as_raw_pid());
        std::fs::write(&path, &lines).map_err(|error| format!("writing {path}: {error}"))?;
    }
    Ok(())
}

/// Numbers that follow one another, as first and count: a map has few lines (user_namespaces(7)).
fn runs(sorted: &[u32]) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for id in sorted {
        match runs.last_mut() {
            Some((first, count)) if *first + *count == *id => *count += 1,
            _ => runs.push((*id, 1)),
        }
    }
    runs
}

fn bury(child: Pid) {
    // ECHILD: it is buried already.
    while waitpid(Some(child), WaitOptions::empty()).is_err_and(|error| error == Errno::INTR) {}
}

#[cfg(test)]
mod tests {
    use super::runs;

    #[test]
    fn neighbours_share_a_line() {
        assert_eq!(runs(&[5, 7, 8, 9, 20]), [(5, 1), (7, 3), (20, 1)]);
        assert_eq!(runs(&[]), []);
    }
}
