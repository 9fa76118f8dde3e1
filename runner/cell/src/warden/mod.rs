//! The warden: the one process with power. It makes cells, watches them and reaps them.
//!
//! Single-threaded, without network, and small enough to audit in an evening. It reads two things
//! only: the [`Request`]s of the runner, which it does not trust, and the kernel's own counters. Must
//! never parse what a job supplied or printed. When the runner's socket closes it kills every cell,
//! removes every cgroup, and ends.

mod ahead;
mod cell;
mod collect;
mod launch;
mod network;
mod nurse;
mod nursery;
mod pool;
mod power;
pub(crate) mod rlimits;
mod root;
mod slot;
mod source;
mod standby;
mod start;
mod stock;
mod template;
mod workspace;

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Mode;

use crate::blueprint::{Blueprint, WarmMode};
use crate::cgroup::{self, Found, Tree};
use crate::evidence::KillReason;
use crate::host::{self, Layer};
use crate::protocol::{self, Event, Request};
use crate::report::{Failure, Report};
use crate::sys::clock;
use crate::sys::page::SharedPage;
use launch::Parcel;
#[cfg(any(feature = "inside", feature = "ahead"))]
pub(crate) use launch::{check_files, read_launch};
use network::Networks;
use pool::Pool;
pub use power::worker_id;
pub(crate) use power::{id_base, is_privileged};
#[cfg(any(feature = "inside", feature = "ahead"))]
pub(crate) use rlimits::Rlimit;
use slot::{Pending, Slot};

/// How often a running cell's counters are looked at. Between two looks a job can overrun its CPU
/// limit by as much as this on each processor.
const LOOK: Duration = Duration::from_millis(20);
/// How often the pool is looked at while nothing runs, if it waits for something.
const IDLE: Duration = Duration::from_secs(1);
/// How long a runner that has once said that it runs may be silent before its cells are ended.
pub const SILENCE: Duration = Duration::from_secs(7);
/// Exit code of a warden that could not go on.
const BROKEN: i32 = 1;

/// What a warden is started with. It learns nothing else about isolation later.
#[derive(Clone, Debug)]
pub struct WardenConfig {
    /// One for each profile.
    pub blueprints: Vec<Blueprint>,
    /// How many cells at one time.
    pub slots: u16,
    /// First of 1,024 unused uids and gids; chosen by pid from a range that systemd leaves unused if
    /// `None`.
    pub uid_base: Option<u32>,
    /// Layers whose absence is accepted.
    pub allow_missing: AllowMissing,
    /// What is kept warm.
    pub warm: WarmConfig,
}

/// What a warden keeps warm.
#[derive(Clone, Copy, Debug, Default)]
pub struct WarmConfig {
    /// `None`: every cell is cold.
    pub libraries: Option<WarmLibraries>,
    /// Bytes that templates and waiting cells may use together.
    pub memory: u64,
    /// What becomes of a kind that nobody asks for.
    pub idle: WarmIdle,
}

/// How long a kind of cells is kept warm that nobody asks for.
#[derive(Clone, Copy, Debug)]
pub struct WarmIdle {
    /// Then there wait as many as its profile's `min`.
    pub fades_after: Duration,
    /// Then its template is ended, unless there is a `min`.
    pub forgotten_after: Duration,
}

impl Default for WarmIdle {
    fn default() -> WarmIdle {
        WarmIdle {
            fades_after: Duration::from_secs(60),
            forgotten_after: Duration::from_secs(600),
        }
    }
}

/// What goes into interpreters that are kept warm: shared objects, for their loader.
#[derive(Clone, Copy, Debug)]
pub struct WarmLibraries {
    /// Into one that is a template.
    pub fork: &'static [u8],
    /// Into one that is started ahead of its job.
    pub ahead: &'static [u8],
}

/// Layers whose absence the operator accepts. Anything else that is missing is a refusal.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowMissing {
    /// No cgroup: memory and processes are limited by rlimits only, which is weaker.
    pub cgroup: bool,
    /// No Landlock: files are protected by the mount namespace and the uid only.
    pub landlock: bool,
}

/// Why no cell can be made on this host.
#[derive(Debug)]
pub(crate) struct Unable {
    pub(crate) message: String,
    pub(crate) mend: String,
}

/// Runs the warden until the runner is gone. Called in a process of its own.
pub(crate) fn run(config: &WardenConfig, socket: &OwnedFd) -> i32 {
    // A service's `UMask=0077` would make roots that no job may enter.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let (mut warden, told) = match Warden::new(config) {
        Ok(made) => made,
        Err(Unable { message, mend }) => {
            let event = Event::Unable { message, mend };
            // If the runner is gone already, there is nobody left to tell.
            protocol::send(socket.as_fd(), &event, &[]).unwrap_or_default();
            return BROKEN;
        }
    };
    let ready = Event::Ready {
        layers: warden.layers.clone(),
    };
    let events = std::iter::once(ready).chain(told);
    for event in events {
        if protocol::send(socket.as_fd(), &event, &[]).is_err() {
            return 0;
        }
    }
    warden.serve(socket)
}

