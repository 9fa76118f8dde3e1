//! From a hostile tar to a tree, entry by entry.
//!
//! Whatever is unusual is an error, not something to skip: our own `tar` wrote the archive, so what it never writes
//! was put there by somebody. Must never let the archive name a place: [`Tree`] decides where things go.

mod listing;
mod names;
mod tree;

use std::cell::Cell;
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::path::Path;

use tar::{Archive, Entry, EntryType};

use crate::error::{Refusal, StoreError};
use names::{LongNames, plain_path, plain_target};
use tree::Tree;
pub(crate) use tree::open_beneath;

/// The most entries of an archive, long names included.
const MOST_ENTRIES: u64 = 200_000;

/// What was unpacked.
#[derive(Debug)]
pub(crate) struct Unpacked {
    pub(crate) id: String,
    pub(crate) size_bytes: u64,
    pub(crate) files: u64,
}

/// Unpacks into the empty folder `root`; `path` is its name in errors. On the disk, and read-only but for `root` itself,
/// when it returns.
pub(crate) fn unpack(
    root: BorrowedFd<'_>,
    path: &Path,
    most_bytes: u64,
    tar: impl Read,
) -> Result<Unpacked, StoreError> {
    let ended = Cell::new(false);
    let mut archive = Archive::new(Watched { tar, ended: &ended });
    let mut tree = Tree::new(root, path, most_bytes);
    let mut long = LongNames::default();
    let mut seen = 0;
    // Raw: the crate interprets neither long names nor extended headers, and merges nothing.
    for entry in archive.entries().map_err(StoreError::Read)?.raw(true) {
        let mut entry = entry.map_err(StoreError::Read)?;
        seen += 1;
        if seen > MOST_ENTRIES {
            return Err(StoreError::TooMany(MOST_ENTRIES));
        }
        if !long.take(&mut entry)? {
            place(&mut tree, &mut entry, &mut long)?;
        }
    }
    // The crate takes the end of the input for the end of the archive; only a block of zeros is that.
    if ended.get() || !long.is_empty() {
        return Err(StoreError::Truncated);
    }
    tree.finish()
}

fn place(
    tree: &mut Tree<'_>,
    entry: &mut Entry<'_, impl Read>,
    long: &mut LongNames,
) -> Result<(), StoreError> {
    let kind = entry.header().entry_type();
    let name = long.name(entry);
    let refused = |refusal| refuse(&name, refusal);
    let size = entry.header().entry_size().map_err(StoreError::Read)?;
    let mode = entry.header().mode().map_err(StoreError::Read)?;
    if mode & 0o6000 != 0 {
        return Err(refused(Refusal::Setuid));
    }
    if size != 0 && kind != EntryType::Regular {
        return Err(refused(Refusal::Contradiction));
    }
    let path = plain_path(&name, kind == EntryType::Directory).map_err(refused)?;
    let target = long.target(entry);
    match kind {
        EntryType::Directory => tree.folder(path),
        EntryType::Regular => tree.file(path, mode & 0o100 != 0, size, entry),
        EntryType::Symlink => tree.link(path, plain_target(target).map_err(refused)?),
        EntryType::Link => tree.copy(path, &plain_path(&target, false).map_err(refused)?),
        _ => Err(refused(Refusal::Kind)),
    }
}

/// The error that an entry has no place here; its name is a stranger's.
fn refuse(name: &[u8], refusal: Refusal) -> StoreError {
    let start = name.get(..200).unwrap_or(name);
    StoreError::Refused {
        entry: format!("{:?}", String::from_utf8_lossy(start)),
        refusal,
    }
}

/// Notes whether the input came to its end.
struct Watched<'a, R> {
    tar: R,
    ended: &'a Cell<bool>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.tar.read(buffer)?;
        if read == 0 && !buffer.is_empty() {
            self.ended.set(true);
        }
        Ok(read)
    }
}
