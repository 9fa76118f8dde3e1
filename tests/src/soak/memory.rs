//! How much memory runners have, over time, and whether that grows with their age.
//!
//! Must compare a runner with itself only: each incarnation starts anew.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::fault::Whom;
use super::world::World;

const EVERY: Duration = Duration::from_secs(5);
/// A younger one has not warmed up.
const WARM_AFTER: Duration = Duration::from_secs(20);

/// The memory of a soak's runners.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// By the runner's name: its age, its share of pages (PSS), and what of it is no file's, in KiB.
    samples: BTreeMap<String, Vec<(Duration, u64, u64)>>,
}

/// What is told of it.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct MemoryUse {
    /// The most that one runner had: supervisor, warden and worker together, in KiB of PSS.
    pub most_kib: u64,
    /// The age in seconds of the oldest runner.
    pub oldest_s: u64,
    /// By how much the own memory of the oldest one grew after it was warm, in KiB.
    pub growth_kib: i64,
}

/// Looks, for ever.
pub(super) async fn watch(world: &World, memory: &std::cell::RefCell<Memory>) {
    let mut first_seen = BTreeMap::new();
    loop {
        tokio::time::sleep(EVERY).await;
        world.each_runner(Whom::All, |runner| {
            let since = first_seen
                .entry(runner.name.clone())
                .or_insert_with(Instant::now);
            // One that is being started or killed has no memory to speak of.
            if let (Ok(all), Ok(own)) = (runner.memory_kib(), runner.own_memory_kib()) {
                let mut memory = memory.borrow_mut();
                let samples = memory.samples.entry(runner.name.clone()).or_default();
                samples.push((since.elapsed(), all, own));
            }
        });
    }
}

impl Memory {
    pub(super) fn told(&self) -> MemoryUse {
        let all = self.samples.values();
        let most = all.clone().flatten().map(|(_, all, _)| *all).max();
        let oldest = all.max_by_key(|samples| samples.last().map(|(age, ..)| *age));
        let oldest = oldest.map_or(&[][..], Vec::as_slice);
        let warm = oldest.iter().find(|(age, ..)| *age >= WARM_AFTER);
        let growth = warm.zip(oldest.last()).map(|(first, last)| {
            let kib = |kib: u64| i64::try_from(kib).unwrap_or(i64::MAX);
            kib(last.2) - kib(first.2)
        });
        MemoryUse {
            most_kib: most.unwrap_or(0),
            oldest_s: oldest.last().map_or(0, |(age, ..)| age.as_secs()),
            growth_kib: growth.unwrap_or(0),
        }
    }
}
