//! Which pages a child needs, whatever its job: learned once from a child that runs an empty program, and had in one go
//! by every other, before its job comes.
//!
//! Each page that is shared with the template is copied when it is first written to, and a program's own text is mapped
//! anew after a fork; asked for by name (madvise(2)) both save the faults. Only a matter of time: must never fail a child.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use crate::sys::memory::{self, Populate};

/// In a page's entry of `/proc/self/pagemap`: it is there, and it is this process's alone
/// (Documentation/admin-guide/mm/pagemap.rst).
const PRESENT: u64 = 1 << 63;
const EXCLUSIVE: u64 = 1 << 56;
const ENTRY: u64 = size_of::<u64>() as u64;
/// Of no mapping that is longer is anything learned: bytes.
const LONGEST: u64 = 64 * 1024 * 1024;

/// Memory from and to an address, and what is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    from: u64,
    to: u64,
    way: Populate,
}

/// In the child that is learned from: what it shares with its template, and where to tell.
static WATCHED: OnceLock<(Vec<Range>, OwnedFd)> = OnceLock::new();

/// Begins to watch this process, which was just forked.
pub(super) fn watch(out: OwnedFd) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    WATCHED.get_or_init(|| (maps.lines().filter_map(private).collect(), out));
}

/// `7f…-7f… rw-p …`
fn private(line: &str) -> Option<Range> {
    let mut words = line.split_ascii_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    let way = match words.next()?.as_bytes() {
        [b'r', b'w', _, b'p'] => Populate::Write,
        [b'r', b'-', _, b'p'] => Populate::Read,
        _ => return None,
    };
    let number = |text| u64::from_str_radix(text, 16).ok();
    let (from, to) = (number(from)?, number(to)?);
    (to.checked_sub(from)? <= LONGEST).then_some(Range { from, to, way })
}

/// Tells what the watched process has used; false in one that is not watched.
pub(crate) fn tell() -> bool {
    let Some((ranges, out)) = WATCHED.get() else {
        return false;
    };
    if let (Ok(pagemap), Ok(out)) = (File::open("/proc/self/pagemap"), out.try_clone()) {
        let used = ranges.iter().flat_map(|range| used(&pagemap, *range));
        let bytes: Vec<u8> = used
            .flat_map(|Range { from, to, way }| [from, to, way as u64])
            .flat_map(u64::to_ne_bytes)
            .collect();
        File::from(out).write_all(&bytes).unwrap_or_default();
    }
    true
}

/// The runs of pages in a range that are no longer shared, or, of what can't be written to, that are there.
fn used(pagemap: &File, Range { from, to, way }: Range) -> Vec<Range> {
    let page = memory::page_size();
    let mut entries = vec![0; usize::try_from((to - from) / page * ENTRY).unwrap_or(0)];
    let read = pagemap
        .read_at(&mut entries, from / page * ENTRY)
        .unwrap_or(0);
    let wanted = match way {
        Populate::Write => PRESENT | EXCLUSIVE,
        Populate::Read => PRESENT,
    };
    let mut runs: Vec<Range> = Vec::new();
    let (entries, _) = entries.get(..read).unwrap_or_default().as_chunks::<8>();
    for (address, entry) in (from..to)
        .step_by(usize::try_from(page).unwrap_or(4096))
        .zip(entries)
    {
        if u64::from_ne_bytes(*entry) & wanted != wanted {
            continue;
        }
        let next = address + page;
        match runs.last_mut() {
            Some(Range { to, .. }) if *to == address => *to = next,
            _ => runs.push(Range {
                from: address,
                to: next,
                way,
            }),
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
    let (ranges, _) = numbers.as_chunks::<3>();
    ranges
        .iter()
        .map(|range| range.map(u64::from_ne_bytes))
        .map(|[from, to, way]| Range {
            from,
            to,
            way: match way == Populate::Write as u64 {
                true => Populate::Write,
                false => Populate::Read,
            },
        })
        .collect()
}

/// Takes over to the template what each child would have to map anew: the text of the interpreter and its libraries. It
/// comes with the fork then, which is a tenth of the work. Gives what is left for the children.
pub(super) fn keep_text(hot: Vec<Range>) -> Vec<Range> {
    let (text, mut left): (Vec<Range>, Vec<Range>) = hot
        .into_iter()
        .partition(|range| range.way == Populate::Read);
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    for (line, mapping) in maps.lines().filter_map(|line| Some((line, private(line)?))) {
        let is_within = |range: &&Range| mapping.from <= range.from && range.to <= mapping.to;
        let within: Vec<Range> = text.iter().filter(is_within).copied().collect();
        if within.is_empty() {
            continue;
        }
        let executable = line.split_ascii_whitespace().nth(1) == Some("r-xp");
        let kept = mapping.way == Populate::Read
            && memory::copy_with_forks(mapping.from, mapping.to, executable);
        touch(&within);
        if !kept {
            left.extend(within);
        }
    }
    left
}

/// Has these pages now.
pub(super) fn touch(ranges: &[Range]) {
    for Range { from, to, way } in ranges {
        memory::populate(*from, to - from, *way);
    }
}

#[cfg(test)]
mod tests {
    use super::{Populate, Range, private};

    #[test]
    fn only_private_memory_counts() {
        let (from, to) = (0xa8_5000, 0xac_a000);
        for (access, way) in [
            ("rw-p", Some(Populate::Write)),
            ("r-xp", Some(Populate::Read)),
            ("rw-s", None),
            ("---p", None),
        ] {
            let line = format!("00a85000-00aca000 {access} 00000000 00:00 0");
            let range = way.map(|way| Range { from, to, way });
            assert_eq!(private(&line), range, "{line}");
        }
        assert_eq!(private(""), None);
    }
}
