//! `ops/bench/run warm`: Python jobs from a template, whole way through the queue, in turns with bare starts of the
//! interpreter.
//!
//! Broker, store, client, runner and cells share the machine with each other and never with what is bare.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use glovebox_schemas::result::Status;
use glovebox_tests::Fleet;
use glovebox_tests::fleet::{PATIENCE, eventually, python};
use serde::Serialize;

use crate::bare;
use crate::report::Summary;

const BARE: [&str; 5] = ["/usr/bin/python3", "-I", "-S", "-c", "print(1)"];
/// Turns of the whole measurement; the median of them counts.
const ROUNDS: usize = 5;
/// Starts and jobs of a turn, and how many of them are under way at one time.
const STARTS: usize = 200;
const JOBS: usize = 600;
const IN_FLIGHT: usize = 64;
/// Jobs one at a time.
const ALONE: usize = 100;

/// What was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Warm {
    slots: u16,
    bare: Summary,
    bare_per_s: f64,
    /// Submitted, waited for, one after the other.
    queued: Summary,
    queued_per_s: f64,
    ratio_per_s: f64,
    /// Of a cell that waits for its job, PSS.
    ready_kib: u64,
    /// Jobs that came from a template, and those that did not.
    warm: u64,
    cold: u64,
}

/// Measures, and prints JSON.
pub(crate) fn run(slots: u16) -> anyhow::Result<Warm> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure(slots))
}

async fn measure(slots: u16) -> anyhow::Result<Warm> {
    let fleet = Fleet::new().await?;
    let runner = fleet.runner(slots).await?;
    let warden = runner.warden()?;
    burst(&fleet, usize::from(slots) * 4).await?;
    let ready = || warden.called("glovebox-ready");
    eventually("all slots are ready", async || {
        Ok(ready()?.len() == usize::from(slots))
    })
    .await?;
    let mut memory = Vec::new();
    for process in ready()? {
        memory.push(process.memory_kib()?);
    }
    if std::env::var_os("GB_ONLY").is_some() {
        loop {
            eprintln!("{:.0}", rate(2000, burst(&fleet, 2000).await?));
        }
    }
    let (mut bare, mut queued) = (Vec::new(), Vec::new());
    let (mut bare_rates, mut queued_rates) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for _ in 0..ALONE {
            bare.push(bare::once(&BARE)?);
            queued.push(one(&fleet).await?);
        }
        bare_rates.push(bare_rate()?);
        queued_rates.push(rate(JOBS, burst(&fleet, JOBS).await?));
    }
    let beat = fleet
        .hash(&format!("glovebox:runner:{}", runner.name))
        .await?;
    let count = |name: &str| {
        beat.get(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    };
    let (bare_per_s, queued_per_s) = (median(bare_rates), median(queued_rates));
    let measured = Warm {
        slots,
        bare: Summary::of(bare),
        bare_per_s,
        queued: Summary::of(queued),
        queued_per_s,
        ratio_per_s: queued_per_s / bare_per_s,
        ready_kib: memory.iter().sum::<u64>() / memory.len().max(1) as u64,
        warm: count("warm"),
        cold: count("cold"),
    };
    fleet.stop_settled(runner).await?;
    Ok(measured)
}

/// From the submission to the result in the waiter's hand.
async fn one(fleet: &Fleet) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let job = python("print(1)");
    fleet.client.submit(&job).await?;
    let result = fleet.client.wait(&job.id, PATIENCE).await?;
    let result = result.context("a job has no result")?;
    ensure!(result.status == Status::Succeeded, "{result:?}");
    Ok(begun.elapsed())
}

async fn burst(fleet: &Fleet, jobs: usize) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    stream::iter(0..jobs)
        .map(|_| one(fleet))
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<Vec<_>>()
        .await?;
    Ok(begun.elapsed())
}

/// With every processor busy.
fn bare_rate() -> anyhow::Result<f64> {
    let threads = std::thread::available_parallelism()?.get();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let starts = || (0..STARTS / threads).try_for_each(|_| bare::once(&BARE).map(drop));
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(starts)).collect();
        all.into_iter().try_for_each(|one| match one.join() {
            Ok(done) => done,
            Err(_) => anyhow::bail!("a thread has panicked"),
        })
    })?;
    Ok(rate(STARTS, begun.elapsed()))
}

fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}
