//! The templates: when one is started, whether it can be used, and when the next takes its place.
//!
//! A template is a cell like any other, with a job that is ours and modules that are third parties'. Must never be
//! given a descriptor of the warden's but its end of a control socket, and never be waited for.

use std::collections::HashSet;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

use super::cell::nanos;
use super::launch::{Inside, Parcel};
use super::nursery::Nursery;
use super::slot::{Host, Pending, Slot};
use super::standby::{From, Offer};
use crate::blueprint::{Blueprint, Limits, Network, Warm, Without};
use crate::enter::WORK;
use crate::evidence::KillReason;
use crate::protocol::{self, Event, FileSpec, Launch};
use crate::report::{Failure, at};
use crate::step::Step;
use crate::sys::clock;
use crate::sys::image::Image;
use crate::warm::{DESCRIPTORS, PRELOAD_VARIABLE, PROGRAM_VARIABLE, Said, Setup};

/// How long a template may take to import what it is to import.
const PATIENCE: Duration = Duration::from_secs(60);
/// After one that can't be used, the next is tried after this time; it doubles with each, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// After one that ended.
const AGAIN: Duration = Duration::from_millis(100);
/// So many cells in a row that did not get ready, and their template is ended.
const MOST_FAILURES: u32 = 3;
/// The most bytes that are told of what a template says of itself.
const LONGEST_REASON: usize = 500;
/// Bytes that a child is taken to need, until that is known.
const NEEDS: u64 = 6 * 1024 * 1024;
/// What a template has of its own: besides itself there are the processes that give birth to a job's.
const PROCESSES: u64 = 32;

/// The template of one blueprint.
pub(super) struct Template {
    /// Which blueprint.
    pub(super) number: u16,
    nursery: Nursery,
    /// The cell that it is in.
    slot: Slot,
    state: State,
    pause: Duration,
    /// How many jobs were forked from it.
    forks: u32,
    /// Cells that did not get ready, since the last that did.
    failures: u32,
    /// When that was.
    gave: u64,
    /// What was wrong with the last one that did not, or that was lost.
    trouble: Option<Failure>,
    /// The names of the modules that it has loaded.
    modules: HashSet<String>,
    /// When a job last wanted it.
    pub(super) wanted: u64,
}

enum State {
    /// There is none before this time.
    Absent(u64),
    /// It imports, since this time.
    Starting(Lines, u64),
    Ready(Lines),
}

/// What connects the warden with a template.
struct Lines {
    control: OwnedFd,
    /// Where it prints. Never read: what does not fit into the pipe stops it, and it does not get ready.
    _output: OwnedFd,
}

impl Template {
    pub(super) fn new(number: u16, nursery: Nursery, slot: Slot) -> Template {
        Template {
            number,
            nursery,
            slot,
            state: State::Absent(0),
            pause: FIRST_PAUSE,
            forks: 0,
            failures: 0,
            gave: 0,
            trouble: None,
            modules: HashSet::new(),
            wanted: 0,
        }
    }

    /// What becomes readable when it has something to say or has ended.
    pub(super) fn watched(&self) -> impl Iterator<Item = &OwnedFd> {
        let control = match &self.state {
            State::Starting(lines, _) | State::Ready(lines) => Some(&lines.control),
            State::Absent(_) => None,
        };
        control.into_iter().chain(self.slot.watched())
    }

