//! Why a policy was refused, and how to mend it.
//!
//! A message must never leave out the file and the key: whoever reads it has the file open in an editor.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::arch::Arch;

/// A policy that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A file or folder of the policy directory could not be read.
    #[error("cannot read the policy {}; the directory needs profiles/*.toml or groups/*.toml that this user may read", path.display())]
    Read {
        /// What was being read.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Something written in a file is wrong.
    #[error("{place}: {problem}; {mend}")]
    Refused {
        /// File, line and key.
        place: Place,
        /// What is wrong.
        problem: String,
        /// What to write instead.
        mend: String,
    },
    /// The system calls of a profile do not become a filter.
    #[error(
        "profile {profile:?} does not compile for {arch}: {problem}; shorten its [syscalls] or report this as a bug"
    )]
    Compile {
        /// The profile's name.
        profile: String,
        /// The architecture it was compiled for.
        arch: Arch,
        /// What went wrong.
        problem: String,
    },
}

/// Where something is written: `policies/profiles/python.toml:12: syscalls.allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as a person would name it.
    pub file: String,
    /// The line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// The key, with dots; empty for the whole file.
    pub key: String,
}

impl Place {
    /// The error that something at this place is wrong.
    pub(crate) fn refuse(
        &self,
        problem: impl Into<String>,
        mend: impl Into<String>,
    ) -> PolicyError {
        PolicyError::Refused {
            place: self.clone(),
            problem: problem.into(),
            mend: mend.into(),
        }
    }

    /// File and line alone, to point at from another place.
    pub(crate) fn spot(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.file),
            None => self.file.clone(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spot())?;
        if self.key.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.key)
        }
    }
}

/// `did you mean "openat"?` where one of `known` is close to what was written.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.to_lowercase();
    known
        .into_iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&written, &name.to_lowercase()),
                name,
            )
        })
        .filter(|(distance, name)| *distance <= (written.len().max(name.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The mend for a name that is not known: the nearest one, or all of them.
pub(crate) fn did_you_mean(written: &str, known: &[&str]) -> String {
    match nearest(written, known.iter().copied()) {
        Some(name) => format!("did you mean {name:?}?"),
        None => format!("it is one of {}", known.join(", ")),
    }
}
