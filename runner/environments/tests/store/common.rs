//! Tars written byte by byte, as no well-meaning program would write them, and a store to try them on.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use glovebox_environments::{Installed, Meta, Store, StoreError};
use tempfile::TempDir;

/// The most bytes that a test's environment may have.
pub(crate) const MOST_BYTES: u64 = 1_000_000;

/// A tar in the making.
#[derive(Clone, Default)]
pub(crate) struct Tar(Vec<u8>);

impl Tar {
    /// Begins as `tar -C /env -cf - .` does.
    pub(crate) fn new() -> Tar {
        Tar::default().folder("./")
    }

    pub(crate) fn folder(self, name: &str) -> Tar {
        self.entry(b'5', name, "", 0o755, b"")
    }

    pub(crate) fn file(self, name: &str, content: &str) -> Tar {
        self.entry(b'0', name, "", 0o644, content.as_bytes())
    }

    pub(crate) fn link(self, name: &str, target: &str) -> Tar {
        self.entry(b'2', name, target, 0o777, b"")
    }

    pub(crate) fn hard(self, name: &str, original: &str) -> Tar {
        self.entry(b'1', name, original, 0o644, b"")
    }

    /// An entry of any kind.
    pub(crate) fn entry(
        self,
        kind: u8,
        name: &str,
        target: &str,
        mode: u32,
        content: &[u8],
    ) -> Tar {
        let size = content.len() as u64;
        let mut tar = self.head(kind, name, target, mode, size).raw(content);
        let padded = tar.0.len().next_multiple_of(512);
        tar.0.resize(padded, 0);
        tar
    }

    /// A header that may lie about what follows.
    pub(crate) fn head(self, kind: u8, name: &str, target: &str, mode: u32, size: u64) -> Tar {
        let mut head = [0_u8; 512];
        let mut put = |at: usize, text: &[u8]| head[at..at + text.len()].copy_from_slice(text);
        put(0, name.as_bytes());
        put(100, format!("{mode:07o}").as_bytes());
        put(108, b"0000000\x000000000\0");
        put(124, format!("{size:011o}").as_bytes());
        // No two installations have the same times.
        put(136, format!("{:011o}", size + 1_700_000_000).as_bytes());
        put(148, b"        ");
        put(156, &[kind]);
        put(157, target.as_bytes());
        put(257, b"ustar  \0");
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.raw(&head)
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Tar {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Ends as a tar ends.
    pub(crate) fn end(self) -> Vec<u8> {
        self.raw(&[0; 1024]).0
    }

    /// Ends as one whose writer was killed.
    pub(crate) fn cut(self) -> Vec<u8> {
        self.0
    }
}

/// A store with a folder around it, in which nothing may change.
pub(crate) struct Place {
    around: TempDir,
    pub(crate) store: Store,
}

impl Place {
    pub(crate) fn new() -> Place {
        let around = TempDir::new().unwrap();
        fs::write(around.path().join("canary"), "alive").unwrap();
        let store = Store::open(&around.path().join("store")).unwrap();
        Place { around, store }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.around.path().join("store")
    }

    pub(crate) fn canary(&self) -> PathBuf {
        self.around.path().join("canary")
    }

    pub(crate) fn add(&self, name: &str, tar: &[u8]) -> Result<Installed, StoreError> {
        self.store.add("python", name, meta(), tar)
    }

    /// Everything around and in the store, with what it holds; the locks are always there.
    pub(crate) fn everything(&self) -> BTreeMap<PathBuf, (u32, String)> {
        let mut found = BTreeMap::new();
        walk(self.around.path(), &mut found);
        found.retain(|path, _| !path.ends_with("store/lock"));
        found
    }
}

pub(crate) fn meta() -> Meta {
    Meta {
        manifest: "numpy\n".to_owned(),
        most_bytes: MOST_BYTES,
    }
}

/// The mode and content of everything below.
pub(crate) fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, (u32, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = if metadata.is_dir() {
            walk(&path, found);
            String::new()
        } else if metadata.is_symlink() {
            fs::read_link(&path).unwrap().display().to_string()
        } else {
            String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
        };
        found.insert(path, (metadata.mode(), content));
    }
}
