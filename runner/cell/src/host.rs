//! What this host can give: each layer of isolation, probed, with the mend where it is missing.
//!
//! Looks only; nothing that it tries outlives the call. Must never call a layer present because a
//! version number says so: it asks the kernel.

use nix::sched::{CloneFlags, unshare};
use serde::{Deserialize, Serialize};

use crate::cgroup::{self, Found};
use crate::sys::fork::{Forked, exit_now, fork};
use crate::sys::{landlock, seccomp};
use crate::warden::{AllowMissing, Unable, is_privileged};

/// One layer of isolation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Layer {
    /// Its usual name.
    pub name: String,
    /// What the host gives of it.
    pub state: LayerState,
    /// How it is given, or what is missing.
    pub detail: String,
    /// What to do about it; empty where nothing is.
    pub mend: String,
}

/// How much of a layer there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LayerState {
    /// In full.
    Full,
    /// Weaker than as root.
    Weaker,
    /// Not at all.
    Missing,
}

/// The namespaces of every cell.
const NAMESPACES: &str = "pid, mount, ipc, uts, net, cgroup";

impl Layer {
    fn full(name: &str, detail: impl Into<String>) -> Layer {
        Layer::new(name, LayerState::Full, detail, "")
    }

    fn new(name: &str, state: LayerState, detail: impl Into<String>, mend: &str) -> Layer {
        Layer {
            name: name.to_owned(),
            state,
            detail: detail.into(),
            mend: mend.to_owned(),
        }
    }
}

/// Every layer of this host, for `glovebox doctor`.
#[must_use]
pub fn probe() -> Vec<Layer> {
    probe_with(&cgroup::locate())
}

fn probe_with(found: &Found) -> Vec<Layer> {
    let mut layers = vec![namespaces()];
    layers.extend(others(found));
    layers
}

/// The layers that can be looked at without trying them out.
fn others(found: &Found) -> Vec<Layer> {
    vec![
        permission(),
        cgroups(found),
        landlock_layer(),
        seccomp_layer(),
    ]
}

/// The layers that will be in force, or why that is too little.
///
/// Namespaces are not tried out here: the warden is about to make its own, and says so if it can't.
pub(crate) fn required(found: &Found, allow: AllowMissing) -> Result<Vec<Layer>, Unable> {
    let mut layers = vec![Layer::full("namespaces", NAMESPACES)];
    layers.extend(others(found));
    for layer in &layers {
        let allowed = match layer.name.as_str() {
            "cgroup" => allow.cgroup,
            "landlock" => allow.landlock,
            _ => false,
        };
        if layer.state == LayerState::Missing && !allowed {
            return Err(Unable {
                message: format!("the layer {} is missing: {}", layer.name, layer.detail),
                mend: layer.mend.clone(),
            });
        }
    }
    Ok(layers)
}

fn namespaces() -> Layer {
    let name = "namespaces";
    let wanted = CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWCGROUP;
    if is_privileged() {
        return match try_in_child(wanted) {
            true => Layer::full(name, NAMESPACES),
            false => Layer::new(
                name,
                LayerState::Missing,
                "clone(2) refuses them although this is root",
                "in a container, add CAP_SYS_ADMIN and a seccomp profile that allows clone and unshare",
            ),
        };
    }
    match try_in_child(wanted | CloneFlags::CLONE_NEWUSER) {
        true => Layer::full(name, "user, pid, mount, ipc, uts, net, cgroup"),
        false => Layer::new(
            name,
            LayerState::Missing,
            "an ordinary user may not make a user namespace here",
            "run as root, or set the sysctls user.max_user_namespaces > 0, \
             kernel.unprivileged_userns_clone = 1, kernel.apparmor_restrict_unprivileged_userns = 0",
        ),
    }
}

/// Whether unshare(2) allows `flags`, tried in a process that ends at once.
fn try_in_child(flags: CloneFlags) -> bool {
    match fork(0, None) {
        Ok(Forked::Child) => exit_now(i32::from(unshare(flags).is_err())),
        Ok(Forked::Parent { pid, .. }) => {
            let waited = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
            matches!(waited, Ok(Some((_, status))) if status.exit_status() == Some(0))
        }
        Err(_) => false,
    }
}

fn permission() -> Layer {
    if is_privileged() {
        Layer::full(
            "permission",
            "a uid of its own for each slot; no capabilities",
        )
    } else {
        Layer::new(
            "permission",
            LayerState::Weaker,
            "jobs run with this user's own uid, in a user namespace without capabilities",
            "run as root for a uid of its own for each slot",
        )
    }
}

fn cgroups(found: &Found) -> Layer {
    match found {
        Found::V1(_) => Layer::full("cgroup", "version 1: memory, cpu, pids"),
        Found::V2(_) => Layer::full("cgroup", "version 2: memory, cpu, pids"),
        Found::Missing(why) => Layer::new(
            "cgroup",
            LayerState::Missing,
            why.clone(),
            "run as root, or in a scope of your own: systemd-run --user --scope -p Delegate=yes; \
             or accept rlimits only, which are weaker: --allow-missing cgroup",
        ),
    }
}

fn landlock_layer() -> Layer {
    match landlock::abi() {
        0 => Layer::new(
            "landlock",
            LayerState::Missing,
            "the kernel does not offer it",
            "boot with lsm=landlock,… (Linux 5.13 or later), or accept it: --allow-missing landlock",
        ),
        abi => Layer::full("landlock", format!("ABI {abi}")),
    }
}

fn seccomp_layer() -> Layer {
    if seccomp::listener_available() {
        Layer::full("seccomp", "allowlist; refused calls are named")
    } else {
        Layer::new(
            "seccomp",
            LayerState::Missing,
            "the kernel has no user notification",
            "use Linux 5.0 or later with CONFIG_SECCOMP_FILTER",
        )
    }
}
