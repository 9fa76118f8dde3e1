//! Other people's jails, each with the strictest options that it has for what a cell of ours does: all namespaces,
//! a read-only root with `/usr` in it, a small `/tmp`, `/proc` and `/dev`, no capabilities, an ordinary uid,
//! no_new_privs, limits where it has cgroups, and a filter of the system calls that the profiles of Python and Node.js allow.
//!
//! Their filters know the calls' numbers only, not the conditions that ours puts on arguments. Must never give one of
//! them less than it needs to be fast: what can be compiled ahead is.

mod bubblewrap;
mod crun;
mod filter;
mod minijail;
pub(crate) mod nsjail;

use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, bail};
use rustix::fs::{Mode, OFlags};

use crate::agent::Outset;
use crate::program::Program;
use crate::way::Way;

/// Limits, where the jail has them.
const MEMORY_BYTES: u64 = 256 << 20;
const PROCESSES: u64 = 32;
const TMP_BYTES: u64 = 64 << 20;
const NOBODY: u32 = 65_534;

/// What of the host every jail shows, read-only.
const SHOWN: [&str; 3] = ["/usr", "/etc/ld.so.cache", "/etc/alternatives"];
/// Symbolic links of a root: where, and to what.
const LINKS: [(&str, &str); 3] = [
    ("/bin", "usr/bin"),
    ("/lib", "usr/lib"),
    ("/lib64", "usr/lib64"),
];
const DEVICES: [&str; 3] = ["/dev/null", "/dev/zero", "/dev/urandom"];

/// In a command line: the number of the filter's descriptor.
const FILTER_FD: &str = "{filter}";
/// In a command line: a name that was not there before.
const NEW_NAME: &str = "{name}";

/// How a program is started in a jail.
pub(crate) struct Jail {
    binary: PathBuf,
    words: Vec<String>,
    env: Vec<String>,
    /// Read by the jail from a descriptor.
    filter: Option<PathBuf>,
}

/// What the parts of this room make a command line from.
struct Site<'a> {
    program: &'a Program,
    /// The program's own folder for files.
    scratch: PathBuf,
    /// Names of the calls that are allowed.
    calls: Vec<String>,
}

impl Jail {
    pub(crate) fn new(way: Way, program: &Program, outset: &Outset) -> anyhow::Result<Jail> {
        let binary = way.installed().context("it is not installed")?;
        let scratch = outset
            .scratch
            .join(format!("{}-{}", way.name(), program.name));
        std::fs::create_dir_all(&scratch)?;
        let site = Site {
            program,
            scratch,
            calls: filter::calls()?,
        };
        let mut filter = None;
        let words = match way {
            Way::Bubblewrap => {
                filter = Some(filter::compiled(&site)?);
                bubblewrap::words(&site)
            }
            Way::Minijail => minijail::words(&site)?,
            Way::Nsjail => nsjail::words(&site)?,
            Way::Crun => crun::words(&site)?,
            _ => bail!("{} is no jail", way.name()),
        };
        Ok(Jail {
            binary,
            words,
            env: program.env_here(),
            filter,
        })
    }

    /// Gives the command to `start`, which has to start it there: what it holds open is closed after that.
    pub(crate) fn command<T>(
        &self,
        start: impl FnOnce(&mut Command) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        static STARTS: AtomicU32 = AtomicU32::new(0);
        // Without close-on-exec, and with a place of its own in the file: the jail reads it to its end.
        let open = |path| rustix::fs::open(path, OFlags::RDONLY, Mode::empty());
        let filter = self.filter.as_ref().map(open).transpose()?;
        let name = STARTS.fetch_add(1, Ordering::Relaxed);
        let word = |word: &String| match (word.as_str(), &filter) {
            (FILTER_FD, Some(filter)) => filter.as_raw_fd().to_string(),
            (NEW_NAME, _) => format!("bench-{}-{name}", std::process::id()),
            _ => word.clone(),
        };
        let mut command = Command::new(&self.binary);
        command.args(self.words.iter().map(word)).env_clear();
        command.envs(self.env.iter().filter_map(|one| one.split_once('=')));
        start(&mut command)
    }
}

impl Site<'_> {
    /// The host's paths that the program sees.
    fn shown(&self) -> Vec<&Path> {
        let packages = self.program.packages.as_ref();
        let packages = packages.map(|packages| packages.folder.as_path());
        SHOWN.iter().map(Path::new).chain(packages).collect()
    }

    /// A root with folders to mount on, for jails that make none themselves.
    fn root(&self) -> anyhow::Result<PathBuf> {
        let root = self.scratch.join("root");
        for folder in ["proc", "dev", "tmp", "etc"] {
            std::fs::create_dir_all(root.join(folder))?;
        }
        for shown in self.shown() {
            let place = root.join(shown.strip_prefix("/")?);
            match shown.is_dir() {
                true => std::fs::create_dir_all(place)?,
                false => std::fs::write(place, "")?,
            }
        }
        for (at, to) in LINKS {
            let place = root.join(at.trim_start_matches('/'));
            if place.symlink_metadata().is_err() {
                std::os::unix::fs::symlink(to, place)?;
            }
        }
        Ok(root)
    }

    /// Writes a file for the jail to read.
    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> anyhow::Result<String> {
        let path = self.scratch.join(name);
        std::fs::write(&path, content)?;
        Ok(path.to_str().context("a path that is no text")?.to_owned())
    }
}

/// Words of a command line.
fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
