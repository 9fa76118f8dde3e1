//! Where the warden's power comes from, and how it is cut down to what cells need.
//!
//! As root it keeps a handful of capabilities; as an ordinary user it gets them in a user namespace
//! of its own. Must run before anything of a job is read.

use std::fs;
use std::ops::Range;
use std::os::fd::OwnedFd;

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal};
use rustix::process::{DumpableBehavior, PidfdFlags};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::Unable;
use crate::enter::{Identity, OWN_ID, drop_bounding_set};
use crate::sys::signals;

/// Ids that one warden uses: its runner's, its inits', and one a slot.
const IDS_EACH: u32 = 1024;
/// Start of a range that nobody hands out: systemd's table "Users, Groups, UIDs and GIDs" lists
/// 1879048192 to 2147352575 as unused.
const UNUSED_IDS: u32 = 1_879_048_192;
/// The first template's id, counted from the base.
const FIRST_TEMPLATE: u32 = 2;
/// The first slot's id, counted from the base.
const FIRST_SLOT: u32 = 16;
/// The most slots that a warden has ids for.
const MOST_SLOTS: u32 = IDS_EACH - FIRST_SLOT;

/// What the warden may do and as whom its cells run.
pub(crate) struct Power {
    /// One a slot.
    pub(crate) identities: Vec<Identity>,
    /// One a template, as far as there are ids for them.
    pub(crate) templates: Vec<Identity>,
}

/// The first id of the warden started by process `pid`: a block of their own for each, so that two
/// instances on one host do not share a uid unless their pids are a multiple of 65,536 apart. Where a
/// user namespace does not have those ids (a container), the last block that it has.
pub(crate) fn id_base(configured: Option<u32>, pid: u32) -> u32 {
    let preferred = configured.unwrap_or(UNUSED_IDS + pid % 65_536 * IDS_EACH);
    let ranges = mapped_ids();
    if configured.is_some() || ranges.iter().any(|ids| has_block(ids, preferred)) {
        return preferred;
    }
    ranges
        .iter()
        .filter_map(|ids| ids.end.checked_sub(IDS_EACH))
        .filter(|base| ranges.iter().any(|ids| has_block(ids, *base)))
        .max()
        .unwrap_or(preferred)
}

/// The uid and gid that the worker beneath this process has, or will have: `None` if it keeps this
/// process's own. For folders that it is to write to.
#[must_use]
pub fn worker_id(configured: Option<u32>) -> Option<u32> {
    is_privileged().then(|| id_base(configured, std::process::id()))
}

fn has_block(ids: &Range<u32>, base: u32) -> bool {
    base >= 1000 && ids.contains(&base) && ids.end - base >= IDS_EACH
}

/// The ids that exist in this user namespace (user_namespaces(7), uid_map).
fn mapped_ids() -> Vec<Range<u32>> {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.lines()
        .filter_map(|line| {
            let mut numbers = line.split_whitespace().map(str::parse::<u32>);
            let (first, _, count) = (numbers.next()?, numbers.next()?, numbers.next()?);
            let first = first.ok()?;
            Some(first..first.saturating_add(count.ok()?))
        })
        .collect()
}

/// Whether this process is root with the power to isolate, and with ids to give to cells. Root of a
/// user namespace with a single id is as weak as an ordinary user.
pub(crate) fn is_privileged() -> bool {
    rustix::process::geteuid().is_root()
        && rustix::thread::capabilities(None)
            .is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
        && mapped_ids()
            .iter()
            .any(|ids| ids.end - ids.start > IDS_EACH)
}

