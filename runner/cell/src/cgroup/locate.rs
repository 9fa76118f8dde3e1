//! Finding out which cgroups this host has and where ours may stand. Looks only; makes nothing.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The controllers that a cell needs.
const NEEDED: [&str; 3] = ["memory", "pids", "cpu"];

/// What this host has.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// A folder per controller in which ours are made. `cpu` and `cpuacct` may be one.
    V1(V1Parents),
    /// The one folder in which ours is made.
    V2(V2Parent),
    /// Neither, and why.
    Missing(String),
}

/// The parents of version 1, a folder a controller.
#[derive(Clone, Debug)]
pub(crate) struct V1Parents {
    pub(crate) memory: PathBuf,
    pub(crate) pids: PathBuf,
    pub(crate) cpu: PathBuf,
    pub(crate) cpuacct: PathBuf,
}

/// The parent of version 2.
#[derive(Clone, Debug)]
pub(crate) struct V2Parent {
    pub(crate) path: PathBuf,
    /// The group is our own: the processes in it must move to a leaf before controllers can be
    /// handed on (cgroup-v2.rst, "no internal processes").
    pub(crate) own: bool,
}

impl Found {
    /// The folders in which ours are made, each once.
    pub(crate) fn parents(&self) -> Vec<PathBuf> {
        match self {
            Found::V1(v1) => {
                let mut all = vec![
                    v1.memory.clone(),
                    v1.pids.clone(),
                    v1.cpu.clone(),
                    v1.cpuacct.clone(),
                ];
                all.sort();
                all.dedup();
                all
            }
            Found::V2(v2) => vec![v2.path.clone()],
            Found::Missing(_) => Vec::new(),
        }
    }
}

/// Looks at `/proc/self/mountinfo` and `/proc/self/cgroup`.
pub(crate) fn locate() -> Found {
    match (
        fs::read_to_string("/proc/self/mountinfo"),
        fs::read_to_string("/proc/self/cgroup"),
    ) {
        (Ok(mounts), Ok(memberships)) => locate_in(&mounts, &memberships),
        (Err(error), _) | (_, Err(error)) => {
            Found::Missing(format!("/proc can't be read: {error}"))
        }
    }
}

fn locate_in(mountinfo: &str, memberships: &str) -> Found {
    let mounts = Mounts::parse(mountinfo);
    let v1 = |name: &str| mounts.v1_folder(name, memberships);
    if let (Some(memory), Some(pids), Some(cpu)) = (v1("memory"), v1("pids"), v1("cpu")) {
        let cpuacct = v1("cpuacct").unwrap_or_else(|| cpu.clone());
        let parents = V1Parents {
            memory,
            pids,
            cpu,
            cpuacct,
        };
        return writable(Found::V1(parents));
    }
    let Some(root) = &mounts.v2 else {
        return Found::Missing("no cgroup file system is mounted".to_owned());
    };
    v2_parent(root, memberships)
}

fn v2_parent(root: &Mount, memberships: &str) -> Found {
    let own = membership(memberships, "").map(|path| root.folder(&path));
    if let Some(own) = own.filter(|path| path != &root.point && only_ours(path))
        && has_controllers(&own.join("cgroup.controllers"))
    {
        // A warden that is started anew finds itself in the leaf that its predecessor made.
        let in_leaf = own.ends_with(super::v2::LEAF);
        let path = own.parent().filter(|_| in_leaf).map(Path::to_owned);
        return writable(Found::V2(V2Parent {
            path: path.unwrap_or(own),
            own: !in_leaf,
        }));
    }
    // Only the real root has no `cgroup.type`: in a container the mount's root is a group as any other,
    // and holds our processes.
    let own = root.point.join("cgroup.type").exists();
    if !has_controllers(&root.point.join("cgroup.controllers")) {
        return Found::Missing(format!(
            "{} does not offer the controllers memory, pids and cpu",
            root.point.display()
        ));
    }
    writable(Found::V2(V2Parent {
        path: root.point.clone(),
        own,
    }))
}

fn has_controllers(file: &Path) -> bool {
    fs::read_to_string(file).is_ok_and(|text| {
        let offered: Vec<_> = text.split_whitespace().collect();
        NEEDED.iter().all(|needed| offered.contains(needed))
    })
}

