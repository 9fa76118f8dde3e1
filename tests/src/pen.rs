//! A pen: cgroups of one run's own, in which `glovebox` and all that it starts live.
//!
//! Glovebox makes its groups beneath its own. So what is left in the pen afterwards, a process or a
//! group, was left by this run and no other, however many run at once. Must never be entered by the
//! test itself: its end kills what is inside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

const ROOT: &str = "/sys/fs/cgroup";
const CONTROLLERS: [&str; 4] = ["memory", "cpu", "cpuacct", "pids"];
/// Enters the pen and becomes the command, which inherits a descriptor that nobody meant for it.
const ENTER: &str = r#"while [ "$1" != -- ]; do echo 0 > "$1" || exit 99; shift; done; shift; exec 7< /etc/passwd; exec "$@""#;

/// Cgroups that are removed, with all that is in them, when this is dropped.
#[derive(Debug)]
pub struct Pen {
    groups: Vec<PathBuf>,
    v2: bool,
}

impl Pen {
    /// Makes it.
    #[must_use]
    pub fn new() -> Pen {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("gbtest.{}.{number}", std::process::id());
        let v2 = Path::new(ROOT).join("cgroup.controllers").exists();
        let parents: Vec<PathBuf> = if v2 {
            let control = Path::new(ROOT).join("cgroup.subtree_control");
            // Refused where they are on already and the group is not the host's root.
            fs::write(control, "+memory +cpu +pids").unwrap_or_default();
            vec![PathBuf::from(ROOT)]
        } else {
            let memberships = fs::read_to_string("/proc/self/cgroup").expect("/proc is mounted");
            let parent = |name: &&str| v1_folder(name, &memberships);
            CONTROLLERS.iter().filter_map(parent).collect()
        };
        let groups: Vec<PathBuf> = parents.iter().map(|parent| parent.join(&name)).collect();
        for group in &groups {
            fs::create_dir(group).unwrap_or_else(|error| {
                panic!("{}: {error}; these tests need root", group.display())
            });
        }
        Pen { groups, v2 }
    }

    /// A command that comes in and becomes what its further arguments name.
    pub(crate) fn command(&self) -> Command {
        let door = if self.v2 { "cgroup.procs" } else { "tasks" };
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", ENTER, "pen"])
            .args(self.groups.iter().map(|group| group.join(door)))
            .arg("--");
        command
    }

    /// From now on no process or thread in it can start another, however many end.
    pub fn close(&self) {
        self.limit("0");
    }

    /// From now on a process or thread in it can start another only when more than so many have ended.
    pub fn fill(&self, over: u32) {
        let now = fs::read_to_string(self.counting().join("pids.current"));
        let now: u32 = now
            .expect("it is counted")
            .trim()
            .parse()
            .expect("a number");
        self.limit(&(now - over).to_string());
    }

    fn limit(&self, processes: &str) {
        fs::write(self.counting().join("pids.max"), processes).expect("the group is ours");
    }

    fn counting(&self) -> &Path {
        let own = |group: &&PathBuf| group.join("pids.max").exists();
        self.groups.iter().find(own).expect("a group of processes")
    }

    /// All processes in it, however deep.
    pub(crate) fn processes(&self) -> Vec<Pid> {
        let mut all = Vec::new();
        for group in self.groups.iter().flat_map(|group| tree(group)) {
            let members = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
            let pids = members.lines().filter_map(|line| line.parse().ok());
            all.extend(pids.filter_map(Pid::from_raw));
        }
        // A process is in the group of each controller.
        all.sort_by_key(|pid| pid.as_raw_nonzero());
        all.dedup();
        all
    }

    /// Waits until no process is in it. False when the patience ends first.
    pub(crate) fn wait_until_empty(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            let processes = self.processes();
            let Some(pid) = processes.first() else {
                return true;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            // One that is gone already is not there in the next turn.
            if let Ok(pidfd) = pidfd_open(*pid, PidfdFlags::empty()) {
                let timeout = Timespec::try_from(left).ok();
                poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], timeout.as_ref())
                    .expect("a pidfd can be polled");
            }
        }
    }

    /// What is in it and should not be: processes and groups.
    #[must_use]
    pub fn leftovers(&self) -> Vec<String> {
        let processes = self.processes().into_iter().map(|pid| {
            let pid = pid.as_raw_nonzero();
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            format!("process {pid} ({})", name.trim())
        });
        let groups = self.groups.iter().flat_map(|group| {
            let beneath = tree(group).into_iter().skip(1);
            beneath.map(|path| format!("cgroup {}", path.display()))
        });
        processes.chain(groups).collect()
    }
}

impl Default for Pen {
    fn default() -> Pen {
        Pen::new()
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        for pid in self.processes() {
            // One that has ended meanwhile is what is wanted.
            kill_process(pid, Signal::KILL).unwrap_or_default();
        }
        self.wait_until_empty(Duration::from_secs(10));
        for group in &self.groups {
            for folder in tree(group).iter().rev() {
                // A failure to clean up must not hide the failure that led here.
                fs::remove_dir(folder).unwrap_or_default();
            }
        }
    }
}

/// Where this process's group of version 1 is.
fn v1_folder(controller: &str, memberships: &str) -> Option<PathBuf> {
    let path = memberships.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let named = parts.next()?.split(',').any(|name| name == controller);
        parts.next().filter(|_| named)
    })?;
    let folder = Path::new(ROOT)
        .join(controller)
        .join(path.trim_start_matches('/'));
    folder.is_dir().then_some(folder)
}

/// A group and all beneath it, parents first.
fn tree(group: &Path) -> Vec<PathBuf> {
    let mut all = vec![group.to_owned()];
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            all.extend(tree(&entry.path()));
        }
    }
    all
}