struct Warden {
    blueprints: Vec<Blueprint>,
    slots: Vec<Slot>,
    host: slot::Host,
    layers: Vec<Layer>,
    /// When the runner last said that it runs, if it ever did; nanoseconds of the monotonic clock.
    heard: Option<u64>,
    pool: Pool,
    _tree: Tree,
}

impl Warden {
    /// The warden, and what it has to say about what will not be warm.
    fn new(config: &WardenConfig) -> Result<(Warden, Vec<Event>), Unable> {
        let blueprints: Vec<_> = config
            .blueprints
            .iter()
            .cloned()
            .map(|mut blueprint| {
                blueprint.filter = blueprint.filter.sorted();
                blueprint
            })
            .collect();
        let found = cgroup::locate();
        let layers = host::required(&found, config.allow_missing)?;
        cgroup::sweep_stale(&found);
        let tree = Tree::new(&found).map_err(unable_cgroup)?;
        let kinds = match config.warm.libraries {
            Some(_) => {
                u16::try_from(pool::kinds(&blueprints, WarmMode::Fork).len()).unwrap_or(u16::MAX)
            }
            None => 0,
        };
        let power = power::take(config.uid_base, config.slots, kinds)?;
        let templates = u16::try_from(power.templates.len()).unwrap_or(0);
        let mut networks = Networks::make(&blueprints, config.slots + templates)?;
        root::keep_apart()?;
        let pages = reports(config.slots)?;
        let itself = power::pidfd()?;
        let (mut pool, nurseries, told) = Pool::make(config, &blueprints, &power, &pages, &itself);
        let roots = root::build(&blueprints, &power.identities)?;
        power::settle(
            blueprints.iter().any(|one| one.without.capabilities),
            network::needs_doors(&blueprints),
        )?;
        for ((number, nursery), identity) in nurseries.into_iter().zip(&power.templates) {
            let (Some(networks), Some(report)) = (networks.pop(), reports(1)?.pop()) else {
                break;
            };
            let place = u16::MAX - number;
            let group = tree.group(place).map_err(unable_cgroup)?;
            let slot = Slot::new(place, *identity, networks, group, report);
            pool.add(number, nursery, slot);
        }
        let slots = (0..config.slots)
            .zip(power.identities.iter().copied().zip(networks))
            .zip(pages.iter().map(Rc::clone))
            .map(|((number, (identity, networks)), report)| {
                let group = tree.group(number).map_err(unable_cgroup)?;
                Ok(Slot::new(number, identity, networks, group, report))
            })
            .collect::<Result<_, _>>()?;
        let warden = Warden {
            blueprints,
            slots,
            host: slot::Host {
                pidfd: itself,
                roots,
                landlock_abi: crate::sys::landlock::abi(),
                cgroup: !matches!(found, Found::Missing(_)),
                identities: power.identities.clone(),
                reports: pages.clone(),
            },
            layers,
            heard: None,
            pool,
            _tree: tree,
        };
        Ok((warden, told))
    }

    /// One turn: wait for the runner, for the end of a cell, or for the next look at the counters.
    fn serve(&mut self, socket: &OwnedFd) -> i32 {
        let mut looked = clock::now();
        loop {
            let Ok(ready) = self.wait(socket) else {
                return BROKEN;
            };
            let look = clock::now().saturating_sub(looked) >= u64::from(LOOK.subsec_nanos());
            if look {
                looked = clock::now();
                self.end_all_if_abandoned();
            }
            for event in self.turn(look) {
                if protocol::send(socket.as_fd(), &event, &[]).is_err() {
                    return 0;
                }
            }
            if ready && !self.listen(socket) {
                return 0;
            }
            self.pool
                .fill(&mut self.slots, &self.blueprints, &self.host);
        }
    }

    fn turn(&mut self, look: bool) -> Vec<Event> {
        let mut events = self.pool.turn(&self.blueprints, &self.host, look);
        for slot in &mut self.slots {
            events.extend(slot.turn(look));
            events.extend(self.pool.turn_slot(slot, &self.blueprints, &self.host));
        }
        // The job comes again, here or elsewhere, and is to find room.
        let is_short = |event: &Event| Failure::told_by(event).is_some_and(|one| one.is_shortage());
        if events.iter().any(is_short) {
            pool::give_up(&mut self.slots);
        }
        events
    }