/// Enters the warden's own namespaces, through a user namespace where it is not root.
pub(crate) fn take(uid_base: Option<u32>, slots: u16, templates: u16) -> Result<Power, Unable> {
    if u32::from(slots) > MOST_SLOTS {
        return Err(Unable {
            message: format!("{slots} slots are more than one warden has ids for"),
            mend: format!("start several runners with at most {MOST_SLOTS} slots each"),
        });
    }
    let privileged = is_privileged();
    if !privileged {
        enter_user_namespace()?;
    }
    unshare(CloneFlags::CLONE_NEWNS).map_err(|error| Unable {
        message: format!("a mount namespace can't be made: {error}"),
        mend: "run as root, or with CAP_SYS_ADMIN".to_owned(),
    })?;
    let base = id_base(uid_base, std::os::unix::process::parent_id());
    // Within this, no id of ours is -1, which the kernel takes for "no change".
    if base > u32::MAX - 2 * IDS_EACH {
        return Err(Unable {
            message: format!("the first id {base} leaves no room for {IDS_EACH} more"),
            mend: "choose a lower GLOVEBOX_UID_BASE".to_owned(),
        });
    }
    let identities = (0..u32::from(slots)).map(|slot| {
        if privileged {
            Identity::Host {
                init: base + 1,
                job: base + FIRST_SLOT + slot,
            }
        } else {
            Identity::Own
        }
    });
    let templates = (FIRST_TEMPLATE..FIRST_SLOT)
        .take(if privileged {
            usize::from(templates)
        } else {
            0
        })
        .map(|id| Identity::Host {
            init: base + 1,
            job: base + id,
        });
    Ok(Power {
        identities: identities.collect(),
        templates: templates.collect(),
    })
}

fn enter_user_namespace() -> Result<(), Unable> {
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    let unable = |what: &str, error: &dyn std::fmt::Display| Unable {
        message: format!("{what}: {error}"),
        mend: "run as root, or allow user namespaces: sysctl user.max_user_namespaces, \
               kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns"
            .to_owned(),
    };
    unshare(CloneFlags::CLONE_NEWUSER)
        .map_err(|error| unable("a user namespace can't be made", &error))?;
    for (file, value) in [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/gid_map", format!("{OWN_ID} {gid} 1")),
        ("/proc/self/uid_map", format!("{OWN_ID} {uid} 1")),
    ] {
        fs::write(file, value).map_err(|error| unable(&format!("writing {file}"), &error))?;
    }
    Ok(())
}

/// The last step of the warden's own start.
///
/// The empty bounding set is inherited by every cell: nothing that a cell executes can gain a
/// capability (capabilities(7)). It is kept for [`crate::Without::capabilities`] alone.
pub(crate) fn settle(keeps_bounding_set: bool, makes_doors: bool) -> Result<(), Unable> {
    let failed = |what: &str, error: &dyn std::fmt::Display| Unable {
        message: format!("{what}: {error}"),
        mend: "this is a fault of Glovebox: please report it".to_owned(),
    };
    if !keeps_bounding_set {
        drop_bounding_set().map_err(|error| failed("dropping the bounding set", &error))?;
    }
    let network = match makes_doors {
        // Switching on the loopback of a cell's new network namespace.
        true => CapabilitySet::NET_ADMIN,
        false => CapabilitySet::empty(),
    };
    let needed = network
        | CapabilitySet::SYS_ADMIN
        | CapabilitySet::SETUID
        | CapabilitySet::SETGID
        | CapabilitySet::CHOWN
        | CapabilitySet::FOWNER
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::KILL
        | CapabilitySet::SYS_RESOURCE
        // setns(2) into a mount namespace, which changes the root as well.
        | CapabilitySet::SYS_CHROOT;
    let held = rustix::thread::capabilities(None)
        .map_err(|error| failed("reading the capabilities", &error))?;
    let kept = held.permitted & needed;
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, sets)
        .map_err(|error| failed("reducing the capabilities", &error))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| failed("becoming undumpable", &error))?;
    block_signals().map_err(|error| failed("blocking signals", &error))
}

/// A pidfd of the warden, for the cells to watch.
pub(super) fn pidfd() -> Result<OwnedFd, Unable> {
    rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).map_err(|error| {
        Unable {
            message: format!("opening a pidfd of the warden: {error}"),
            mend: "this needs Linux 5.3 or later, and a free descriptor".to_owned(),
        }
    })
}

/// For the warden and those that make cells for it; the mask is the inits' as well.
pub(super) fn block_signals() -> nix::Result<()> {
    signals::reset_to_default();
    let mut blocked = SigSet::empty();
    for signal in [
        Signal::SIGCHLD,
        // The runner decides when to stop; a Ctrl-C in the terminal reaches the whole process group.
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        // A job's file that is over its limit must be an error where it is written, not a death.
        Signal::SIGXFSZ,
    ] {
        blocked.add(signal);
    }
    blocked.thread_set_mask()
}
