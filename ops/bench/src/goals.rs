//! What was to be reached, and what was.
//!
//! Ratios are taken within each round, each way at the number in flight at which it is best over the session, and their
//! median counts. Must never call a goal met that could not be measured.

use serde::Serialize;

use crate::memory::Memory;
use crate::report::{Point, Report};
use crate::statistics::median;
use crate::way::Way;

/// One row.
#[derive(Debug, Serialize)]
pub(crate) struct Goal {
    pub(crate) what: &'static str,
    pub(crate) goal: String,
    /// `None`: it could not be measured here.
    pub(crate) measured: Option<String>,
    pub(crate) met: bool,
}

/// What a value is compared with.
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}
use Bound::{AtLeast, AtMost};

/// All rows.
pub(crate) fn judge(report: &Report) -> Vec<Goal> {
    let Report { points, .. } = report;
    let bare = |program| rate_ratio(points, program, Way::QueueWarm, Way::Bare);
    let round_trip = report.round_trip.map(|all| all.p50_ms);
    let idle = |program: &str| {
        let mut rows = report.idle.iter();
        let row = rows.find(|row| row.program == program && row.way == Way::QueueWarm);
        row.map(|row| row.each.p50_ms)
    };
    let within = |ms: f64| AtMost(ms + round_trip.unwrap_or(0.0));
    let load = report.load.as_ref();
    // What does not keep up has a long p50, too.
    let load = load.filter(|load| load.keeps_up());
    let p99 = load.and_then(|load| Some(load.each.p99_ms? / load.each.p50_ms));
    let jail = best_jail(points, "python");
    let jail = jail.and_then(|jail| rate_ratio(points, "python", Way::QueueWarm, jail));
    let cold = sequential_ratio(points, "python", Way::Cold, Way::Bare);
    vec![
        row(
            "Python jobs/s, whole way, to bare spawns/s",
            AtLeast(3.0),
            "×",
            bare("python"),
        ),
        row(
            "the same to the best installed jail",
            AtLeast(4.0),
            "×",
            jail,
        ),
        row(
            "Python p50, submit → result, machine idle: 1.5 ms + the queue's own round trip",
            within(1.5),
            "ms",
            idle("python"),
        ),
        row(
            "Node p50 likewise: 6 ms + the same",
            within(6.0),
            "ms",
            idle("node"),
        ),
        row(
            "Node jobs/s, whole way, to bare",
            AtLeast(0.95),
            "×",
            bare("node"),
        ),
        row(
            "`import numpy` job, whole way, jobs/s to bare",
            AtLeast(30.0),
            "×",
            bare("numpy"),
        ),
        row(
            "`import pandas` job, whole way, jobs/s to bare",
            AtLeast(60.0),
            "×",
            bare("pandas"),
        ),
        row(
            "cold cell, Python, p50 to bare, in a kept slot",
            AtMost(1.15),
            "×",
            cold,
        ),
        row(
            "idle warm Python cell, PSS",
            AtMost(6.0),
            "MB",
            report.memory.as_ref().map(Memory::mb),
        ),
        row(
            "Python p99 at 80 % load, to p50 there",
            AtMost(5.0),
            "×",
            p99,
        ),
    ]
}

fn row(what: &'static str, bound: Bound, unit: &str, value: Option<f64>) -> Goal {
    let (sign, bound, met) = match bound {
        AtLeast(bound) => ("≥", bound, value.is_some_and(|value| value >= bound)),
        AtMost(bound) => ("≤", bound, value.is_some_and(|value| value <= bound)),
    };
    Goal {
        what,
        goal: format!("{sign} {bound:.2} {unit}"),
        measured: value.map(|value| format!("{value:.2} {unit}")),
        met,
    }
}

/// Where a way does best.
fn best<'a>(points: &'a [Point], program: &str, way: Way) -> Option<&'a Point> {
    let own = points.iter().filter(|point| point.is_of(program, way));
    own.max_by(|a, b| a.per_s.total_cmp(&b.per_s))
}

fn best_jail(points: &[Point], program: &str) -> Option<Way> {
    let jails = points
        .iter()
        .filter(|point| point.way.is_jail() && point.program == program);
    let best = jails.max_by(|a, b| a.per_s.total_cmp(&b.per_s));
    best.map(|point| point.way)
}

/// How many times as many a second, median over the rounds.
pub(crate) fn rate_ratio(points: &[Point], program: &str, way: Way, to: Way) -> Option<f64> {
    let (one, other) = (best(points, program, way)?, best(points, program, to)?);
    let rounds = one.rounds.iter().zip(&other.rounds);
    median(rounds.map(|(one, other)| one.per_s / other.per_s))
}

/// How many times as long, one after the other.
fn sequential_ratio(points: &[Point], program: &str, way: Way, to: Way) -> Option<f64> {
    let alone = |way| {
        let mut own = points.iter().filter(|point| point.is_of(program, way));
        own.find(|point| point.in_flight == 1)
    };
    let rounds = alone(way)?.rounds.iter().zip(&alone(to)?.rounds);
    median(rounds.map(|(one, other)| one.p50_ms / other.p50_ms))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::agent::Batch;

    fn point(way: Way, in_flight: usize, each_ms: &[u64]) -> Point {
        let mut point = Point::new("python", way, in_flight);
        for ms in each_ms {
            point.add(Batch {
                took: Duration::from_millis(*ms),
                each: vec![Duration::from_millis(*ms)],
                warm: 0,
            });
        }
        point.done()
    }

    #[test]
    fn ratios_are_of_the_best_and_within_a_round() {
        let points = [
            point(Way::Bare, 1, &[10, 20, 40]),
            point(Way::Bare, 2, &[50, 50, 50]),
            point(Way::QueueWarm, 1, &[5, 10, 10]),
        ];
        // 2, 2 and 4 times; not the ratio to what bare does worse.
        assert_eq!(
            rate_ratio(&points, "python", Way::QueueWarm, Way::Bare),
            Some(2.0)
        );
        assert_eq!(
            sequential_ratio(&points, "python", Way::QueueWarm, Way::Bare),
            Some(0.5)
        );
        assert_eq!(rate_ratio(&points, "python", Way::Cold, Way::Bare), None);
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let one = row("x", AtLeast(3.0), "×", None);
        assert!(!one.met && one.measured.is_none());
        assert!(row("x", AtLeast(3.0), "×", Some(3.0)).met);
        assert!(!row("x", AtMost(3.0), "×", Some(3.1)).met);
    }
}
