//! Which pages a child writes to, whatever its job: learned once from a child that runs an empty program, and copied
//! in one go by every other, before its job comes.
//!
//! Each page that is shared with the template is copied when it is first written to; asked for by name
//! (`MADV_POPULATE_WRITE`, madvise(2)) that saves the fault. Only a matter of time: must never fail a child.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use crate::sys::memory;

/// In a page's entry of `/proc/self/pagemap`: it is there, and it is this process's alone
/// (Documentation/admin-guide/mm/pagemap.rst).
const PRESENT: u64 = 1 << 63;
const EXCLUSIVE: u64 = 1 << 56;
const ENTRY: u64 = size_of::<u64>() as u64;
/// What is learned of is not longer than this: 64 MiB of pages.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// Addresses from and to, of memory that is copied on a write.
type Range = (u64, u64);

/// In the child that is learned from: what it shares with its template, and where to tell.
static WATCHED: OnceLock<(Vec<Range>, OwnedFd)> = OnceLock::new();

/// Begins to watch this process, which was just forked.
pub(super) fn watch(out: OwnedFd) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut room = MOST_BYTES;
    let ranges = maps.lines().filter_map(private_and_writable);
    let ranges = ranges.take_while(|(from, to)| {
        room = room.saturating_sub(to - from);
        room > 0
    });
    WATCHED.get_or_init(|| (ranges.collect(), out));
}

/// `7f…-7f… rw-p …`
fn private_and_writable(line: &str) -> Option<Range> {
    let mut words = line.split_ascii_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    words
        .next()
        .filter(|access| access.starts_with("rw") && access.ends_with('p'))?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some((number(from)?, number(to)?))
}

/// Tells what the watched process has written to; false in one that is not watched.
pub(crate) fn tell() -> bool {
    let Some((ranges, out)) = WATCHED.get() else {
        return false;
    };
    if let (Ok(pagemap), Ok(out)) = (File::open("/proc/self/pagemap"), out.try_clone()) {
        let written = ranges.iter().flat_map(|range| written(&pagemap, *range));
        let bytes: Vec<u8> = written
            .flat_map(|(from, to)| [from.to_ne_bytes(), to.to_ne_bytes()].concat())
            .collect();
        File::from(out).write_all(&bytes).unwrap_or_default();
    }
    true
}

/// The runs of pages in a range that are no longer shared.
fn written(pagemap: &File, (from, to): Range) -> Vec<Range> {
    let page = memory::page_size();
    let mut entries = vec![0; usize::try_from((to - from) / page * ENTRY).unwrap_or(0)];
    let read = pagemap
        .read_at(&mut entries, from / page * ENTRY)
        .unwrap_or(0);
    let mut runs: Vec<Range> = Vec::new();
    let (entries, _) = entries.get(..read).unwrap_or_default().as_chunks::<8>();
    for (address, entry) in (from..to)
        .step_by(usize::try_from(page).unwrap_or(4096))
        .zip(entries)
    {
        let wanted = PRESENT | EXCLUSIVE;
        if u64::from_ne_bytes(*entry) & wanted != wanted {
            continue;
        }
        match runs.last_mut() {
            Some((_, end)) if *end == address => *end += page,
            _ => runs.push((address, address + page)),
        }
    }
    runs
}

/// Reads what the watched child tells, to its end.
pub(super) fn learn(from: OwnedFd) -> Vec<Range> {
    let mut bytes = Vec::new();
    // What was not told is not known.
    File::from(from).read_to_end(&mut bytes).unwrap_or_default();
    let (numbers, _) = bytes.as_chunks::<8>();
    let (pairs, _) = numbers.as_chunks::<2>();
    pairs
        .iter()
        .map(|[from, to]| (u64::from_ne_bytes(*from), u64::from_ne_bytes(*to)))
        .collect()
}

/// Copies these pages now.
pub(super) fn copy(ranges: &[Range]) {
    for (from, to) in ranges {
        memory::populate(*from, to - from);
    }
}

#[cfg(test)]
mod tests {
    use super::private_and_writable;

    #[test]
    fn only_what_is_copied_on_a_write_counts() {
        let line = "00a85000-00aca000 rw-p 00000000 00:00 0";
        assert_eq!(private_and_writable(line), Some((0xa8_5000, 0xac_a000)));
        for other in [
            "00a85000-00aca000 r--p 00000000 00:00 0",
            "00a85000-00aca000 rw-s 00000000 00:00 0",
            "",
        ] {
            assert_eq!(private_and_writable(other), None, "{other}");
        }
    }
}
