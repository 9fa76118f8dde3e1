//! Who the job is: a uid and gid of its slot's own, and no capability.
//!
//! Must never leave a supplementary group or a capability behind; both have survived a changed uid
//! in other runners.

use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_keep_capabilities,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

/// Where the cell's ids come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The warden is root: ids of the host, one for the init of cells and one for each slot's job.
    Host {
        /// Runs the cell's init.
        init: u32,
        /// Runs the slot's jobs and nothing else.
        job: u32,
    },
    /// The warden is an ordinary user in a user namespace of its own with one id in it, [`OWN_ID`].
    /// Jobs have that one, too, without a capability. Weaker: outside it is the user's own id, and
    /// the user's supplementary groups can't be dropped.
    Own,
}

/// The one id in an ordinary user's cells.
pub(crate) const OWN_ID: u32 = 1000;

impl Identity {
    /// The id as the job sees it.
    pub(crate) fn inside(self) -> u32 {
        match self {
            Identity::Host { job, .. } => job,
            Identity::Own => OWN_ID,
        }
    }

    /// The owner of the job's folders, as the warden sees it.
    pub(crate) fn owner(self) -> Option<u32> {
        match self {
            Identity::Host { job, .. } => Some(job),
            Identity::Own => None,
        }
    }
}

/// Changes all ids of the calling process to `id`, groups first: afterwards it could not any more.
pub(crate) fn become_id(id: u32) -> Result<(), Errno> {
    let gid = Gid::from_raw(id);
    let uid = Uid::from_raw(id);
    set_thread_groups(&[])?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    // An id of -1 means "leave as it is" to the kernel: believe only what it says afterwards.
    let changed = rustix::process::getuid() == uid
        && rustix::process::geteuid() == uid
        && rustix::process::getegid() == gid;
    if changed { Ok(()) } else { Err(Errno::PERM) }
}

/// Empties every set of capabilities of the calling process but the bounding one.
pub(crate) fn drop_capabilities() -> Result<(), Errno> {
    clear_ambient_capability_set()?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none)
}

/// For the cell's init: another id than the job's, and of all capabilities only the one to signal the
/// processes of its own pid namespace, the only ones that it can name.
pub(crate) fn become_killer(id: u32) -> Result<(), Errno> {
    set_keep_capabilities(true)?;
    become_id(id)?;
    clear_ambient_capability_set()?;
    let sets = CapabilitySets {
        effective: CapabilitySet::KILL,
        permitted: CapabilitySet::KILL,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets)
}

/// For helpers that look at what a job left: as that job, and with no more than it had.
pub(crate) fn become_powerless(identity: Identity) -> Result<(), Errno> {
    if let Identity::Host { job, .. } = identity {
        become_id(job)?;
    }
    drop_capabilities()?;
    rustix::thread::set_no_new_privs(true)
}

/// Empties the bounding set, for this process and all that it will start: nothing that they execute can
/// gain a capability (capabilities(7)). Needs CAP_SETPCAP, so it comes before the other sets are emptied.
pub(crate) fn drop_bounding_set() -> Result<(), Errno> {
    for capability in CapabilitySet::all().iter() {
        match remove_capability_from_bounding_set(capability) {
            // A capability that this kernel does not know.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
