//! The pool: which slots have a cell waiting, of which kind, and what a launch gets of it.
//!
//! Its size follows what is asked for, between a profile's `min` and `max` and within a budget of memory. Must never
//! keep a job waiting for something warm that does not come: what takes too long, or fails, is started cold.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use rustix::io::Errno;

use super::ahead::Ahead;
use super::cell::nanos;
use super::launch::Parcel;
use super::nurse::Site;
use super::nursery::Nursery;
use super::power::Power;
use super::slot::{Host, Pending, Slot};
use super::source::{Libraries, Source};
use super::start::Refused;
use super::template::Template;
use super::{WardenConfig, WarmIdle};
use crate::blueprint::{Blueprint, Network, Warm, WarmMode};
use crate::enter::Identity;
use crate::protocol::{Event, Launch};
use crate::report::{Report, at};
use crate::step::Step;
use crate::sys::clock;
use crate::sys::page::SharedPage;

/// Nothing is prepared in a slot for so long after that has failed there.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// Where waiting cells come from, and how many there may be.
pub(super) struct Pool {
    pub(super) templates: Vec<Source>,
    /// `None`: everything starts cold.
    pub(super) libraries: Option<Libraries>,
    /// Bytes that templates and waiting cells may use together.
    pub(super) budget: u64,
    pub(super) idle: WarmIdle,
}

impl Pool {
    /// Makes what can be made ahead, while the host's tree is in sight; and why a kind will not be had warm. `reports`
    /// are the slots' own.
    pub(super) fn make(
        config: &WardenConfig,
        blueprints: &[Blueprint],
        power: &Power,
        reports: &[Rc<SharedPage<Report>>],
        warden: &OwnedFd,
    ) -> (Pool, Vec<(u16, Nursery)>, Vec<Event>) {
        let (mut nurseries, mut told) = (Vec::new(), Vec::new());
        let libraries = match config.warm.libraries.map(Libraries::new).transpose() {
            Ok(libraries) => libraries,
            Err(error) => {
                told.push(cold(
                    "the libraries",
                    format!("a memfd can't be made: {error}"),
                ));
                None
            }
        };
        let forked = kinds(blueprints, WarmMode::Fork).into_iter();
        for ((number, blueprint), identity) in forked.zip(&power.templates) {
            let (Identity::Host { job: owner, .. }, Some(_)) = (*identity, &libraries) else {
                continue;
            };
            let site = Site {
                blueprint,
                identities: &power.identities,
                reports,
                warden,
                landlock_abi: crate::sys::landlock::abi(),
            };
            match Nursery::make(&site, owner) {
                Ok(nursery) => nurseries.push((number, nursery)),
                Err(reason) => told.push(cold(&blueprint.name, reason)),
            }
        }
        let pool = Pool {
            templates: libraries.iter().flat_map(|_| ahead(blueprints)).collect(),
            libraries,
            budget: config.warm.memory,
            idle: config.warm.idle,
        };
        (pool, nurseries, told)
    }

    /// Adds a template with the slot that it will be in.
    pub(super) fn add(&mut self, number: u16, nursery: Nursery, slot: Slot) {
        let template = Template::new(number, nursery, slot);
        self.templates.push(Source::Template(Box::new(template)));
    }

    /// What becomes readable when there is something to do here.
    pub(super) fn watched(&self) -> impl Iterator<Item = &OwnedFd> {
        self.templates.iter().flat_map(Source::watched)
    }

    /// Whether time alone will bring something to do while nothing runs.
    pub(super) fn has_plans(&self, slots: &[Slot], blueprints: &[Blueprint]) -> bool {
        let now = clock::now();
        slots.iter().any(|slot| slot.resting > now)
            || self.templates.iter().any(|template| {
                let blueprint = blueprints.get(usize::from(template.number()));
                let min = blueprint
                    .and_then(|one| one.warm.as_ref())
                    .map_or(0, |warm| warm.min);
                let wanted = min > 0 || template.wanted() > 0;
                let fading = count(slots, template.number()) > usize::from(min);
                wanted && (template.is_absent() || min == 0) || fading
            })
    }

