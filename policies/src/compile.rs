//! The section `[compile]`: what becomes of a job's files before the program is started.
//!
//! It is a cell of its own with its own view and its own calls: what a compiler needs, the program must not get by that.

use std::collections::BTreeMap;

use globset::Glob;

use crate::command::{self, Holds};
use crate::document::Section;
use crate::error::PolicyError;
use crate::group::{Group, Groups};
use crate::limits;
use crate::profile::{Limits, Root};
use crate::syscalls::Syscalls;

/// How a job is compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct Compile {
    /// The command; see [`Compile::command_line`].
    pub command: Vec<String>,
    /// Which files of the working folder are handed to the run, besides the job's own: globs.
    pub artifacts: Vec<String>,
    /// The compiler's environment; the profile's and the job's are not laid over it.
    pub env: BTreeMap<String, String>,
    /// What the compiler sees of the host's files.
    pub root: Root,
    /// Whether files in the working folder may be executed while compiling.
    pub exec_workdir: bool,
    /// The compiler's limits. A job does not change them.
    pub limits: Limits,
    /// What the compiler may do.
    pub syscalls: Syscalls,
}

impl Compile {
    /// The compiler's command line. `sources` are the job's files; of those the ones with the entrypoint's suffix are used.
    pub fn command_line(&self, entrypoint: &str, sources: &[String]) -> Vec<String> {
        command::fill(&self.command, entrypoint, sources)
    }

    pub(crate) fn read(section: &Section<'_>, groups: &Groups) -> Result<Compile, PolicyError> {
        section.only(&[
            "command",
            "artifacts",
            "include",
            "root",
            "env",
            "limits",
            "syscalls",
            "exec_workdir",
        ])?;
        let command = section.need("command", "[\"/usr/bin/compiler\", \"{sources}\"]")?;
        let limits = section.need("limits", "{ wall = \"30s\", … }")?.section()?;
        let exec_workdir = section.get("exec_workdir");
        let whole = Group::parts(section)?.resolve(groups)?;
        Ok(Compile {
            command: command::command(&command, Holds::Sources)?,
            artifacts: artifacts(section)?,
            limits: limits::read(&limits, None)?,
            exec_workdir: exec_workdir.map_or(Ok(true), |item| item.boolean())?,
            syscalls: whole.syscalls(&section.place())?,
            env: whole.env,
            root: whole.root,
        })
    }
}

fn artifacts(section: &Section<'_>) -> Result<Vec<String>, PolicyError> {
    let list = section.need("artifacts", "[\"program\"]")?;
    let items = list.list()?;
    if items.is_empty() {
        return Err(list.refuse(
            "hands nothing to the run",
            "name what the compiler makes, such as [\"program\"]",
        ));
    }
    for item in &items {
        let glob = item.string()?;
        if let Err(error) = Glob::new(glob) {
            return Err(item.refuse(
                format!("{glob:?} is not a glob: {}", error.kind()),
                "write one such as \"program\" or \"**/*.class\"",
            ));
        }
        if glob.is_empty() || glob.starts_with('/') || glob.split('/').any(|part| part == "..") {
            return Err(item.refuse(
                format!("{glob:?} leaves the working folder"),
                "write it relative to the working folder, without ..",
            ));
        }
    }
    list.texts()
}
