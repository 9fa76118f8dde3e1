//! Which kinds of cells wait in the slots: what is prepared where, and what is taken away again.
//!
//! Must never take more memory than the pool may, nor prepare what the next job throws away.

use std::time::Duration;

use super::cell::nanos;
use super::pool::{PAUSE, Pool, count, is_within};
use super::slot::{Host, Slot};
use super::source::Source;
use super::standby::Standby;
use crate::blueprint::Blueprint;
use crate::sys::clock;

/// A slot that has had no job for so long may prepare for another kind than it had last. Under load it would take what
/// is prepared away at once, for the next job of the kind that it has.
const CALM: Duration = Duration::from_secs(1);

impl Pool {
    /// Prepares cells in the slots that have none, and takes away what is not asked for any more.
    pub(super) fn fill(&mut self, slots: &mut [Slot], blueprints: &[Blueprint], host: &Host) {
        let waiting = slots.iter().filter_map(|slot| slot.standby.as_ref());
        let mut used = self.used() + waiting.map(Standby::needs).sum::<u64>();
        let Some(libraries) = &self.libraries else {
            return;
        };
        for at in 0..slots.len() {
            let Some(slot) = slots.get(at).filter(|slot| slot.is_idle()) else {
                continue;
            };
            let kept = slot.standby.as_ref().map(|standby| standby.blueprint);
            let spare = self.is_spare(slot, slots, blueprints, used);
            let Some(number) = kept.or_else(|| self.choice(slot, slots, blueprints, used)) else {
                continue;
            };
            let Some(blueprint) = blueprints.get(usize::from(number)) else {
                continue;
            };
            let (count, most) = (count(slots, number), self.most(number, blueprint));
            let Some(slot) = slots.get_mut(at) else {
                continue;
            };
            if kept.is_some() {
                if count > usize::from(most) || used > self.budget || spare {
                    used -= slot.standby.as_ref().map_or(0, Standby::needs);
                    slot.discard();
                    slot.resting = clock::now() + nanos(PAUSE);
                }
            } else if count < usize::from(most)
                && let Some(offer) = self
                    .templates
                    .iter()
                    .find(|one| one.number() == number)
                    .and_then(|template| template.offer(blueprint, libraries))
                && used + offer.needs <= self.budget
            {
                match slot.prepare(&offer, host) {
                    Ok(()) => used += offer.needs,
                    Err(_) => slot.resting = clock::now() + nanos(PAUSE),
                }
            }
        }
    }

    /// What to prepare in this slot. One that was used just now: what it had. Otherwise a kind of which none waits, what
    /// the slot had last before others; or, if there is one of each, any of which there are too few.
    fn choice(
        &self,
        slot: &Slot,
        slots: &[Slot],
        blueprints: &[Blueprint],
        used: u64,
    ) -> Option<u16> {
        let short = self.short(slots, blueprints, used);
        let last = slot.last.filter(|last| short.contains(last));
        if last.is_some() && is_within(slot.used, CALM) {
            return last;
        }
        let none = |number: &u16| count(slots, *number) == 0;
        let lacking = last
            .filter(none)
            .or_else(|| short.iter().copied().find(none));
        lacking.or(last).or(short.first().copied())
    }

    /// Kinds of which fewer wait than may and than there is memory for, beside these bytes.
    fn short(&self, slots: &[Slot], blueprints: &[Blueprint], used: u64) -> Vec<u16> {
        let Some(libraries) = self.libraries.as_ref() else {
            return Vec::new();
        };
        let is_short = |source: &&Source| {
            let blueprint = blueprints.get(usize::from(source.number()));
            blueprint.is_some_and(|blueprint| {
                let offer = source.offer(blueprint, libraries);
                offer.is_some_and(|offer| used + offer.needs <= self.budget)
                    && count(slots, source.number())
                        < usize::from(self.most(source.number(), blueprint))
            })
        };
        let short = self.templates.iter().filter(is_short);
        short.map(Source::number).collect()
    }

    /// Whether the slot's waiting cell has a twin while none of another kind waits.
    fn is_spare(&self, slot: &Slot, slots: &[Slot], blueprints: &[Blueprint], used: u64) -> bool {
        let Some(standby) = slot
            .standby
            .as_ref()
            .filter(|_| !is_within(slot.used, CALM))
        else {
            return false;
        };
        let lacks = |number: &u16| count(slots, *number) == 0;
        let without = used.saturating_sub(standby.needs());
        count(slots, standby.blueprint) > 1
            && self.short(slots, blueprints, without).iter().any(lacks)
    }

    /// How many of this kind may wait now.
    fn most(&self, number: u16, blueprint: &Blueprint) -> u16 {
        let template = self.templates.iter().find(|one| one.number() == number);
        let recent = template
            .is_some_and(|one| one.wanted() > 0 && is_within(one.wanted(), self.idle.fades_after));
        blueprint
            .warm
            .as_ref()
            .map_or(0, |warm| if recent { warm.max } else { warm.min })
    }
}
