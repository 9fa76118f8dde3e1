//! Clearing away what nothing needs: trees without a name, and what a killed build left.
//!
//! Decides by names and locks, never by age. Must never touch a tree that somebody holds.

use std::collections::BTreeSet;
use std::fs;

use crate::error::{At, StoreError};
use crate::installed::is_id;
use crate::locks;
use crate::remove::remove_tree;
use crate::staging::lock_of;
use crate::store::{Store, names_in};

impl Store {
    /// Removes trees that no name points to and nobody holds, and what was half made by builds that are no more. Gives
    /// how many of both.
    ///
    /// # Errors
    /// When a record can't be read (then nothing is removed), or something can't be removed.
    pub fn sweep(&self) -> Result<usize, StoreError> {
        let _lock = self.lock()?;
        // Read in whole before anything is removed: without one of the records a tree would seem unneeded.
        let needed: BTreeSet<String> = self.list()?.into_iter().map(|one| one.id).collect();
        Ok(self.sweep_staging()? + self.sweep_content(&needed)?)
    }

    fn sweep_staging(&self) -> Result<usize, StoreError> {
        let mut swept = BTreeSet::new();
        for name in names_in(&self.staging())? {
            let place = name.strip_suffix(".lock").unwrap_or(&name);
            let folder = self.staging().join(place);
            let lock_path = lock_of(&folder);
            if let Some(_lock) = locks::try_alone(&lock_path).at("locking", &lock_path)? {
                remove_tree(&folder).at("removing", &folder)?;
                fs::remove_file(&lock_path).at("removing", &lock_path)?;
                swept.insert(place.to_owned());
            }
        }
        Ok(swept.len())
    }

    fn sweep_content(&self, needed: &BTreeSet<String>) -> Result<usize, StoreError> {
        let mut swept = BTreeSet::new();
        for name in names_in(&self.content())? {
            let id = name.strip_suffix(".lock").unwrap_or(&name);
            if !is_id(id) || needed.contains(id) || swept.contains(id) {
                continue;
            }
            let folder = self.content().join(id);
            let lock_path = lock_of(&folder);
            if let Some(_lock) = locks::try_alone(&lock_path).at("locking", &lock_path)? {
                self.remove_content(id)?;
                fs::remove_file(&lock_path).at("removing", &lock_path)?;
                swept.insert(id.to_owned());
            }
        }
        Ok(swept.len())
    }

    /// Out of its place first, at once: what is removed in part must not be found as a whole by the next build of the
    /// same content.
    fn remove_content(&self, id: &str) -> Result<(), StoreError> {
        use std::os::unix::fs::PermissionsExt;
        let folder = self.content().join(id);
        if !folder.exists() {
            return Ok(());
        }
        let aside = self.staging().join(id);
        remove_tree(&aside).at("removing", &aside)?;
        let writable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&folder, writable).at("unsealing", &folder)?;
        fs::rename(&folder, &aside).at("moving", &folder)?;
        remove_tree(&aside).at("removing", &aside)
    }
}
