//! Placing things beneath one descriptor.
//!
//! Two guards that do not rely on each other: the listing of what was placed, which knows what is a folder, and the
//! kernel, which is asked to resolve beneath the root and through no link. Must never open by a path of the host.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, Timespec, Timestamps};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::listing::{Listing, Node};
use super::{MOST_ENTRIES, Unpacked, refuse};
use crate::error::{At, Refusal, StoreError};

/// The bytes of all names and targets together: they are kept in memory.
const MOST_NAME_BYTES: usize = 64 * 1024 * 1024;
const BUFFER: usize = 128 * 1024;
/// The time of every file: 1 January 1980, the first that a zip archive can hold.
const WHEN: i64 = 315_532_800;

/// A tree that is being made.
pub(super) struct Tree<'a> {
    root: BorrowedFd<'a>,
    root_path: &'a Path,
    listing: Listing,
    most_bytes: u64,
    bytes: u64,
    name_bytes: usize,
    buffer: Vec<u8>,
}

impl<'a> Tree<'a> {
    pub(super) fn new(root: BorrowedFd<'a>, root_path: &'a Path, most_bytes: u64) -> Tree<'a> {
        Tree {
            root,
            root_path,
            listing: Listing::default(),
            most_bytes,
            bytes: 0,
            name_bytes: 0,
            buffer: vec![0; BUFFER],
        }
    }

    /// A folder; the root itself is there already.
    pub(super) fn folder(&mut self, path: Vec<u8>) -> Result<(), StoreError> {
        if path.is_empty() {
            return Ok(());
        }
        self.check(&path, 0)?;
        let made = self.within(&path, |parent, name| {
            rustix::fs::mkdirat(parent, name, Mode::RWXU)
        });
        made.at("making the folder", &self.shown(&path))?;
        self.listing.0.insert(path, Node::Folder);
        Ok(())
    }

    /// A symbolic link, kept as text.
    pub(super) fn link(&mut self, path: Vec<u8>, target: Vec<u8>) -> Result<(), StoreError> {
        self.check(&path, target.len())?;
        let made = self.within(&path, |parent, name| {
            rustix::fs::symlinkat(OsStr::from_bytes(&target), parent, name)
        });
        made.at("making the link", &self.shown(&path))?;
        self.listing.0.insert(path, Node::Link { target });
        Ok(())
    }

    /// A file of exactly `size` bytes.
    pub(super) fn file(
        &mut self,
        path: Vec<u8>,
        executable: bool,
        size: u64,
        content: &mut impl Read,
    ) -> Result<(), StoreError> {
        self.check(&path, 0)?;
        self.charge(size)?;
        let shown = self.shown(&path);
        let mut file = self.create(&path).at("making", &shown)?;
        let (mut hash, mut left) = (Sha256::new(), size);
        while left > 0 {
            let read = content.read(&mut self.buffer).map_err(StoreError::Read)?;
            let chunk = self.buffer.get(..read).unwrap_or_default();
            left = match left.checked_sub(chunk.len() as u64) {
                Some(left) if !chunk.is_empty() => left,
                _ => return Err(StoreError::Truncated),
            };
            hash.update(chunk);
            file.write_all(chunk).at("writing", &shown)?;
        }
        seal(&file, mode(executable)).at("sealing", &shown)?;
        let sha256 = hash.finalize().into();
        let node = Node::File {
            executable,
            size,
            sha256,
        };
        self.listing.0.insert(path, node);
        Ok(())
    }

    /// A hard link becomes a copy, so that every file has one name. esbuild's installer makes such a link.
    pub(super) fn copy(&mut self, path: Vec<u8>, original: &[u8]) -> Result<(), StoreError> {
        let Some(
            node @ Node::File {
                executable, size, ..
            },
        ) = self.listing.0.get(original)
        else {
            return Err(refuse(&path, Refusal::NoFile));
        };
        let (node, executable, size) = (node.clone(), *executable, *size);
        self.check(&path, 0)?;
        self.charge(size)?;
        let shown = self.shown(&path);
        let mut from = open_beneath(self.root, original, OFlags::RDONLY)
            .map(File::from)
            .at("opening", &self.shown(original))?;
        let mut file = self.create(&path).at("making", &shown)?;
        std::io::copy(&mut from, &mut file).at("writing", &shown)?;
        seal(&file, mode(executable)).at("sealing", &shown)?;
        self.listing.0.insert(path, node);
        Ok(())
    }

    /// Seals the folders, the deepest first, and puts everything on the disk.
    pub(super) fn finish(self) -> Result<Unpacked, StoreError> {
        let is_folder = |node: &Node| matches!(node, Node::Folder);
        // A folder's path stands before those of all that is in it.
        for (path, _) in self
            .listing
            .0
            .iter()
            .rev()
            .filter(|(_, node)| is_folder(node))
        {
            let folder = open_beneath(self.root, path, OFlags::RDONLY | OFlags::DIRECTORY);
            let sealed = folder.and_then(|folder| seal(&folder, mode(true)));
            sealed.at("sealing", &self.shown(path))?;
        }
        // Writable for a moment longer: it is still to be moved.
        seal(self.root, Mode::from_raw_mode(0o755)).at("sealing", self.root_path)?;
        rustix::fs::syncfs(self.root).at("writing", self.root_path)?;
        let (files, size_bytes) = self.listing.files();
        Ok(Unpacked {
            id: self.listing.id(),
            size_bytes,
            files,
        })
    }

    /// Whether something new may be called so.
    fn check(&mut self, path: &[u8], target: usize) -> Result<(), StoreError> {
        let parent = split(path).0;
        self.name_bytes += path.len() + target;
        if self.name_bytes > MOST_NAME_BYTES {
            return Err(StoreError::TooMany(MOST_ENTRIES));
        }
        if self.listing.0.contains_key(path) {
            return Err(refuse(path, Refusal::Twice));
        }
        if !parent.is_empty() && self.listing.0.get(parent) != Some(&Node::Folder) {
            return Err(refuse(path, Refusal::NoFolder));
        }
        Ok(())
    }

    /// Before the first byte is written: a header's size costs nothing to claim.
    fn charge(&mut self, size: u64) -> Result<(), StoreError> {
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > self.most_bytes {
            return Err(StoreError::TooLarge(self.most_bytes));
        }
        Ok(())
    }

    fn create(&self, path: &[u8]) -> Result<File, Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        resolve(self.root, path, flags, Mode::RUSR | Mode::WUSR).map(File::from)
    }

    /// Does something to a name in its folder.
    fn within<T>(
        &self,
        path: &[u8],
        act: impl FnOnce(BorrowedFd<'_>, &OsStr) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let (parent, name) = split(path);
        let parent = if parent.is_empty() { b"." } else { parent };
        let parent = open_beneath(self.root, parent, OFlags::PATH | OFlags::DIRECTORY)?;
        act(parent.as_fd(), OsStr::from_bytes(name))
    }

    /// What to call it in an error; escaped, since a stranger chose it.
    fn shown(&self, path: &[u8]) -> PathBuf {
        let text = String::from_utf8_lossy(path);
        self.root_path.join(text.escape_debug().to_string())
    }
}

