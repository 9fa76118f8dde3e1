//! How much memory is left here, by the host's reckoning and by the limits of the groups that this process is in.
//!
//! A look at one moment, to plan with. Must never be taken for a promise: others take memory, too.

use std::fs;
use std::io;
use std::path::Path;

use super::field;
use super::locate::memory_groups;

/// Bytes that this process and what it starts can still use before others lose theirs: what the host has
/// (`MemAvailable` of proc_meminfo(5)), and what each limit of a group around this process leaves, whichever is least.
///
/// # Errors
/// When `/proc` can't be read, or does not say it.
pub fn available_memory() -> io::Result<u64> {
    let host = host(&fs::read_to_string("/proc/meminfo")?)
        .ok_or_else(|| io::Error::other("/proc/meminfo has no MemAvailable"))?;
    let groups = memory_groups()?;
    Ok(groups
        .iter()
        .filter_map(|group| room(reader(group)))
        .fold(host, u64::min))
}

fn host(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib: u64 = line?.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// Gives the content of a group's file; `None` for one that is not there, which limits nothing.
fn reader(group: &Path) -> impl Fn(&str) -> Option<String> {
    |name| fs::read_to_string(group.join(name)).ok()
}

/// What a group leaves; `None` if it limits nothing.
fn room(read: impl Fn(&str) -> Option<String>) -> Option<u64> {
    // "max" is no number, and no limit.
    let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
    let (used, limits) = match number("memory.current") {
        Some(used) => (used, [number("memory.max"), number("memory.high")]),
        None => (
            number("memory.usage_in_bytes")?,
            [number("memory.limit_in_bytes"), None],
        ),
    };
    let limit = limits.into_iter().flatten().min()?;
    let stat = read("memory.stat").unwrap_or_default();
    // Pages of files that nobody has touched lately, which the kernel gives up first. The longer name is version 1's.
    let idle = field(&stat, "total_inactive_file").max(field(&stat, "inactive_file"));
    Some(limit.saturating_sub(used.saturating_sub(idle)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(files: &[(&str, &str)]) -> Option<u64> {
        room(|name| {
            let file = files.iter().find(|(own, _)| *own == name);
            file.map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn a_group_leaves_what_is_not_used_or_can_be_given_up() {
        let v1 = left(&[
            ("memory.limit_in_bytes", "1000\n"),
            ("memory.usage_in_bytes", "700\n"),
            ("memory.stat", "inactive_file 50\ntotal_inactive_file 200\n"),
        ]);
        assert_eq!(v1, Some(500));
        let v2 = left(&[
            ("memory.max", "1000\n"),
            ("memory.high", "900\n"),
            ("memory.current", "700\n"),
            ("memory.stat", "inactive_file 100\n"),
        ]);
        assert_eq!(v2, Some(300));
    }

    #[test]
    fn a_group_without_a_limit_leaves_everything() {
        let v2 = left(&[
            ("memory.max", "max\n"),
            ("memory.high", "max\n"),
            ("memory.current", "7\n"),
        ]);
        assert_eq!(v2, None);
        assert_eq!(left(&[]), None);
    }

    #[test]
    fn this_host_says_it() {
        assert!(available_memory().unwrap() > 0);
        assert_eq!(
            host("MemTotal: 9 kB\nMemAvailable:       2 kB\n"),
            Some(2048)
        );
        assert_eq!(host("MemTotal: 9 kB\n"), None);
    }
}