    /// Looked at before the packets of a runner that was frozen together with this process are read.
    fn end_all_if_abandoned(&mut self) {
        let silent = |heard| u128::from(clock::now().saturating_sub(heard)) > SILENCE.as_nanos();
        if self.heard.is_some_and(silent) {
            for slot in &mut self.slots {
                slot.end(KillReason::Shutdown);
            }
        }
    }

    fn wait(&self, socket: &OwnedFd) -> Result<bool, rustix::io::Errno> {
        let mut fds = vec![PollFd::new(socket, PollFlags::IN)];
        let slots = self.slots.iter().flat_map(Slot::watched);
        let watched = slots.chain(self.pool.watched());
        fds.extend(watched.map(|fd| PollFd::new(fd, PollFlags::IN)));
        let time = |time: Duration| Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(time.subsec_nanos()),
        };
        let (look, idle) = (time(LOOK), time(IDLE));
        let timeout = match self.slots.iter().any(Slot::is_busy) {
            true => Some(&look),
            false => self
                .pool
                .has_plans(&self.slots, &self.blueprints)
                .then_some(&idle),
        };
        match poll(&mut fds, timeout) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        Ok(fds.first().is_some_and(|fd| !fd.revents().is_empty()))
    }

    /// Takes one request. False when the runner is gone or speaks nonsense.
    fn listen(&mut self, socket: &OwnedFd) -> bool {
        let now = clock::now();
        self.heard = self.heard.map(|_| now);
        match protocol::receive(socket.as_fd()) {
            Ok(Some((
                Request::Launch {
                    slot,
                    ticket,
                    launch_bytes,
                },
                descriptors,
            ))) => match self.launch(socket, slot, ticket, launch_bytes, descriptors) {
                Ok(()) => true,
                Err(failure) => {
                    if failure.is_shortage() {
                        pool::give_up(&mut self.slots);
                    }
                    protocol::send(socket.as_fd(), &failure.event(ticket), &[]).is_ok()
                }
            },
            Ok(Some((
                Request::Kill {
                    slot,
                    ticket,
                    reason,
                },
                _,
            ))) => {
                if let Some(slot) = self.slots.get_mut(usize::from(slot)) {
                    slot.kill(ticket, reason);
                }
                true
            }
            Ok(Some((Request::Alive, _))) => {
                self.heard = Some(now);
                true
            }
            Err(nix::Error::EINTR) => true,
            Ok(None) | Err(_) => false,
        }
    }

    fn launch(
        &mut self,
        socket: &OwnedFd,
        slot: u16,
        ticket: u64,
        launch_bytes: u64,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(), Failure> {
        let launched = clock::now();
        let parcel = Parcel::open(launch_bytes, descriptors, &self.blueprints)?;
        let blueprint = self
            .blueprints
            .get(usize::from(parcel.launch.blueprint))
            .ok_or_else(launch::malformed)?;
        let place = usize::from(slot);
        // A number is a place for the runner, and any slot that is idle can take it.
        if self.pool.suits(&parcel, blueprint)
            && let Some(better) = pool::better(&self.slots, place, &parcel.launch)
        {
            self.slots.swap(place, better);
        }
        let slot = self.slots.get_mut(place).ok_or_else(launch::malformed)?;
        if let Some([http, socks]) = slot.doors(blueprint)? {
            let event = Event::Doors { ticket };
            // A runner that is gone is noticed by the next turn.
            protocol::send(socket.as_fd(), &event, &[http.as_fd(), socks.as_fd()])
                .unwrap_or_default();
        }
        let pending = Pending {
            ticket,
            parcel,
            launched,
            killed: None,
        };
        let launched = match self.pool.launch(slot, pending, blueprint, &self.host) {
            Err((failure, pending)) if failure.is_shortage() && pool::give_up(&mut self.slots) => {
                let slot = self.slots.get_mut(place).ok_or_else(launch::malformed)?;
                slot.launch(*pending, blueprint, &self.host)
            }
            launched => launched,
        };
        launched.map_err(|(failure, _)| failure)
    }
}

/// A page for each of so many slots.
fn reports(slots: u16) -> Result<Vec<Rc<SharedPage<Report>>>, Unable> {
    let page = |_| SharedPage::new().map(Rc::new);
    (0..slots)
        .map(page)
        .collect::<Result<_, _>>()
        .map_err(|error| Unable {
            message: format!("mapping the report page of a slot: {error}"),
            mend: "free memory on the host".to_owned(),
        })
}

fn unable_cgroup(error: cgroup::CgroupError) -> Unable {
    let cause = std::error::Error::source(&error).map_or(String::new(), |e| format!(": {e}"));
    Unable {
        message: format!("the cgroup can't be used: {error}{cause}"),
        mend: "run `glovebox doctor`; under systemd give the service Delegate=yes".to_owned(),
    }
}