/// Whether the processes of the group are this one and its relatives only, so that it may be ours
/// to divide: a service with `Delegate=yes` or a scope of its own.
fn only_ours(group: &Path) -> bool {
    let Ok(text) = fs::read_to_string(group.join("cgroup.procs")) else {
        return false;
    };
    let me = std::process::id();
    let parent = std::os::unix::process::parent_id();
    text.lines()
        .filter_map(|line| line.parse::<u32>().ok())
        .all(|pid| pid == me || pid == parent || parent_of(pid) == Some(parent))
}

fn parent_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("PPid:"))
        .and_then(|value| value.trim().parse().ok())
}

/// Passes `found` on if its folders may be written.
fn writable(found: Found) -> Found {
    for parent in found.parents() {
        if rustix::fs::access(&parent, rustix::fs::Access::WRITE_OK).is_err() {
            return Found::Missing(format!(
                "{} is not writable for this user",
                parent.display()
            ));
        }
    }
    found
}

struct Mount {
    root: PathBuf,
    point: PathBuf,
}

impl Mount {
    /// Where the group `path` of this hierarchy stands in the file system.
    fn folder(&self, path: &Path) -> PathBuf {
        let beneath = path
            .strip_prefix(&self.root)
            .or_else(|_| path.strip_prefix("/"))
            .unwrap_or(path);
        self.point.join(beneath)
    }
}

struct Mounts {
    v1: HashMap<String, Mount>,
    v2: Option<Mount>,
}

impl Mounts {
    /// Reads lines of the form that proc_pid_mountinfo(5) describes.
    fn parse(mountinfo: &str) -> Mounts {
        let mut mounts = Mounts {
            v1: HashMap::new(),
            v2: None,
        };
        for line in mountinfo.lines() {
            let Some((left, right)) = line.split_once(" - ") else {
                continue;
            };
            let left: Vec<_> = left.split(' ').collect();
            let right: Vec<_> = right.split(' ').collect();
            let (Some(root), Some(point), Some(kind)) = (left.get(3), left.get(4), right.first())
            else {
                continue;
            };
            let mount = || Mount {
                root: PathBuf::from(root),
                point: PathBuf::from(point),
            };
            match *kind {
                "cgroup2" => mounts.v2 = Some(mount()),
                "cgroup" => {
                    for option in right.last().unwrap_or(&"").split(',') {
                        mounts.v1.insert(option.to_owned(), mount());
                    }
                }
                _ => {}
            }
        }
        mounts
    }

    fn v1_folder(&self, controller: &str, memberships: &str) -> Option<PathBuf> {
        let mount = self.v1.get(controller)?;
        Some(mount.folder(&membership(memberships, controller)?))
    }
}

/// The group of this process in the hierarchy of `controller`; the empty name is version 2.
fn membership(memberships: &str, controller: &str) -> Option<PathBuf> {
    memberships.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let controllers = parts.next()?;
        let path = parts.next()?;
        controllers
            .split(',')
            .any(|name| name == controller)
            .then(|| PathBuf::from(path))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v1_folders_follow_membership_and_mount_root() {
        let mountinfo = "30 20 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                         31 20 0:27 /docker/x /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";
        let memberships = "4:memory:/a/b\n8:pids:/docker/x/y\n";
        let mounts = Mounts::parse(mountinfo);
        assert_eq!(
            mounts.v1_folder("memory", memberships),
            Some(PathBuf::from("/sys/fs/cgroup/memory/a/b"))
        );
        assert_eq!(
            mounts.v1_folder("pids", memberships),
            Some(PathBuf::from("/sys/fs/cgroup/pids/y"))
        );
    }

    #[test]
    fn co_mounted_controllers_are_told_apart() {
        let mountinfo = "30 20 0:26 / /c/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";
        let memberships = "3:cpu,cpuacct:/\n";
        let mounts = Mounts::parse(mountinfo);
        assert_eq!(
            mounts.v1_folder("cpuacct", memberships),
            Some(PathBuf::from("/c/cpu,cpuacct/"))
        );
        assert_eq!(mounts.v1_folder("memory", memberships), None);
    }

    #[test]
    fn nothing_mounted_is_said() {
        assert!(matches!(locate_in("", ""), Found::Missing(_)));
    }
}