    /// Whether a waiting cell may take this.
    pub(super) fn suits(&self, parcel: &Parcel, blueprint: &Blueprint) -> bool {
        let launch = &parcel.launch;
        let Some(warm) = blueprint.warm.as_ref().filter(|_| launch.warm) else {
            return false;
        };
        let interpreter = warm.interpreter();
        let script = parcel.image.word(interpreter.len());
        let mut templates = self.templates.iter();
        parcel.image.begins_with(interpreter)
            && templates.any(|one| {
                one.number() == launch.blueprint && !one.is_hidden_by(warm, &launch.files, script)
            })
    }

    /// Starts the parcel's cell, warm if it can be.
    pub(super) fn launch(
        &mut self,
        slot: &mut Slot,
        pending: Pending,
        blueprint: &Blueprint,
        host: &Host,
    ) -> Result<(), Refused> {
        if slot.cell.is_some() || slot.pending.is_some() {
            return Err((at(Step::Check)(Errno::BUSY), Box::new(pending)));
        }
        let number = pending.parcel.launch.blueprint;
        if !self.suits(&pending.parcel, blueprint) {
            return slot.launch(pending, blueprint, host);
        }
        let libraries = self.libraries.as_ref();
        let Some((template, warm)) = find(&mut self.templates, number, blueprint) else {
            return slot.launch(pending, blueprint, host);
        };
        template.want(clock::now());
        slot.last = Some(number);
        slot.used = clock::now();
        match &slot.standby {
            Some(standby) if standby.blueprint == number && standby.ready => {
                match slot.order(pending) {
                    Ok(()) => template.count(warm),
                    Err(back) => return slot.launch(*back, blueprint, host),
                }
            }
            Some(standby) if standby.blueprint == number => {
                slot.pending = Some(pending);
            }
            _ => {
                slot.discard();
                let offer = libraries.and_then(|libraries| template.offer(blueprint, libraries));
                let begun = offer.is_some_and(|offer| slot.prepare(&offer, host).is_ok());
                if !begun {
                    return slot.launch(pending, blueprint, host);
                }
                slot.pending = Some(pending);
            }
        }
        Ok(())
    }

    /// Looks at the slot's waiting cell, and gives it the job that waits for it. A job that could not be started at all
    /// is told of.
    pub(super) fn turn_slot(
        &mut self,
        slot: &mut Slot,
        blueprints: &[Blueprint],
        host: &Host,
    ) -> Option<Event> {
        if let (Some(failure), Some(number)) = (slot.lost.take(), slot.last) {
            if let Some(template) = self.templates.iter_mut().find(|one| one.number() == number) {
                template.lost(failure);
            }
            return self.start_pending(slot, number, blueprints, host);
        }
        let standby = slot.standby.as_ref()?;
        let (number, ready, since) = (standby.blueprint, standby.ready, standby.since);
        let template = self.templates.iter_mut().find(|one| one.number() == number);
        let (patience, of_a_job) = template.as_ref().map_or_else(Default::default, |one| {
            (one.patience(), one.patience_of_a_job())
        });
        let is_awaited_too_long = |one: &Pending| !is_within(one.launched, of_a_job);
        let late = !ready
            && (!is_within(since, patience)
                || slot.pending.as_ref().is_some_and(is_awaited_too_long));
        let failure = match slot.turn_standby() {
            None if !late => return None,
            None => Some(at(Step::Summon)(Errno::TIMEDOUT)),
            Some(looked) => looked.err(),
        };
        match (failure, template) {
            (None, Some(template)) => template.gave(),
            (Some(failure), template) => {
                slot.discard();
                slot.resting = clock::now() + nanos(PAUSE);
                if let Some(template) = template {
                    template.failed(since, failure);
                }
            }
            (None, None) => {}
        }
        self.start_pending(slot, number, blueprints, host)
    }

    /// Starts the job that waits, in the slot's waiting cell if there is one. If it is to end, then now.
    fn start_pending(
        &mut self,
        slot: &mut Slot,
        number: u16,
        blueprints: &[Blueprint],
        host: &Host,
    ) -> Option<Event> {
        let pending = slot.pending.take()?;
        let (ticket, killed) = (pending.ticket, pending.killed);
        let blueprint = blueprints.get(usize::from(number))?;
        let started = match slot.standby {
            Some(_) => match slot.order(pending) {
                Ok(()) => {
                    if let Some((template, warm)) = find(&mut self.templates, number, blueprint) {
                        template.count(warm);
                    }
                    Ok(())
                }
                Err(back) => slot.launch(*back, blueprint, host),
            },
            None => slot.launch(pending, blueprint, host),
        };
        if let Some(reason) = killed {
            slot.kill(ticket, reason);
        }
        started.err().map(|(failure, _)| failure.event(ticket))
    }

