//! The store: names that point to trees.
//!
//! Trees and records are made aside and renamed into place, tree first; so whatever is killed when, a name that is there
//! points to a tree that is whole. Must never change a tree that has its place.

use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use glovebox_schemas::names::is_environment;
use jiff::Timestamp;

use crate::dir;
use crate::error::{At, StoreError};
use crate::installed::{Installed, Record};
use crate::locks::{self, Hold};
use crate::packages;
use crate::staging::{Staging, lock_of};
use crate::unpack::{Unpacked, unpack};

/// What is known of an environment before it is unpacked.
#[derive(Clone, Debug)]
pub struct Meta {
    /// The manifest that it is made of, to be shown later.
    pub manifest: String,
    /// The most bytes that it may have.
    pub most_bytes: u64,
}

/// A folder of environments.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// Opens the store in a folder, which is made if need be.
    ///
    /// # Errors
    /// When it can't be made, or others could write to it.
    pub fn open(dir: &Path) -> Result<Store, StoreError> {
        dir::make(dir)?;
        let store = Store {
            dir: std::path::absolute(dir).at("finding", dir)?,
        };
        for folder in [store.content(), store.names(), store.staging()] {
            dir::make(&folder)?;
        }
        Ok(store)
    }

    /// The store in a folder, if there is one: reading must not need the right to make it.
    ///
    /// # Errors
    /// When others could write to it.
    pub fn open_if_present(dir: &Path) -> Result<Option<Store>, StoreError> {
        if !dir.join("names").exists() {
            return Ok(None);
        }
        Store::open(dir).map(Some)
    }

    /// An unnamed file on the store's disk, for the tar to be written to first.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn spool(&self) -> Result<File, StoreError> {
        let staging = self.staging();
        tempfile::tempfile_in(&staging).at("making a file in", &staging)
    }

    /// Makes an environment of a tar and gives it the name, whether or not another had it. A failure leaves all as it was.
    ///
    /// # Errors
    /// When the tar holds what has no place in an environment, or the disk is full.
    pub fn add(
        &self,
        language: &str,
        name: &str,
        meta: Meta,
        tar: impl Read,
    ) -> Result<Installed, StoreError> {
        self.check(language, name)?;
        let staging = {
            let _lock = self.lock()?;
            Staging::new(&self.staging())?
        };
        let tree = staging.tree();
        fs::create_dir(&tree).at("making the folder", &tree)?;
        let root = File::open(&tree).at("opening", &tree)?;
        let Unpacked {
            id,
            size_bytes,
            files,
        } = unpack(root.as_fd(), &tree, meta.most_bytes, tar)?;
        let record = Record {
            id,
            packages: packages::read(root.as_fd()),
            manifest: meta.manifest,
            built_at: Timestamp::now(),
            size_bytes,
            files,
        };
        record.write(&staging.record())?;
        self.publish(&staging, language, name, &record.id)?;
        Ok(record.installed(language, name, &self.content()))
    }

    /// Puts tree and record in their places.
    fn publish(
        &self,
        staging: &Staging,
        language: &str,
        name: &str,
        id: &str,
    ) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        let place = self.content().join(id);
        if !place.exists() {
            fs::rename(staging.tree(), &place).at("moving the files to", &place)?;
            sync(&self.content())?;
        }
        // Only now: its owner, not being root, can't move a read-only folder.
        fs::set_permissions(&place, Permissions::from_mode(0o555)).at("sealing", &place)?;
        let names = self.names().join(language);
        dir::make(&names)?;
        sync(&self.names())?;
        let record = self.record(language, name);
        fs::rename(staging.record(), &record).at("writing", &record)?;
        sync(&names)
    }

    /// Every environment, sorted by language and name.
    ///
    /// # Errors
    /// When the folder can't be read, or a record is none.
    pub fn list(&self) -> Result<Vec<Installed>, StoreError> {
        let mut all = Vec::new();
        for language in names_in(&self.names())? {
            for file in names_in(&self.names().join(&language))? {
                let name = file.strip_suffix(".json").unwrap_or_default();
                if is_environment(&language) && is_environment(name) {
                    // One that is removed meanwhile is not there.
                    all.extend(self.read(&language, name)?);
                }
            }
        }
        all.sort_by(|one, other| (&one.language, &one.name).cmp(&(&other.language, &other.name)));
        Ok(all)
    }

    /// The environment that is called so.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, language: &str, name: &str) -> Result<Installed, StoreError> {
        self.check(language, name)?;
        match self.read(language, name)? {
            Some(installed) => Ok(installed),
            None => Err(self.missing(language, name)),
        }
    }

    /// Takes the name away; the tree goes with the next [`Store::sweep`], or later if somebody holds it.
    ///
    /// # Errors
    /// When there is none.
    pub fn remove(&self, language: &str, name: &str) -> Result<(), StoreError> {
        self.check(language, name)?;
        let _lock = self.lock()?;
        let record = self.record(language, name);
        match fs::remove_file(&record) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.missing(language, name));
            }
            removed => removed.at("removing", &record)?,
        }
        sync(&self.names().join(language))
    }

    /// Keeps a tree where it is for as long as the answer lives, even when its name is taken away.
    ///
    /// # Errors
    /// When it was removed since it was found.
    pub fn hold(&self, installed: &Installed) -> Result<Hold, StoreError> {
        let path = lock_of(&self.content().join(&installed.id));
        let gone = || StoreError::Gone(format!("{}:{}", installed.language, installed.name));
        let lock = locks::try_shared(&path)
            .at("locking", &path)?
            .ok_or_else(gone)?;
        // Whoever sweeps a tree away holds its lock until it is gone.
        if !installed.folder.exists() {
            return Err(gone());
        }
        Ok(Hold::new(lock))
    }

    /// Every environment, held: nobody can remove one between its being found and its being used.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub fn hold_all(&self) -> Result<Vec<(Installed, Hold)>, StoreError> {
        let _lock = self.lock()?;
        let all = self.list()?.into_iter();
        all.map(|installed| {
            let hold = self.hold(&installed)?;
            Ok((installed, hold))
        })
        .collect()
    }

    fn read(&self, language: &str, name: &str) -> Result<Option<Installed>, StoreError> {
        let record = Record::read(&self.record(language, name))?;
        let installed = record.map(|record| record.installed(language, name, &self.content()));
        Ok(installed.filter(|installed| installed.folder.is_dir()))
    }

    fn check(&self, language: &str, name: &str) -> Result<(), StoreError> {
        match [language, name]
            .into_iter()
            .find(|text| !is_environment(text))
        {
            Some(text) => Err(StoreError::Name(text.to_owned())),
            None => Ok(()),
        }
    }

    fn missing(&self, language: &str, name: &str) -> StoreError {
        let all = self.list().unwrap_or_default().into_iter();
        let of_language = all.filter(|one| one.language == language);
        StoreError::Missing {
            language: language.to_owned(),
            name: name.to_owned(),
            present: of_language
                .map(|one| format!("{language}:{}", one.name))
                .collect(),
        }
    }

    pub(crate) fn lock(&self) -> Result<File, StoreError> {
        let path = self.dir.join("lock");
        locks::wait(&path).at("locking", &path)
    }

    pub(crate) fn content(&self) -> PathBuf {
        self.dir.join("content")
    }

    pub(crate) fn names(&self) -> PathBuf {
        self.dir.join("names")
    }

    pub(crate) fn staging(&self) -> PathBuf {
        self.dir.join("staging")
    }

    fn record(&self, language: &str, name: &str) -> PathBuf {
        self.names().join(language).join(format!("{name}.json"))
    }
}

/// The names in a folder that are text; all of ours are.
pub(crate) fn names_in(folder: &Path) -> Result<Vec<String>, StoreError> {
    let entries = fs::read_dir(folder).at("reading", folder)?;
    let names = entries.map(|entry| Ok(entry?.file_name().into_string().ok()));
    let names: io::Result<Vec<Option<String>>> = names.collect();
    Ok(names.at("reading", folder)?.into_iter().flatten().collect())
}

/// A rename is on the disk once its folder is.
fn sync(folder: &Path) -> Result<(), StoreError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.at("writing", folder)
}
