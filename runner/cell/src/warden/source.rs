//! Where waiting cells of one kind come from: from a template, or each from an interpreter of its own.
//!
//! Says the same of both. Must never decide how many there are to be.

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;

use super::WarmLibraries;
use super::ahead::{self, Ahead};
use super::slot::Host;
use super::standby::Offer;
use super::template::Template;
use crate::blueprint::{Blueprint, Warm};
use crate::protocol::{Event, FileSpec};
use crate::report::Failure;

/// How long a cell may take until it waits: a child of a template, and an interpreter that starts. On a busy machine a
/// child takes long, too, and starting cold would make that worse.
const BORN_WITHIN: Duration = Duration::from_secs(3);
const STARTED_WITHIN: Duration = Duration::from_secs(5);
/// How long a job waits for a child.
const AWAITED_FOR: Duration = Duration::from_millis(500);

/// The libraries that interpreters of both modes load.
pub(super) struct Libraries {
    pub(super) fork: OwnedFd,
    pub(super) ahead: OwnedFd,
}

impl Libraries {
    /// Sealed copies, for the loader.
    pub(super) fn new(bytes: WarmLibraries) -> Result<Libraries, Errno> {
        Ok(Libraries {
            fork: library(bytes.fork)?,
            ahead: library(bytes.ahead)?,
        })
    }
}

/// A sealed copy of the library, for the loader.
fn library(bytes: &'static [u8]) -> Result<OwnedFd, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memfd = rustix::fs::memfd_create(c"glovebox-inside", flags | MemfdFlags::EXEC)
        // MFD_EXEC is known since Linux 6.3.
        .or_else(|_| rustix::fs::memfd_create(c"glovebox-inside", flags))?;
    let mut rest = bytes;
    while !rest.is_empty() {
        let written = rustix::io::write(&memfd, rest)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&memfd, seals)?;
    Ok(memfd)
}

/// Of one blueprint.
pub(super) enum Source {
    Template(Box<Template>),
    Ahead(Ahead),
}

impl Source {
    /// Which blueprint's.
    pub(super) fn number(&self) -> u16 {
        match self {
            Source::Template(template) => template.number,
            Source::Ahead(ahead) => ahead.number,
        }
    }

    /// When a job last wanted one; 0 if none has.
    pub(super) fn wanted(&self) -> u64 {
        match self {
            Source::Template(template) => template.wanted,
            Source::Ahead(ahead) => ahead.wanted,
        }
    }

    pub(super) fn want(&mut self, now: u64) {
        match self {
            Source::Template(template) => template.wanted = now,
            Source::Ahead(ahead) => ahead.wanted = now,
        }
    }

    /// How long a cell of it may take until it waits.
    pub(super) fn patience(&self) -> Duration {
        match self {
            Source::Template(_) => BORN_WITHIN,
            Source::Ahead(_) => STARTED_WITHIN,
        }
    }

    /// How long a job waits for a cell of it.
    pub(super) fn patience_of_a_job(&self) -> Duration {
        match self {
            Source::Template(_) => AWAITED_FOR,
            Source::Ahead(_) => STARTED_WITHIN,
        }
    }

    /// What becomes readable when there is something to do.
    pub(super) fn watched(&self) -> impl Iterator<Item = &OwnedFd> {
        let template = match self {
            Source::Template(template) => Some(template),
            Source::Ahead(_) => None,
        };
        template.into_iter().flat_map(|one| one.watched())
    }

    /// Whether it offers nothing, and nothing is under way.
    pub(super) fn is_absent(&self) -> bool {
        match self {
            Source::Template(template) => template.is_absent(),
            Source::Ahead(ahead) => ahead.is_absent(),
        }
    }

    /// What it offers to a slot, if it can be used.
    pub(super) fn offer<'a>(
        &'a self,
        blueprint: &'a Blueprint,
        libraries: &'a Libraries,
    ) -> Option<Offer<'a>> {
        match self {
            Source::Template(template) => template.offer(blueprint),
            Source::Ahead(ahead) => ahead.offer(blueprint, &libraries.ahead),
        }
    }

    /// Whether a job with these files would find something in the place of one of them.
    pub(super) fn is_hidden_by(&self, warm: &Warm, files: &[FileSpec], program: &CStr) -> bool {
        match self {
            Source::Template(template) => template.is_hidden_by(files, program),
            Source::Ahead(_) => ahead::is_hidden_by(warm, files, program),
        }
    }

    /// Bytes that it uses itself.
    pub(super) fn memory(&mut self) -> u64 {
        match self {
            Source::Template(template) => template.memory(),
            Source::Ahead(_) => 0,
        }
    }

    /// Notes a cell that got ready.
    pub(super) fn gave(&mut self) {
        match self {
            Source::Template(template) => template.gave(),
            Source::Ahead(ahead) => ahead.gave(),
        }
    }

    /// Notes a cell, begun at `since`, that did not get ready.
    pub(super) fn failed(&mut self, since: u64, failure: Failure) {
        match self {
            Source::Template(template) => template.failed(since, failure),
            Source::Ahead(ahead) => ahead.failed(failure),
        }
    }

    /// Notes a job that got its order and was not begun.
    pub(super) fn lost(&mut self, failure: Failure) {
        match self {
            Source::Template(template) => template.lost(failure),
            Source::Ahead(ahead) => ahead.failed(failure),
        }
    }

    /// Counts a job.
    pub(super) fn count(&mut self, warm: &Warm) {
        match self {
            Source::Template(template) => template.count(warm),
            Source::Ahead(_) => {}
        }
    }

    /// Nobody asks for it.
    pub(super) fn forget(&mut self) {
        match self {
            Source::Template(template) => template.forget(),
            Source::Ahead(ahead) => ahead.wanted = 0,
        }
    }

    /// Has it be there, as far as that is something of its own.
    pub(super) fn start(
        &mut self,
        blueprint: &Blueprint,
        libraries: &Libraries,
        host: &Host,
    ) -> Option<Event> {
        match self {
            Source::Template(template) => template.start(blueprint, &libraries.fork, host),
            Source::Ahead(_) => None,
        }
    }

    /// Looks at it.
    pub(super) fn turn(&mut self, blueprint: &Blueprint, look: bool) -> Option<Event> {
        match self {
            Source::Template(template) => template.turn(blueprint, look),
            Source::Ahead(ahead) => ahead.turn(blueprint),
        }
    }
}
