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

/// The groups that may limit this process's memory: its own and those around it, as far as they can be seen.
pub(super) fn memory_groups() -> std::io::Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let memberships = fs::read_to_string("/proc/self/cgroup")?;
    Ok(memory_groups_in(&mounts, &memberships))
}

fn memory_groups_in(mountinfo: &str, memberships: &str) -> Vec<PathBuf> {
    let mounts = Mounts::parse(mountinfo);
    let (mount, controller) = match mounts.v1.get("memory") {
        Some(mount) => (Some(mount), "memory"),
        None => (mounts.v2.as_ref(), ""),
    };
    let Some((mount, path)) = mount.zip(membership(memberships, controller)) else {
        return Vec::new();
    };
    let own = mount.folder(&path);
    let around = own
        .ancestors()
        .take_while(|group| group.starts_with(&mount.point));
    around.map(Path::to_owned).collect()
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
    let here = membership(memberships, "").map(|path| root.folder(&path));
    if let Some(here) = here.filter(|path| path != &root.point)
        && has_controllers(&here.join("cgroup.controllers"))
    {
        // A warden that is started anew finds itself in the leaf that its predecessor made, and so do
        // all that come later in the same service or scope.
        let above = here.parent().filter(|_| here.ends_with(super::v2::LEAF));
        let group = above.unwrap_or(&here);
        // Where there is a leaf the group has been divided, and there is nothing left to spoil.
        if above.is_some() || is_delegated(group) || only_ours(&here) {
            return writable(Found::V2(V2Parent {
                path: group.to_owned(),
                own: above.is_none(),
            }));
        }
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

/// Whether systemd says of the group that its processes may divide it (systemd.resource-control(5),
/// `Delegate=`): whoever else is in it, such as the shell of a scope, has to live with that.
fn is_delegated(group: &Path) -> bool {
    // The second is that of systemd before 251, and only root may read it.
    ["user.delegate", "trusted.delegate"].iter().any(|name| {
        let mut value = [0u8; 2];
        matches!(rustix::fs::getxattr(group, *name, &mut value), Ok(1)) && value.starts_with(b"1")
    })
}

/// Whether the processes of the group are this one and its relatives only, so that it may be ours to
/// divide although nobody has marked it: a user's service manager marks none.
fn only_ours(group: &Path) -> bool {
    let listed = || -> Option<Vec<u32>> {
        let text = fs::read_to_string(group.join("cgroup.procs")).ok()?;
        Some(text.lines().filter_map(|line| line.parse().ok()).collect())
    };
    let Some(members) = listed() else {
        return false;
    };
    let parent = std::os::unix::process::parent_id();
    // Root's shell need not give up its group: root has the tree's root to fall back on.
    let top = match rustix::process::geteuid().is_root() {
        true => parent,
        false => highest(parent, &members, parent_of),
    };
    // One that has ended meanwhile is nobody's.
    let has_left = |pid| listed().is_some_and(|members| !members.contains(&pid));
    members
        .iter()
        .all(|&pid| descends(pid, top, parent_of) || has_left(pid))
}

/// The furthest forebear of `pid` that is in the group as all between: the shell of a scope.
fn highest(pid: u32, members: &[u32], parent_of: impl Fn(u32) -> Option<u32>) -> u32 {
    let above = |&pid: &u32| parent_of(pid).filter(|parent| members.contains(parent));
    std::iter::successors(Some(pid), above)
        .last()
        .unwrap_or(pid)
}

fn descends(pid: u32, top: u32, parent_of: impl Fn(u32) -> Option<u32>) -> bool {
    std::iter::successors(Some(pid), |&pid| parent_of(pid)).any(|pid| pid == top)
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
    fn a_shell_and_all_that_it_started_are_one_tree() {
        // 1 ─ 10 (a shell) ─ 11 (a supervisor) ─ 12 (its warden), and 10 ─ 20 ─ 21 beside it.
        let parents = |pid| match pid {
            10 | 30 => Some(1),
            11 | 20 => Some(10),
            12 => Some(11),
            21 => Some(20),
            _ => None,
        };
        assert_eq!(highest(11, &[10, 11, 12, 20, 21], parents), 10);
        assert_eq!(highest(11, &[11, 12], parents), 11);
        assert!(descends(21, 10, parents) && descends(10, 10, parents));
        assert!(!descends(30, 10, parents) && !descends(1, 10, parents));
    }

    #[test]
    fn the_groups_around_this_process_are_known() {
        let v1 = "30 20 0:26 / /c/memory rw - cgroup cgroup rw,memory\n31 20 0:27 / /c/unified rw - cgroup2 none rw\n";
        let groups = |mounts, memberships| {
            let groups = memory_groups_in(mounts, memberships);
            groups
                .iter()
                .map(|group| group.display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            groups(v1, "4:memory:/a/b\n0::/x\n"),
            ["/c/memory/a/b", "/c/memory/a", "/c/memory"]
        );
        let v2 = "31 20 0:27 / /c rw - cgroup2 none rw\n";
        assert_eq!(groups(v2, "0::/a\n"), ["/c/a", "/c"]);
        assert_eq!(groups("", "0::/a\n"), [""; 0]);
    }

    #[test]
    fn nothing_mounted_is_said() {
        assert!(matches!(locate_in("", ""), Found::Missing(_)));
    }
}
