//! What a run of `glovebox` could leave on the host, apart from its cgroups: looked for by its ids.
//!
//! Must never change anything: whatever it finds is the failure of a test.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// First of the ids that Glovebox takes if it is not told otherwise, and how many each instance has.
const UIDS: u32 = 0x7000_0000;
const UIDS_EACH: u32 = 1024;

/// Whatever has an id that the `glovebox` with this process id gives to its cells.
pub(crate) fn of(pid: u32) -> Vec<String> {
    let mut left = Vec::new();
    let base = UIDS + pid % 65_536 * UIDS_EACH;
    let ours = |uid: u32| (base..base + UIDS_EACH).contains(&uid);
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let field = |name| {
            status
                .lines()
                .find_map(|line: &str| line.strip_prefix(name))
        };
        let uid = field("Uid:").and_then(|ids| ids.split_whitespace().next()?.parse().ok());
        let state = field("State:").unwrap_or_default().trim_start();
        // A zombie is dead; one whose parent was killed waits for the host's init to reap it.
        if uid.is_some_and(ours) && !state.starts_with('Z') {
            let name = field("Name:").unwrap_or_default().trim();
            left.push(format!("{} ({name}, {state})", entry.path().display()));
        }
    }
    for folder in ["/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run"] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            // One that is gone meanwhile was somebody else's.
            if entry.metadata().is_ok_and(|metadata| ours(metadata.uid())) {
                left.push(entry.path().display().to_string());
            }
        }
    }
    for kind in ["shm", "sem", "msg"] {
        let table = fs::read_to_string(format!("/proc/sysvipc/{kind}")).unwrap_or_default();
        let words = table
            .split_whitespace()
            .filter_map(|word| word.parse().ok());
        if words.into_iter().any(ours) {
            left.push(format!("System V {kind}"));
        }
    }
    left
}

/// The mounts of this process's namespace that a cell could have made.
pub(crate) fn mounts() -> BTreeSet<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let kinds = [" - tmpfs ", " - proc "];
    let mounts = text
        .lines()
        .filter(|line| kinds.iter().any(|kind| line.contains(kind)));
    mounts.map(str::to_owned).collect()
}
