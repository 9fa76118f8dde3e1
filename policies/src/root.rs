//! The section `[root]`: which paths of the host a program sees, read-only.
//!
//! A path here shows a part of the host to strangers: it must be absolute and plain, and it must never be one of those
//! that the cell makes afresh.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use crate::document::{Item, Section};
use crate::error::PolicyError;
use crate::profile::Root;

/// The cell makes these itself; the host's would undo the isolation.
const MADE_BY_THE_CELL: [&str; 5] = ["/proc", "/sys", "/dev", "/tmp", "/work"];

/// Reads the section `[root]`.
pub(crate) fn root(section: &Section<'_>) -> Result<Root, PolicyError> {
    section.only(&["read_only", "optional"])?;
    let lists = ["read_only", "optional"].map(|name| section.get(name));
    let mut places = BTreeMap::new();
    for list in lists.iter().flatten() {
        for item in list.list()? {
            places.insert(path(&item)?, item.place());
        }
    }
    let [read_only, optional] = lists;
    Ok(Root {
        read_only: paths(read_only)?,
        optional: paths(optional)?,
        places,
    })
}

impl Root {
    /// Adds the paths of another file; what one of them requires is required.
    pub(crate) fn join(&mut self, other: &Root) {
        for path in &other.read_only {
            if !self.read_only.contains(path) {
                self.read_only.push(path.clone());
            }
        }
        for path in &other.optional {
            if !self.optional.contains(path) {
                self.optional.push(path.clone());
            }
        }
        self.optional.retain(|path| !self.read_only.contains(path));
        for (path, place) in &other.places {
            self.places
                .entry(path.clone())
                .or_insert_with(|| place.clone());
        }
    }

    /// The error that a path, which has to be there, is not; it names where the path is written.
    pub fn missing(&self, path: &Path) -> Option<PolicyError> {
        let listed = self.read_only.iter().any(|one| one == path);
        let place = self.places.get(path).filter(|_| listed)?;
        Some(place.refuse(
            format!("{} is not on this host", path.display()),
            "mend the path, take it out, or list it as optional",
        ))
    }

    /// The paths that this host has and this user can't read, each as an error that names where it is written.
    pub fn unreadable(&self) -> Vec<PolicyError> {
        let refused = |path: &PathBuf| {
            let why = readable(path).err()?;
            let place = self.places.get(path)?;
            Some(place.refuse(
                format!("{} can't be read here: {why}", path.display()),
                "let this user read it, or take it out",
            ))
        };
        let all = self.read_only.iter().chain(&self.optional);
        all.filter_map(refused).collect()
    }
}

/// Whether a path can be opened; one that is not there can't be unreadable.
fn readable(path: &Path) -> io::Result<()> {
    let opened = match fs::metadata(path) {
        Ok(found) if found.is_dir() => fs::read_dir(path).map(drop),
        Ok(_) => fs::File::open(path).map(drop),
        Err(error) => Err(error),
    };
    match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// A list of plain absolute paths; none where there is no list.
pub(crate) fn paths(item: Option<Item<'_>>) -> Result<Vec<PathBuf>, PolicyError> {
    let Some(item) = item else {
        return Ok(Vec::new());
    };
    item.list()?.iter().map(path).collect()
}

fn path(item: &Item<'_>) -> Result<PathBuf, PolicyError> {
    let written = item.string()?;
    let path = Path::new(written);
    if !path.is_absolute() {
        return Err(item.refuse(
            format!("{written:?} is not an absolute path"),
            "begin it with /",
        ));
    }
    let plain: PathBuf = path.components().collect();
    if plain.as_os_str() != written || path.components().any(|part| part == Component::ParentDir) {
        return Err(item.refuse(
            format!("{written:?} is not a plain path"),
            "write it without . or .. and without a / too many",
        ));
    }
    if path == Path::new("/") {
        return Err(item.refuse(
            "\"/\" would show the whole host",
            "name the folders that the language needs",
        ));
    }
    if MADE_BY_THE_CELL.iter().any(|own| path.starts_with(own)) {
        return Err(item.refuse(
            format!("{written:?} is made afresh for each cell and never taken from the host"),
            format!(
                "take it out ({} are always there)",
                MADE_BY_THE_CELL.join(", ")
            ),
        ));
    }
    Ok(plain)
}

/// The name of a file in the working folder.
pub(crate) fn file_name(item: &Item<'_>) -> Result<String, PolicyError> {
    match item.string()? {
        file if file.is_empty() || file.contains('/') || file.starts_with(['.', '-']) => Err(item
            .refuse(
                format!("{file:?} is not a plain file name"),
                "write a name such as \"main.py\"; it lies in the working folder",
            )),
        file => Ok(file.to_owned()),
    }
}
