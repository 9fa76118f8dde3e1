//! The section `[environment]`: packages that an operator has installed for a language, in a cell, and that jobs then see
//! read-only at `/env`.
//!
//! An installer runs code of strangers, too: its cell must get nothing that is not written here or in the profile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::command::{self, Holds};
use crate::document::Section;
use crate::error::PolicyError;
use crate::group::{self, Group, Groups};
use crate::limits;
use crate::profile::{Absent, Limits, Root};
use crate::root;
use crate::syscalls::Syscalls;

/// How package environments of a language are made and used.
#[derive(Clone, Debug, PartialEq)]
pub struct Environment {
    /// The file that lists the packages: `requirements.txt`.
    pub manifest: String,
    /// The Debian package that brings the installer.
    pub package: String,
    /// What the installer needs of the host's files.
    pub needs: Vec<PathBuf>,
    /// The commands that install, one after the other. The working folder holds the manifest; `/env` is writable.
    pub install: Vec<Vec<String>>,
    /// The command that prints the installed packages as JSON.
    pub list: Vec<String>,
    /// Replaces the profile's `run`; see [`Environment::command`].
    pub run: Vec<String>,
    /// Laid over the profile's environment when a job uses the environment.
    pub env: BTreeMap<String, String>,
    /// Laid over the profile's and the proxy's environment while installing.
    pub install_env: BTreeMap<String, String>,
    /// Symbolic links in the root of a cell that uses the environment, and where they lead.
    pub links: BTreeMap<PathBuf, PathBuf>,
    /// What the installer sees of the host's files.
    pub root: Root,
    /// What the installer may do.
    pub syscalls: Syscalls,
    /// The installer's limits.
    pub limits: Limits,
}

impl Environment {
    /// The command line that runs `entrypoint` with the environment.
    pub fn command(&self, entrypoint: &str, args: &[String]) -> Vec<String> {
        let mut line = command::fill(&self.run, entrypoint, &[]);
        line.extend(args.iter().cloned());
        line
    }

    /// The first thing that installing needs and this host does not have.
    pub fn absent(&self) -> Option<Absent> {
        let missing = self
            .needs
            .iter()
            .chain(&self.root.read_only)
            .find(|path| !path.exists())?;
        Some(Absent {
            path: missing.clone(),
            package: self.package.clone(),
        })
    }

    /// Reads the section; `shared` is what the file says about a run with the network.
    pub(crate) fn read(
        section: &Section<'_>,
        shared: &Group,
        groups: &Groups,
    ) -> Result<Environment, PolicyError> {
        section.only(&[
            "manifest",
            "package",
            "needs",
            "install",
            "list",
            "run",
            "env",
            "install_env",
            "links",
            "include",
            "root",
            "syscalls",
            "limits",
        ])?;
        let mut own = Group::parts(section)?;
        // [environment.env] is for jobs that use it, not for the installer.
        let env = std::mem::take(&mut own.env);
        let mut install_env = own.resolve(groups)?.env;
        install_env.extend(group::env(section, "install_env")?);
        let whole = shared.with(&own).resolve(groups)?;
        let run = section.need("run", "[\"/env/bin/interpreter\", \"{entrypoint}\"]")?;
        let list = section.need("list", "[\"/env/bin/interpreter\", …]")?;
        let limits = section
            .need("limits", "{ wall = \"5min\", … }")?
            .section()?;
        Ok(Environment {
            manifest: manifest(section)?,
            package: section
                .need("package", "\"the Debian package of the installer\"")?
                .string()?
                .to_owned(),
            needs: root::paths(section.get("needs"))?,
            install: install(section)?,
            list: command::command(&list, Holds::Nothing)?,
            run: command::command(&run, Holds::Program)?,
            env,
            install_env,
            links: links(section)?,
            syscalls: whole.syscalls(&section.place())?,
            root: whole.root,
            limits: limits::read(&limits, None)?,
        })
    }
}

fn manifest(section: &Section<'_>) -> Result<String, PolicyError> {
    let item = section.need("manifest", "\"requirements.txt\"")?;
    root::file_name(&item)
}

fn install(section: &Section<'_>) -> Result<Vec<Vec<String>>, PolicyError> {
    let item = section.need("install", "[[\"/usr/bin/installer\", …], …]")?;
    let commands = item.list()?;
    if commands.is_empty() {
        return Err(item.refuse("installs nothing", "write one command at least"));
    }
    let read = |one| command::command(one, Holds::Nothing);
    commands.iter().map(read).collect()
}

fn links(section: &Section<'_>) -> Result<BTreeMap<PathBuf, PathBuf>, PolicyError> {
    let mut links = BTreeMap::new();
    let Some(item) = section.get("links") else {
        return Ok(links);
    };
    for (link, target) in item.section()?.items() {
        let leads = target.string()?;
        let plain = |text: &str| {
            let path = Path::new(text);
            path.is_absolute() && path.components().collect::<PathBuf>().as_os_str() == text
        };
        let inside = leads == "/env" || leads.starts_with("/env/");
        if !plain(link) || link == "/" || !plain(leads) || !inside || leads.contains("/..") {
            return Err(target.refuse(
                format!("{link:?} → {leads:?} is not a link into the environment"),
                "write absolute plain paths, such as \"/node_modules\" = \"/env/node_modules\"",
            ));
        }
        links.insert(PathBuf::from(link), PathBuf::from(leads));
    }
    Ok(links)
}
