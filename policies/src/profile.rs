//! A profile: everything that a language needs and may do, checked.
//!
//! A value of this type has passed every check; it must never be changed into one that has not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::arch::Arch;
use crate::compile::{self, Filter};
use crate::error::PolicyError;
use crate::syscalls::Syscalls;

/// Stands in `run` where the program's file goes.
pub(crate) const ENTRYPOINT: &str = "{entrypoint}";

/// What a language needs and may do.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The language's name; also the name of its file.
    pub name: String,
    /// Other names for it.
    pub aliases: Vec<String>,
    /// One line for people.
    pub description: String,
    /// The file that a job's `code` becomes.
    pub source: String,
    /// The command; `{entrypoint}` stands for the program's file.
    pub run: Vec<String>,
    /// The Debian package that brings the interpreter.
    pub package: String,
    /// The environment a program starts with; a job's own is laid over it.
    pub env: BTreeMap<String, String>,
    /// What is seen of the host's files.
    pub root: Root,
    /// Whether files in the working folder may be executed.
    pub exec_workdir: bool,
    /// The network modes a job may ask for.
    pub network: Vec<String>,
    /// The limits of a job that asks for none.
    pub defaults: Limits,
    /// The highest limits a job may ask for.
    pub ceilings: Limits,
    /// How many descriptors a process may have open.
    pub open_files: u64,
    /// How much processor time per time: 1.0 is one whole processor.
    pub cpus: f64,
    /// What is allowed, refused and deadly.
    pub syscalls: Syscalls,
}

/// What is seen of the host's files, read-only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Root {
    /// Paths that have to be there.
    pub read_only: Vec<PathBuf>,
    /// Paths that are left out where the host does not have them.
    pub optional: Vec<PathBuf>,
}

/// How much of each thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time on the clock.
    pub wall: Duration,
    /// Time on processors.
    pub cpu: Duration,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes in the working folder and `/tmp`.
    pub disk: u64,
    /// Bytes of standard output, and as many of standard error.
    pub output: u64,
    /// Processes and threads together.
    pub processes: u64,
}

/// Something that a profile needs and this host does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// The missing path.
    pub path: PathBuf,
    /// The Debian package that brings it.
    pub package: String,
}

impl Profile {
    /// The first thing missing on this host: the interpreter or a path of the root.
    pub fn absent(&self) -> Option<Absent> {
        let needed = self.root.read_only.iter().map(PathBuf::as_path);
        let missing = std::iter::once(self.interpreter())
            .chain(needed)
            .find(|path| !path.exists())?;
        Some(Absent {
            path: missing.to_owned(),
            package: self.package.clone(),
        })
    }

    /// The command line that runs `entrypoint`, a path relative to the working folder.
    pub fn command(&self, entrypoint: &str, args: &[String]) -> Vec<String> {
        // A file called "-c" must not become an option of the interpreter.
        let file = if entrypoint.starts_with('-') {
            format!("./{entrypoint}")
        } else {
            entrypoint.to_owned()
        };
        let run = self.run.iter().map(|word| word.replace(ENTRYPOINT, &file));
        run.chain(args.iter().cloned()).collect()
    }

    /// The seccomp filter of this profile.
    pub fn compile(&self, arch: Arch) -> Result<Filter, PolicyError> {
        compile::filter(&self.syscalls, arch).map_err(|problem| PolicyError::Compile {
            profile: self.name.clone(),
            arch,
            problem,
        })
    }

    /// Whether `language` is this profile's name or one of its aliases.
    pub(crate) fn is_called(&self, language: &str) -> bool {
        self.names().any(|name| name == language)
    }

    /// Its name and its aliases.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name)
            .chain(&self.aliases)
            .map(String::as_str)
    }

    /// The interpreter, as the host knows it.
    pub fn interpreter(&self) -> &Path {
        Path::new(self.run.first().map_or("", String::as_str))
    }
}
