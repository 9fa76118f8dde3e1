//! A profile: everything that a language needs and may do, checked.
//!
//! A value of this type has passed every check; it must never be changed into one that has not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::command;
use crate::compile::Compile;
use crate::environment::Environment;
use crate::error::Place;
use crate::proxy::Proxy;
use crate::syscalls::Syscalls;
use crate::warm::Warm;

/// The working folder of a cell: what lies there, the host does not have.
const WORKDIR: &str = "/work";

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
    /// The endings of the language's files, without the dot; that of `source` is the first.
    pub suffixes: Vec<String>,
    /// The command that prints the version of the interpreter or compiler.
    pub version: Vec<String>,
    /// The command that runs a program; see [`Profile::command`].
    pub run: Vec<String>,
    /// How a job is compiled first, where the language needs it.
    pub compile: Option<Compile>,
    /// The Debian package that brings the interpreter or compiler.
    pub package: String,
    /// The environment a program starts with; a job's own is laid over it.
    pub env: BTreeMap<String, String>,
    /// What is seen of the host's files.
    pub root: Root,
    /// Whether files in the working folder may be executed.
    pub exec_workdir: bool,
    /// The network modes a job may ask for.
    pub network: Vec<String>,
    /// What the mode `proxy` reaches, where it is offered.
    pub proxy: Option<Proxy>,
    /// How package environments are made, where the language can have them.
    pub environment: Option<Environment>,
    /// What is kept warm of it; `None`: every job starts its interpreter anew.
    pub warm: Option<Warm>,
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
    /// Where each is written.
    pub(crate) places: BTreeMap<PathBuf, Place>,
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
    /// The first thing missing on this host: the interpreter, the compiler or a path of a root.
    pub fn absent(&self) -> Option<Absent> {
        let compiler = self.compile.as_ref();
        let programs = [
            self.run.first(),
            compiler.and_then(|step| step.command.first()),
            self.version.first(),
        ];
        let programs = programs.into_iter().flatten().map(Path::new);
        let roots = [Some(&self.root), compiler.map(|step| &step.root)];
        let shown = roots.into_iter().flatten().flat_map(|root| &root.read_only);
        let missing = programs
            .filter(|program| !program.starts_with(WORKDIR))
            .chain(shown.map(PathBuf::as_path))
            .find(|path| !path.exists())?;
        Some(Absent {
            path: missing.to_owned(),
            package: self.package.clone(),
        })
    }

    /// The command line that runs `entrypoint`, a path relative to the working folder.
    pub fn command(&self, entrypoint: &str, args: &[String]) -> Vec<String> {
        let mut line = command::fill(&self.run, entrypoint, &[]);
        line.extend(args.iter().cloned());
        line
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

    /// The system calls of every cell that this profile describes, each with its part: `run`, `proxy`, `compile`, `install`.
    pub fn parts(&self) -> Vec<(&'static str, &Syscalls)> {
        let parts = [
            ("run", Some(&self.syscalls)),
            ("proxy", self.proxy.as_ref().map(|part| &part.syscalls)),
            ("compile", self.compile.as_ref().map(|part| &part.syscalls)),
            (
                "install",
                self.environment.as_ref().map(|part| &part.syscalls),
            ),
        ];
        parts
            .into_iter()
            .filter_map(|(name, part)| Some((name, part?)))
            .collect()
    }

    /// What each cell that this profile describes sees of the host, each with its part as in [`Profile::parts`].
    pub fn roots(&self) -> Vec<(&'static str, &Root)> {
        let roots = [
            ("run", Some(&self.root)),
            ("proxy", self.proxy.as_ref().map(|part| &part.root)),
            ("compile", self.compile.as_ref().map(|part| &part.root)),
            ("install", self.environment.as_ref().map(|part| &part.root)),
        ];
        let there = |(name, root): (_, Option<_>)| Some((name, root?));
        roots.into_iter().filter_map(there).collect()
    }
}