    /// Looks at the templates, and starts those that are to be there.
    pub(super) fn turn(&mut self, blueprints: &[Blueprint], host: &Host, look: bool) -> Vec<Event> {
        let mut events = Vec::new();
        let room = self.used() < self.budget;
        let Some(libraries) = &self.libraries else {
            return events;
        };
        for template in &mut self.templates {
            let Some(blueprint) = blueprints.get(usize::from(template.number())) else {
                continue;
            };
            events.extend(template.turn(blueprint, look));
            let asked =
                template.wanted() > 0 && is_within(template.wanted(), self.idle.forgotten_after);
            let min = blueprint.warm.as_ref().map_or(0, |warm| warm.min);
            if asked || min > 0 {
                if room {
                    events.extend(template.start(blueprint, libraries, host));
                }
            } else if template.wanted() > 0 {
                template.forget();
            }
        }
        events
    }

    /// Bytes that templates use.
    pub(super) fn used(&mut self) -> u64 {
        self.templates.iter_mut().map(Source::memory).sum()
    }
}

/// The blueprints that can be had warm by this mode, with their numbers. One with doors gets a new network for each
/// cell.
pub(super) fn kinds(blueprints: &[Blueprint], mode: WarmMode) -> Vec<(u16, &Blueprint)> {
    let is_of = |one: &Blueprint| one.warm.as_ref().is_some_and(|warm| warm.mode == mode);
    (0u16..)
        .zip(blueprints)
        .filter(|(_, one)| is_of(one) && one.network == Network::Nothing)
        .collect()
}

fn ahead(blueprints: &[Blueprint]) -> impl Iterator<Item = Source> {
    let kinds = kinds(blueprints, WarmMode::Ahead).into_iter();
    kinds.map(|(number, _)| Source::Ahead(Ahead::new(number)))
}

/// Which slot has a cell ready for this launch, if the one in this place has none.
pub(super) fn better(slots: &[Slot], place: usize, launch: &Launch) -> Option<usize> {
    let is_ready = |slot: &Slot| {
        let standby = slot.standby.as_ref();
        let fits = standby.is_some_and(|one| {
            one.ready && one.blueprint == launch.blueprint && one.takes(&launch.limits)
        });
        fits && slot.cell.is_none() && slot.pending.is_none()
    };
    let own = slots.get(place)?;
    if !launch.warm || is_ready(own) || own.cell.is_some() || own.pending.is_some() {
        return None;
    }
    slots.iter().position(is_ready)
}

/// Ends whatever waits for a job, since its descriptors, processes and memory may be what a job lacks. Whether there was any.
pub(super) fn give_up(slots: &mut [Slot]) -> bool {
    let mut any = false;
    let waits = |slot: &&mut Slot| slot.standby.is_some() && slot.pending.is_none();
    for slot in slots.iter_mut().filter(waits) {
        slot.discard();
        slot.resting = clock::now() + nanos(PAUSE);
        any = true;
    }
    any
}

fn find<'a, 'b>(
    templates: &'a mut [Source],
    number: u16,
    blueprint: &'b Blueprint,
) -> Option<(&'a mut Source, &'b Warm)> {
    let warm = blueprint.warm.as_ref()?;
    let mut templates = templates.iter_mut();
    Some((templates.find(|one| one.number() == number)?, warm))
}

pub(super) fn count(slots: &[Slot], number: u16) -> usize {
    let standby = slots.iter().filter_map(|slot| slot.standby.as_ref());
    standby.filter(|one| one.blueprint == number).count()
}

pub(super) fn is_within(since: u64, time: Duration) -> bool {
    clock::now().saturating_sub(since) <= nanos(time)
}

fn cold(name: &str, reason: String) -> Event {
    Event::Cold {
        name: name.to_owned(),
        reason,
    }
}
