//! The process of a nursery: it makes the inits of cells, within namespaces that the warden is not in.
//!
//! The warden's twin, but with power over its own user namespace only. It reads nothing but the warden's orders. Must
//! never hold a descriptor longer than it takes to make a cell of it.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::rc::Rc;

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{SigSet, Signal as Number};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use rustix::process::{DumpableBehavior, Signal, WaitOptions, wait};
use serde::{Deserialize, Serialize};

use super::power;
use super::root::{self, Broken, attach, clone_tree, leave_host, open_path};
use crate::blueprint::{Blueprint, Without};
use crate::cgroup::WayIn;
use crate::enter::{self, Entry, Identity, ROOT};
use crate::protocol;
use crate::report::Report;
use crate::sys::fds::close_all_but;
use crate::sys::fork::{Forked, exit_now, fork};
use crate::sys::page::SharedPage;
use crate::warm::Summons;

/// What a nursery is made of.
pub(super) struct Site<'a> {
    pub(super) blueprint: &'a Blueprint,
    /// Of the slots, one each.
    pub(super) identities: &'a [Identity],
    /// Of the slots, one each. Shared with the warden, since they were there before this process.
    pub(super) reports: &'a [Rc<SharedPage<Report>>],
    /// The warden's own pidfd.
    pub(super) warden: &'a OwnedFd,
    pub(super) landlock_abi: u32,
}

/// What came of an order.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Born {
    /// Beside it: the init's pidfd.
    Alive,
    /// The errno of cloning it.
    Failed(i32),
}

/// What the warden sends beside an order, in this order, and then the groups' files.
const WORKSPACE: usize = 0;
const TEMPLATE: usize = 1;
const LINE: usize = 2;
const THEIRS: usize = 3;
const ORDER: usize = 4;
const TASKS: usize = 5;

/// What the nursery made of its own.
struct Rooms {
    networks: Vec<OwnedFd>,
}

/// Runs in the new process, which is process 1 of its pid namespace, until the warden is gone.
pub(super) fn run(site: &Site<'_>, users: &OwnedFd, mounts: &OwnedFd, socket: &OwnedFd) -> ! {
    match furnish(site, users, mounts) {
        Ok((rooms, pids)) => {
            let said: Result<(), String> = Ok(());
            if protocol::send(socket.as_fd(), &said, &[pids.as_fd()]).is_ok() {
                drop(pids);
                // The warden is gone, or something of ours is broken: then so is what depends on it.
                serve(site, &rooms, socket).unwrap_or_default();
            }
        }
        Err(Broken { what, path, cause }) => {
            let said: Result<(), String> = Err(format!("{what} {}: {cause}", path.display()));
            protocol::send(socket.as_fd(), &said, &[]).unwrap_or_default();
        }
    }
    exit_now(1)
}

/// Goes where the root is, makes the networks, and gives up all power over the host.
fn furnish(site: &Site<'_>, users: &OwnedFd, mounts: &OwnedFd) -> Result<(Rooms, OwnedFd), Broken> {
    let root = Path::new(ROOT.to_str().unwrap_or_default());
    let broken = |what: &'static str, cause: &dyn std::fmt::Display| Broken {
        what,
        path: root.to_owned(),
        cause: cause.to_string(),
    };
    rustix::thread::set_name(c"glovebox-nurse").unwrap_or_default();
    let own = |path: &str| {
        let file = File::open(path).map(OwnedFd::from);
        file.map_err(|error| broken("opening the namespaces of", &error))
    };
    let leave = |flags, what| unshare(flags).map_err(|error| broken(what, &error));
    root::enter(mounts, "entering the mounts of a nursery")?;
    let pids = own("/proc/self/ns/pid")?;
    leave(
        CloneFlags::CLONE_NEWNS,
        "leaving to the warden the mounts of",
    )?;
    // Linux lets a user namespace mount a new /proc only where an unmasked one is in sight; each cell's covers this one,
    // which shows what is in the nursery and nothing else.
    let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount(c"proc", root.join("proc"), c"proc", safe, None)
        .map_err(|error| broken("mounting /proc in", &error))?;
    setns(users, CloneFlags::CLONE_NEWUSER)
        .map_err(|error| broken("entering the user namespace of", &error))?;
    // All mounts are locked in this copy, since another user namespace made them, and a locked one can't become the
    // root. A copy of it can, and its parts stay locked.
    leave(CloneFlags::CLONE_NEWNS, "copying the mounts of")?;
    attach(&clone_tree(&open_path(root)?, root, 0)?, root)?;
    // Here and not by each cell: every one that is cloned has it for its root then.
    std::env::set_current_dir(root).map_err(|error| broken("entering", &error))?;
    leave_host(root)?;
    let mut networks = Vec::new();
    for _ in site.identities {
        leave(CloneFlags::CLONE_NEWNET, "making a network for")?;
        networks.push(own("/proc/self/ns/net")?);
    }
    // Joining the user namespace has filled the bounding set for what is in it; nothing here ever executes anything.
    enter::drop_bounding_set().map_err(|error| broken("lessening the power over", &error))?;
    // The change of user namespace has set this back. A warden that ended before is seen as the end of its socket.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| broken("tying to the warden what makes", &error))?;
    // As could this, by the host's settings: whoever has its user namespace could trace it then.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| broken("closing to others the memory of", &error))?;
    power::block_signals().map_err(|error| broken("blocking signals for", &error))?;
    Ok((Rooms { networks }, pids))
}

