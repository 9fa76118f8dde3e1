//! Latency under load: jobs arrive at random at four fifths of the rate that the whole way has shown, whether or not
//! those before them are done.
//!
//! A job's time counts from when it was to arrive: a client that falls behind must never make it look shorter.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::report::Point;
use crate::settle::settle;
use crate::statistics::Summary;
use crate::way::Way;
use crate::whole::Whole;

const PROGRAM: &str = "python";
const SHARE: f64 = 0.8;
/// More than this are never in flight: the client has a limit of its own, of submissions.
const MOST: usize = 10_000;
/// Arrivals are random, and the last jobs end after the last arrival.
const KEEPS_UP: f64 = 0.95;
/// The schedule of a session can be had again.
const SEED: u64 = 80;

/// What was seen.
#[derive(Debug, Serialize)]
pub(crate) struct Load {
    pub(crate) program: String,
    pub(crate) way: Way,
    pub(crate) offered_per_s: f64,
    pub(crate) done_per_s: f64,
    pub(crate) each: Summary,
}

impl Load {
    /// Whether jobs were done as fast as they came.
    pub(crate) fn keeps_up(&self) -> bool {
        self.done_per_s >= self.offered_per_s * KEEPS_UP
    }
}

/// Loads the warm runner.
pub(crate) async fn measure(
    whole: &Whole,
    points: &[Point],
    lasts: Duration,
) -> anyhow::Result<Option<Load>> {
    let way = Way::QueueWarm;
    let found = whole.programs.iter().enumerate();
    let mut found = found.filter(|(_, program)| program.name == PROGRAM);
    let Some((number, program)) = found.next() else {
        return Ok(None);
    };
    let rates = points.iter().filter(|point| point.is_of(PROGRAM, way));
    let Some(most) = rates.map(|point| point.per_s).max_by(f64::total_cmp) else {
        return Ok(None);
    };
    let offered_per_s = most * SHARE;
    whole.warm_up(way, number).await?;
    settle();
    let (arrive, arrivals) = mpsc::unbounded_channel();
    let begun = Instant::now();
    // A timer of the runtime is good to a millisecond only.
    let arriving = thread::Builder::new().spawn(move || {
        let mut random = fastrand::Rng::with_seed(SEED);
        let mut at = Duration::ZERO;
        while at < lasts {
            thread::sleep((begun + at).saturating_duration_since(Instant::now()));
            if arrive.send(begun + at).is_err() {
                return;
            }
            at += Duration::from_secs_f64(-(1.0 - random.f64()).ln() / offered_per_s);
        }
    })?;
    let each = Mutex::new(Vec::new());
    let stream = futures_util::stream::unfold(arrivals, |mut arrivals| async move {
        let at: Instant = arrivals.recv().await?;
        Some((anyhow::Ok(at), arrivals))
    });
    stream
        .map(|at| async { anyhow::Ok((at?, whole.one(way, program).await?)) })
        .buffer_unordered(MOST)
        .try_for_each(|(at, _)| {
            let took = at.elapsed();
            each.lock()
                .map(|mut each| each.push(took))
                .unwrap_or_default();
            std::future::ready(Ok(()))
        })
        .await?;
    let took = begun.elapsed();
    arriving
        .join()
        .map_err(|_| anyhow::anyhow!("the arrivals have panicked"))?;
    let each = each.into_inner()?;
    let done_per_s = each.len() as f64 / took.as_secs_f64();
    Ok(Summary::of(each).map(|each| Load {
        program: PROGRAM.to_owned(),
        way,
        offered_per_s,
        done_per_s,
        each,
    }))
}
