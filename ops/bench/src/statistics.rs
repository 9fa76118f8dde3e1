//! Order statistics. Nothing here is a mean: two shared cores are disturbed now and then, and a median does not mind.

use std::time::Duration;

use serde::Serialize;

/// Fewer than these have no 99th in a hundred.
const ENOUGH: usize = 100;

/// Order statistics of one column, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) count: usize,
    pub(crate) p50_ms: f64,
    /// `None` of too few.
    pub(crate) p99_ms: Option<f64>,
}

impl Summary {
    /// `None` of none.
    pub(crate) fn of(mut all: Vec<Duration>) -> Option<Summary> {
        all.sort_unstable();
        let at = |percent: usize| {
            let index = (all.len() * percent / 100).min(all.len().saturating_sub(1));
            Some(all.get(index)?.as_secs_f64() * 1000.0)
        };
        Some(Summary {
            count: all.len(),
            p50_ms: at(50)?,
            p99_ms: at(99).filter(|_| all.len() >= ENOUGH),
        })
    }
}

/// The middle one; of an even number the upper. `None` of none.
pub(crate) fn median(all: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut all: Vec<f64> = all.into_iter().collect();
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_of_the_order_and_not_of_the_sum() {
        let all = (1..=200).rev().map(Duration::from_millis).collect();
        let summary = Summary::of(all).unwrap();
        assert_eq!((summary.count, summary.p50_ms), (200, 101.0));
        assert_eq!(summary.p99_ms, Some(199.0));
        assert!(Summary::of(vec![]).is_none());
        let few = Summary::of(vec![Duration::from_millis(3)]).unwrap();
        assert_eq!((few.p50_ms, few.p99_ms), (3.0, None));
    }

    #[test]
    fn a_median_minds_no_outlier() {
        assert_eq!(median([1.0, 900.0, 2.0]), Some(2.0));
        assert_eq!(median([]), None);
    }
}
