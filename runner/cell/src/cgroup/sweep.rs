//! Removing groups: a warden's own at its end, and those that a power cut or `kill -9` left.
//!
//! A base group is named after its maker: the pid namespace, the process id in it and the process's
//! start time, so that a later warden knows whether its maker still lives. Must never touch a group of
//! a living maker, nor one of another pid namespace, whose processes it can't see.

use std::fs;

use super::Found;
use super::folder::Folder;

const PREFIX: &str = "glovebox.";

/// The name of this process's base group.
pub(super) fn own_name() -> String {
    let pid = std::process::id();
    format!(
        "{PREFIX}{}.{pid}.{}",
        pid_namespace().unwrap_or(0),
        start_time(pid).unwrap_or(0)
    )
}

/// The inode of this process's pid namespace: its identity (namespaces(7)).
fn pid_namespace() -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    Some(fs::metadata("/proc/self/ns/pid").ok()?.ino())
}

/// Field 22 of proc_pid_stat(5): when the process started, in clock ticks since boot. One that is dead
/// and only waits for its parent to notice has none.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    let started = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(started)
}

fn maker_lives(name: &str) -> Option<bool> {
    let mut parts = name.strip_prefix(PREFIX)?.split('.');
    let namespace: u64 = parts.next()?.parse().ok()?;
    let pid = parts.next()?.parse().ok()?;
    let start: u64 = parts.next()?.parse().ok()?;
    if Some(namespace) != pid_namespace() {
        return None;
    }
    Some(start_time(pid) == Some(start))
}

/// Removes what dead wardens left. What can't be removed is left for the next sweep.
pub(crate) fn sweep_stale(found: &Found) {
    for path in found.parents() {
        let (Ok(entries), Ok(parent)) = (fs::read_dir(&path), Folder::open(&path)) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name.to_str().and_then(maker_lives) == Some(false) {
                parent.remove(&name).unwrap_or_default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_maker_is_known_by_pid_and_start() {
        let mine = own_name();
        assert_eq!(maker_lives(&mine), Some(true));
        let pid = std::process::id();
        let here = pid_namespace().unwrap_or(0);
        let dead = |namespace: u64| format!("{PREFIX}{namespace}.{pid}.1");
        assert_eq!(maker_lives(&dead(here)), Some(false));
        assert_eq!(maker_lives(&dead(here + 1)), None);
        assert_eq!(maker_lives("user.slice"), None);
        assert_eq!(maker_lives("glovebox.x.y"), None);
    }
}
