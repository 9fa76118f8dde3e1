//! Interpreters that are started ahead of their jobs, one for each: for those that can't be forked.
//!
//! What is started is a cold cell with a library of ours in its interpreter, which waits where that would read the
//! program. There is no process that outlives a job, so there is nothing to be ended or made anew here; only a kind
//! whose interpreters do not come to wait is left alone for a while. Must never be waited for.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;

use super::cell::nanos;
use super::launch::{Inside, Parcel};
use super::slot::Host;
use super::standby::{From, Offer};
use super::template;
use crate::blueprint::{Blueprint, Warm};
use crate::enter;
use crate::protocol::{self, Event, FileSpec, Launch};
use crate::report::{Failure, at};
use crate::step::Step;
use crate::sys::clock;
use crate::warm::Brief;

/// Bytes that an interpreter is taken to need, until that is known.
const NEEDS: u64 = 16 * 1024 * 1024;
/// So many in a row that did not come to wait, and no more are started for a while; it doubles each time.
const MOST_FAILURES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// One blueprint's.
pub(super) struct Ahead {
    /// Which blueprint.
    pub(super) number: u16,
    /// When a job last wanted one.
    pub(super) wanted: u64,
    /// In a row.
    failures: u32,
    pause: Duration,
    /// None is started before this time.
    until: u64,
    /// What is still to be told.
    trouble: Option<Failure>,
}

impl Ahead {
    pub(super) fn new(number: u16) -> Ahead {
        Ahead {
            number,
            wanted: 0,
            failures: 0,
            pause: FIRST_PAUSE,
            until: 0,
            trouble: None,
        }
    }

    /// Whether none is started now.
    pub(super) fn is_absent(&self) -> bool {
        self.until > clock::now()
    }

    pub(super) fn offer<'a>(
        &self,
        blueprint: &'a Blueprint,
        library: &'a OwnedFd,
    ) -> Option<Offer<'a>> {
        (!self.is_absent()).then_some(Offer {
            number: self.number,
            blueprint,
            needs: NEEDS,
            from: From::Ahead(library),
        })
    }

    /// Notes one that waits.
    pub(super) fn gave(&mut self) {
        self.failures = 0;
        self.pause = FIRST_PAUSE;
    }

    /// Notes one that does not come to wait, or that was lost.
    pub(super) fn failed(&mut self, failure: Failure) {
        self.failures += 1;
        if self.failures >= MOST_FAILURES {
            self.failures = 0;
            self.until = clock::now() + nanos(self.pause);
            self.pause = LONGEST_PAUSE.min(self.pause * 2);
            self.trouble = Some(failure);
        }
    }

    /// Tells of what was wrong, once.
    pub(super) fn turn(&mut self, blueprint: &Blueprint) -> Option<Event> {
        let failure = self.trouble.take()?;
        Some(Event::Cold {
            name: blueprint.name.clone(),
            reason: format!(
                "its interpreters do not come to wait: {}",
                template::told(&failure)
            ),
        })
    }
}

/// Whether a file of the job has the name of the program that the interpreter was started with, and is not its program.
pub(super) fn is_hidden_by(warm: &Warm, files: &[FileSpec], program: &CStr) -> bool {
    let own = warm.argv.last().map_or(c"", |word| word.as_c_str());
    own != program && files.iter().any(|file| file.path.as_c_str() == own)
}

/// What is started: the command of a job without one. All that is known with the job only is as wide as the blueprint
/// allows, and comes to be the job's with its order.
pub(super) fn parcel(
    offer: &Offer<'_>,
    library: &OwnedFd,
    ours: &OwnedFd,
    order: OwnedFd,
    host: &Host,
) -> Result<Parcel, Failure> {
    let failed = at(Step::Summon);
    let again = |fd: &OwnedFd| fd.try_clone().map_err(|_| failed(Errno::MFILE));
    let blueprint = offer.blueprint;
    let warm = blueprint.warm.as_ref().ok_or(failed(Errno::INVAL))?;
    let brief = Brief {
        open_files: blueprint.open_files,
        cgroup: host.cgroup,
        preload: warm.preload.clone(),
        words: u16::try_from(warm.argv.len()).unwrap_or(u16::MAX),
    };
    protocol::send(ours.as_fd(), &brief, &[]).map_err(|error| failed(enter::errno(error)))?;
    let library = again(library)?;
    let launch = Launch {
        blueprint: offer.number,
        limits: blueprint.ceilings,
        argv: Vec::new(),
        env: Vec::new(),
        files: Vec::new(),
        outputs: Vec::new(),
        outputs_bytes: 0,
        warm: false,
    };
    let image = template::image(warm, &library).ok_or(failed(Errno::INVAL))?;
    let stdio = [again(&order)?, again(&order)?, order];
    let inside = Inside {
        library,
        pids: None,
    };
    Parcel::without_job(launch, image, stdio, inside)
}
