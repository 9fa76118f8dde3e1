//! A folder in which one environment is being made. Gone when its owner is done with it, and swept away when the owner
//! was killed: its lock tells which.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::error::{At, StoreError};
use crate::locks;
use crate::remove::remove_tree;

/// Removes itself.
#[derive(Debug)]
pub(crate) struct Staging {
    folder: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl Staging {
    /// The first free place. The caller has the store's lock: nobody may sweep between the making of a lock and the
    /// taking of it.
    pub(crate) fn new(parent: &Path) -> Result<Staging, StoreError> {
        let mut number = 0_u32;
        loop {
            let folder = parent.join(number.to_string());
            let lock_path = lock_of(&folder);
            match fs::symlink_metadata(&lock_path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                _ => {
                    number += 1;
                    continue;
                }
            }
            let taken = locks::try_alone(&lock_path).at("locking", &lock_path)?;
            let Some(lock) = taken else { continue };
            let staging = Staging {
                folder,
                lock_path,
                _lock: lock,
            };
            // A leftover of a time without locks can't be: but if it is there, it is nobody's.
            remove_tree(&staging.folder).at("removing", &staging.folder)?;
            // Whatever the umask: nobody else may look in, or write.
            let mut private = DirBuilder::new();
            private.mode(0o700);
            private
                .create(&staging.folder)
                .at("making the folder", &staging.folder)?;
            return Ok(staging);
        }
    }

    /// Where the tree is unpacked.
    pub(crate) fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// Where the record is written before it takes its place.
    pub(crate) fn record(&self) -> PathBuf {
        self.folder.join("record.json")
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // In this order: as long as the lock's file is there, the place is taken. What can't be removed now, sweeping
        // removes later.
        if remove_tree(&self.folder).is_ok() {
            fs::remove_file(&self.lock_path).unwrap_or_default();
        }
    }
}

/// Where the lock of a folder lies: beside it.
pub(crate) fn lock_of(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