    /// Whether there is none, nor is one on its way.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self.state, State::Absent(_))
    }

    /// What it offers to a slot, if it can be used.
    pub(super) fn offer<'a>(&'a self, blueprint: &'a Blueprint) -> Option<Offer<'a>> {
        match &self.state {
            State::Ready(lines) => Some(Offer {
                number: self.number,
                blueprint,
                needs: NEEDS,
                from: From::Template {
                    nursery: &self.nursery,
                    control: &lines.control,
                },
            }),
            _ => None,
        }
    }

    /// Whether a file of the job has the name of a module that is loaded: started anew, the program would import its
    /// own. It looks in its own folder.
    pub(super) fn is_hidden_by(&self, files: &[FileSpec], program: &CStr) -> bool {
        let folder = Path::new(OsStr::from_bytes(program.to_bytes())).parent();
        let mut beside = files.iter().filter_map(|file| {
            let path = Path::new(OsStr::from_bytes(file.path.to_bytes()));
            let path = path.strip_prefix(folder?).ok()?;
            let name = path.components().next()?.as_os_str().to_str()?;
            name.split('.').next()
        });
        beside.any(|name| self.modules.contains(name))
    }

    /// Bytes that it uses.
    pub(super) fn memory(&mut self) -> u64 {
        self.slot.memory()
    }

    /// Notes a cell that got ready.
    pub(super) fn gave(&mut self) {
        self.failures = 0;
        self.gave = clock::now();
    }

    /// Notes a cell, begun at `since`, that did not get ready. One that gives none is ended; one that is slow, since many
    /// were asked of it at once, is not.
    pub(super) fn failed(&mut self, since: u64, failure: Failure) {
        if self.gave > since {
            return;
        }
        self.failures += 1;
        if self.failures >= MOST_FAILURES {
            self.trouble = Some(failure);
            self.end();
        }
    }

    /// Counts a job; one that has given enough of them is ended.
    pub(super) fn count(&mut self, warm: &Warm) {
        self.forks += 1;
        if self.forks >= warm.forks {
            self.end();
        }
    }

    /// Notes a job that got its order and was not begun, which is nothing that a job can bring about.
    pub(super) fn lost(&mut self, failure: Failure) {
        self.forks = self.forks.saturating_sub(1);
        self.trouble = Some(failure);
        self.end();
    }

    /// Ends it, since nobody asks for it.
    pub(super) fn forget(&mut self) {
        self.wanted = 0;
        self.end();
        self.state = State::Absent(clock::now());
    }

    /// Ends it; the next is started when there is reason for one.
    fn end(&mut self) {
        self.slot.end(KillReason::Shutdown);
    }

    /// Starts it if there is none, and the pause after the last is over.
    pub(super) fn start(
        &mut self,
        blueprint: &Blueprint,
        library: &OwnedFd,
        host: &Host,
    ) -> Option<Event> {
        let (State::Absent(until), Some(warm)) = (&self.state, &blueprint.warm) else {
            return None;
        };
        if clock::now() < *until || self.slot.watched().next().is_some() {
            return None;
        }
        if let Err(reason) = self.nursery.revive(&host.site(blueprint)) {
            return Some(self.fail(blueprint, &reason));
        }
        match self.try_start(blueprint, warm, library, host) {
            Ok(lines) => {
                (self.forks, self.failures, self.trouble) = (0, 0, None);
                self.state = State::Starting(lines, clock::now());
                None
            }
            Err(failure) => Some(self.fail(blueprint, &told(&failure))),
        }
    }

    fn try_start(
        &mut self,
        blueprint: &Blueprint,
        warm: &Warm,
        library: &OwnedFd,
        host: &Host,
    ) -> Result<Lines, Failure> {
        let failed = at(Step::Summon);
        let (ours, theirs) =
            protocol::pair().map_err(|error| failed(crate::enter::errno(error)))?;
        rustix::io::ioctl_fionbio(&ours, true).map_err(&failed)?;
        let (output, end) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(&failed)?;
        let setup = Setup::new(
            &blueprint.filter.program,
            host.landlock_abi,
            blueprint,
            warm,
            host.cgroup,
        );
        protocol::send(ours.as_fd(), &setup, &[])
            .map_err(|error| failed(crate::enter::errno(error)))?;
        let library = library.try_clone().map_err(|_| failed(Errno::MFILE))?;
        let again = end.try_clone().map_err(|_| failed(Errno::MFILE))?;
        let pids = self.nursery.pids()?.try_clone();
        let image = image(warm, &library).ok_or(failed(Errno::INVAL))?;
        let inside = Inside {
            library,
            pids: Some(pids.map_err(|_| failed(Errno::MFILE))?),
        };
        let launch = launch(self.number, blueprint, warm);
        let parcel = Parcel::without_job(launch, image, [theirs, again, end], inside)?;
        let pending = Pending {
            ticket: 0,
            parcel,
            launched: clock::now(),
            killed: None,
        };
        self.slot
            .launch(pending, &confined(blueprint, warm), host)
            .map_err(|(failure, _)| failure)?;
        Ok(Lines {
            control: ours,
            _output: output,
        })
    }

    /// Looks at what it has said, and whether it lives.
    pub(super) fn turn(&mut self, blueprint: &Blueprint, look: bool) -> Option<Event> {
        let now = clock::now();
        let heard = match &self.state {
            State::Starting(lines, _) | State::Ready(lines) => hear(&lines.control),
            State::Absent(_) => Heard::Nothing,
        };
        let ended = self.slot.turn(look).is_some();
        let state = std::mem::replace(&mut self.state, State::Absent(now));
        match (state, heard) {
            (State::Starting(lines, _), Heard::Said(Said::Ready(modules))) if !ended => {
                self.modules = modules.lines().map(str::to_owned).collect();
                self.state = State::Ready(lines);
                None
            }
            (_, Heard::Said(Said::Broken(reason))) => Some(self.fail(blueprint, &reason)),
            (State::Starting(lines, since), Heard::Nothing) if !ended => {
                if now.saturating_sub(since) > nanos(PATIENCE) {
                    return Some(self.fail(blueprint, "it is not ready after a minute"));
                }
                self.state = State::Starting(lines, since);
                None
            }
            (State::Starting(..), _) => Some(self.fail(blueprint, "it ended before it was ready")),
            (State::Ready(lines), Heard::Nothing) if !ended => {
                self.state = State::Ready(lines);
                None
            }
            // It has ended, or says what it should not, and was of no use to anybody.
            (State::Ready(_), _) if self.forks == 0 => {
                let reason = match &self.trouble {
                    Some(failure) => told(failure),
                    None => "it ended before a job was forked from it".to_owned(),
                };
                Some(self.fail(blueprint, &reason))
            }
            (State::Ready(_), _) => {
                self.end();
                self.pause = FIRST_PAUSE;
                self.state = State::Absent(now + nanos(AGAIN));
                None
            }
            (State::Absent(until), _) => {
                self.state = State::Absent(until);
                None
            }
        }
    }

    /// Gives up this one for a while. What it says is a third party's, and its length, too.
    fn fail(&mut self, blueprint: &Blueprint, reason: &str) -> Event {
        self.end();
        self.state = State::Absent(clock::now() + nanos(self.pause));
        self.pause = LONGEST_PAUSE.min(self.pause * 2);
        Event::Cold {
            name: blueprint.name.clone(),
            reason: reason
                .get(..reason.floor_char_boundary(LONGEST_REASON))
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

impl Drop for Template {
    /// Before its nursery, which can't end before every process in it was reaped, and this one's parent is the warden.
    fn drop(&mut self) {
        self.slot.end_now();
    }
}

enum Heard {
    Nothing,
    Said(Said),
    /// The line has ended, or what came is no word.
    End,
}

fn hear(control: &OwnedFd) -> Heard {
    match protocol::receive(control.as_fd()) {
        Ok(Some((said, _))) => Heard::Said(said),
        Err(nix::Error::EAGAIN | nix::Error::EINTR) => Heard::Nothing,
        Ok(None) | Err(_) => Heard::End,
    }
}

pub(super) fn told(failure: &Failure) -> String {
    format!("{}: {}", failure.step.label(), failure.errno)
}

fn launch(number: u16, blueprint: &Blueprint, warm: &Warm) -> Launch {
    // It lives as long as it is of use, and its processor time is that of all its births.
    let ever = Duration::from_secs(u64::from(u32::MAX));
    Launch {
        blueprint: number,
        limits: Limits {
            wall: ever,
            cpu: ever,
            memory: blueprint.ceilings.memory,
            // As much as its jobs: a process can't raise what it inherits (setrlimit(2)). The memory bounds it.
            disk: blueprint.ceilings.disk,
            processes: PROCESSES,
        },
        argv: Vec::new(),
        env: Vec::new(),
        // Its program, with nothing in it: where that lies is looked up before it is opened.
        files: warm.argv.last().map(program).into_iter().collect(),
        outputs: Vec::new(),
        outputs_bytes: 0,
        warm: false,
    }
}

fn program(path: &CString) -> FileSpec {
    FileSpec {
        path: path.clone(),
        size: 0,
        executable: false,
    }
}

/// The program that is kept warm: a job's, with the library in it.
pub(super) fn image(warm: &Warm, library: &OwnedFd) -> Option<Image> {
    let file = warm.argv.last()?.to_str().ok()?;
    let variable = |name: &CStr, value: String| {
        CString::new(format!("{}={value}", name.to_str().unwrap_or_default())).ok()
    };
    let mut env = warm.env.clone();
    env.push(variable(
        PROGRAM_VARIABLE,
        format!("{}/{file}", WORK.to_str().unwrap_or_default()),
    )?);
    env.push(variable(
        PRELOAD_VARIABLE,
        format!("{DESCRIPTORS}{}", library.as_raw_fd()),
    )?);
    Image::new(warm.argv.clone(), env)
}

/// The template's own cell: its jobs', but with its own filter and without Landlock, whose fence would stay around
/// them and does not know their folders.
fn confined(blueprint: &Blueprint, warm: &Warm) -> Blueprint {
    Blueprint {
        filter: warm.filter.clone(),
        network: Network::Nothing,
        warm: None,
        without: Without {
            landlock: true,
            // It is in its nursery's.
            pid_namespace: true,
            ..Without::default()
        },
        ..blueprint.clone()
    }
}