fn serve(site: &Site<'_>, rooms: &Rooms, socket: &OwnedFd) -> Result<(), Errno> {
    let mut keep: Vec<RawFd> = rooms.networks.iter().map(AsRawFd::as_raw_fd).collect();
    keep.extend([socket.as_raw_fd(), site.warden.as_raw_fd()]);
    keep.sort_unstable();
    close_all_but(&keep)?;
    let mut mask = SigSet::empty();
    mask.add(Number::SIGCHLD);
    let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
    let children = SignalFd::with_flags(&mask, flags).map_err(enter::errno)?;
    loop {
        let fd = children.as_fd();
        let mut fds = [
            PollFd::new(socket, PollFlags::IN),
            PollFd::new(&fd, PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        let [order, ended] = fds.map(|fd| !fd.revents().is_empty());
        if ended {
            children.read_signal().map_err(enter::errno)?;
            // The warden watches the inits by their pidfds; and here end those who lost their parents, too.
            while matches!(wait(WaitOptions::NOHANG), Ok(Some(_))) {}
        }
        if order {
            let (slot, beside) = protocol::receive_short::<u16>(socket.as_fd())
                .map_err(enter::errno)?
                .ok_or(Errno::PIPE)?;
            let answer = match bear(site, rooms, slot, &beside) {
                Ok(pidfd) => protocol::send(socket.as_fd(), &Born::Alive, &[pidfd.as_fd()]),
                Err(error) => {
                    protocol::send(socket.as_fd(), &Born::Failed(error.raw_os_error()), &[])
                }
            };
            answer.map_err(enter::errno)?;
        }
    }
}

/// Clones the init of a cell that waits.
fn bear(site: &Site<'_>, rooms: &Rooms, slot: u16, beside: &[OwnedFd]) -> Result<OwnedFd, Errno> {
    let at = usize::from(slot);
    let (Some(report), Some(identity), Some(network)) = (
        site.reports.get(at),
        site.identities.get(at),
        rooms.networks.get(at),
    ) else {
        return Err(Errno::INVAL);
    };
    let fds: Vec<RawFd> = beside.iter().map(AsRawFd::as_raw_fd).collect();
    let [workspace, template, line, theirs, order] =
        [WORKSPACE, TEMPLATE, LINE, THEIRS, ORDER].map(|at| fds.get(at).copied().unwrap_or(-1));
    let (warden, network) = (site.warden.as_raw_fd(), network.as_raw_fd());
    let mut keep = fds.clone();
    keep.extend([warden, network]);
    keep.sort_unstable();
    let entry = Entry {
        report,
        warden,
        stdio: [-1; 3],
        contents: -1,
        contents_offset: 0,
        files: &[],
        folders: &[],
        workspace,
        network,
        rooted: true,
        identity: *identity,
        rlimits: &[],
        way_in: &WayIn::None,
        filter: &site.blueprint.filter,
        reaches: site.blueprint.network,
        landlock_abi: site.landlock_abi,
        exec_workdir: site.blueprint.exec_workdir,
        builds_env: false,
        without: Without::default(),
        image: None,
        library: None,
        summons: Some(Summons {
            template,
            line,
            theirs,
            order,
            tasks: fds.get(TASKS..).ok_or(Errno::INVAL)?,
        }),
        waits: true,
        summoned: false,
        counted: &|| {},
        keep: &keep,
    };
    let flags = libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    match fork(flags, None)? {
        Forked::Parent { pidfd, .. } => Ok(pidfd),
        Forked::Child => enter::enter(&entry),
    }
}
