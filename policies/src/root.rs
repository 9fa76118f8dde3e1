//! The section `[root]`: which paths of the host a program sees, read-only.
//!
//! A path here shows a part of the host to strangers: it must be absolute and plain, and it must never be one of those
//! that the cell makes afresh.

use std::path::{Component, Path, PathBuf};

use crate::document::{Item, Section};
use crate::error::PolicyError;
use crate::profile::Root;

/// The cell makes these itself; the host's would undo the isolation.
const MADE_BY_THE_CELL: [&str; 5] = ["/proc", "/sys", "/dev", "/tmp", "/work"];

/// Reads the section `[root]`.
pub(crate) fn root(section: &Section<'_>) -> Result<Root, PolicyError> {
    section.only(&["read_only", "optional"])?;
    Ok(Root {
        read_only: paths(section.get("read_only"))?,
        optional: paths(section.get("optional"))?,
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