/// The folder and the name in it.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (
            path.get(..at).unwrap_or_default(),
            path.get(at + 1..).unwrap_or_default(),
        ),
        None => (b"", path),
    }
}

fn mode(executable: bool) -> Mode {
    Mode::from_raw_mode(if executable { 0o555 } else { 0o444 })
}

fn seal(what: impl AsFd, mode: Mode) -> Result<(), Errno> {
    let when = Timespec {
        tv_sec: WHEN,
        tv_nsec: 0,
    };
    let times = Timestamps {
        last_access: when,
        last_modification: when,
    };
    rustix::fs::futimens(&what, &times)?;
    rustix::fs::fchmod(&what, mode)
}

/// Opens what is there, beneath the root and through no link.
pub(crate) fn open_beneath(
    root: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    resolve(root, path, flags, Mode::empty())
}

fn resolve(root: BorrowedFd<'_>, path: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    rustix::fs::openat2(root, path, flags, mode, resolve)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// The listing alone refuses a way through a link; here the link was put there behind its back.
    #[test]
    fn the_kernel_refuses_what_the_listing_does_not_know() {
        let around = tempfile::TempDir::new().unwrap();
        let (root_path, inner) = (around.path().join("root"), around.path().join("inner"));
        std::fs::create_dir(&root_path).unwrap();
        std::fs::create_dir(&inner).unwrap();
        let root = File::open(&root_path).unwrap();
        let mut tree = Tree::new(root.as_fd(), &root_path, 100);
        for folder in ["way", "way/inner"] {
            tree.listing.0.insert(folder.into(), Node::Folder);
        }
        for target in [Path::new(".."), around.path()] {
            let way = root_path.join("way");
            std::os::unix::fs::symlink(target, &way).unwrap();
            let content = &mut &b"x"[..];
            let file = tree.file(b"way/inner/f".to_vec(), false, 1, content);
            let folder = tree.folder(b"way/inner/d".to_vec());
            let link = tree.link(b"way/inner/l".to_vec(), b"x".to_vec());
            for refused in [file, folder, link] {
                let StoreError::Io { source, .. } = refused.unwrap_err() else {
                    panic!("{}", target.display());
                };
                assert_eq!(source.raw_os_error(), Some(Errno::LOOP.raw_os_error()));
            }
            assert_eq!(std::fs::read_dir(&inner).unwrap().count(), 0);
            std::fs::remove_file(way).unwrap();
        }
    }
}
