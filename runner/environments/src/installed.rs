//! An environment that is installed, and the record that a name points with.
//!
//! Records are replaced by a rename, so a reader sees the old one or the new one. Must never take a path from a record:
//! the folder follows from the id, and the id is checked.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{At, StoreError};

/// The largest record that is read.
const MOST_RECORD_BYTES: u64 = 64 * 1024 * 1024;

/// An environment that jobs can use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Installed {
    /// The name of the profile that it belongs to.
    pub language: String,
    /// Its name within the language.
    pub name: String,
    /// The SHA-256 of what is in it.
    pub id: String,
    /// The read-only folder.
    pub folder: PathBuf,
    /// What the installer says is in it; a claim, not a fact.
    pub packages: Vec<Package>,
    /// The manifest that it was made of.
    pub manifest: String,
    /// When it was made.
    pub built_at: Timestamp,
    /// The bytes of its files.
    pub size_bytes: u64,
    /// How many files it has.
    pub files: u64,
}

/// A package by its own account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What is written down. Fields that a later version adds are ignored by an older one.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) packages: Vec<Package>,
    pub(crate) manifest: String,
    pub(crate) built_at: Timestamp,
    pub(crate) size_bytes: u64,
    pub(crate) files: u64,
}

impl Record {
    /// The record at `path`; `None` where there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Record>, StoreError> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.at("opening", path)?,
        };
        let mut text = Vec::new();
        let read = file.take(MOST_RECORD_BYTES).read_to_end(&mut text);
        read.at("reading", path)?;
        let wrong = |source| StoreError::Record {
            path: path.to_owned(),
            source,
        };
        let record: Record = serde_json::from_slice(&text).map_err(|error| wrong(error.into()))?;
        if !is_id(&record.id) {
            return Err(wrong(io::Error::other("its id is not a SHA-256")));
        }
        Ok(Some(record))
    }

    /// Writes it to a file of its own, down to the disk.
    pub(crate) fn write(&self, path: &Path) -> Result<(), StoreError> {
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::from);
        let text = text.at("writing", path)?;
        let mut file = File::create_new(path).at("making", path)?;
        let written = file.write_all(&text).and_then(|()| file.sync_all());
        written.at("writing", path)
    }

    pub(crate) fn installed(self, language: &str, name: &str, content: &Path) -> Installed {
        Installed {
            language: language.to_owned(),
            name: name.to_owned(),
            folder: content.join(&self.id),
            id: self.id,
            packages: self.packages,
            manifest: self.manifest,
            built_at: self.built_at,
            size_bytes: self.size_bytes,
            files: self.files,
        }
    }
}

/// Whether it is a SHA-256 as this crate writes it.
pub(crate) fn is_id(text: &str) -> bool {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.len() == 64 && text.bytes().all(hex)
}
