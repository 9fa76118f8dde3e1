//! What came of the jobs of a batch: how many of each status, and pass@k.
//!
//! It must never count a job as a sample that says nothing of its program: one that was refused, cancelled, came too
//! late or failed through our fault.

use std::collections::BTreeMap;

use glovebox_schemas::result::Status;

/// Every status, in the order in which they are shown.
const STATUSES: [Status; 8] = [
    Status::Succeeded,
    Status::Failed,
    Status::LimitExceeded,
    Status::Denied,
    Status::Cancelled,
    Status::Expired,
    Status::Rejected,
    Status::Error,
];

/// The count so far. It grows with the number of problems, not of jobs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    counts: [u64; STATUSES.len()],
    problems: BTreeMap<String, Samples>,
}

/// The programs that were written for one problem.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Samples {
    all: u32,
    correct: u32,
}

/// How likely one of `k` programs solves a problem, over all problems that have at least `k`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PassAt {
    /// How many programs are tried.
    pub k: u32,
    /// From 0 to 1.
    pub rate: f64,
    /// Over how many problems.
    pub problems: usize,
}

impl Tally {
    /// Counts a job, and its program as a sample of its `metadata.problem` if it has one.
    pub fn count(&mut self, status: Status, problem: Option<&str>) {
        let places = STATUSES.iter().zip(&mut self.counts);
        let mut place = places.filter(|(one, _)| **one == status);
        if let Some((_, count)) = place.next() {
            *count += 1;
        }
        let is_sample = matches!(
            status,
            Status::Succeeded | Status::Failed | Status::LimitExceeded | Status::Denied
        );
        let Some(problem) = problem.filter(|_| is_sample) else {
            return;
        };
        if !self.problems.contains_key(problem) {
            self.problems.insert(problem.to_owned(), Samples::default());
        }
        if let Some(samples) = self.problems.get_mut(problem) {
            samples.all += 1;
            samples.correct += u32::from(status == Status::Succeeded);
        }
    }

    /// How many jobs were counted.
    #[must_use]
    pub fn jobs(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many ended with this status.
    #[must_use]
    pub fn of(&self, status: Status) -> u64 {
        let mut counts = self.counts();
        counts.find(|(one, _)| *one == status).map_or(0, |(_, n)| n)
    }

    /// The statuses that came up, with their counts.
    pub fn counts(&self) -> impl Iterator<Item = (Status, u64)> {
        let counts = STATUSES.into_iter().zip(self.counts);
        counts.filter(|(_, count)| *count > 0)
    }

    /// pass@k for each of these `k` for which a problem has enough programs: the unbiased estimator
    /// `1 - C(n-c, k) / C(n, k)` of Chen et al., "Evaluating Large Language Models Trained on Code" (2021), the mean
    /// over the problems.
    pub fn pass_at<const N: usize>(&self, ks: [u32; N]) -> impl Iterator<Item = PassAt> {
        ks.into_iter().filter_map(|k| {
            let enough = self.problems.values().filter(|samples| samples.all >= k);
            let (sum, problems) = enough.fold((0.0, 0), |(sum, problems), samples| {
                (sum + samples.pass_at(k), problems + 1)
            });
            (problems > 0).then(|| PassAt {
                k,
                rate: sum / problems as f64,
                problems,
            })
        })
    }
}

impl Samples {
    /// The quotient of the binomials as a product, which stays within 0 and 1.
    fn pass_at(self, k: u32) -> f64 {
        let wrong = self.all - self.correct;
        if wrong < k {
            return 1.0;
        }
        let all_wrong: f64 = (wrong + 1..=self.all)
            .map(|n| 1.0 - f64::from(k) / f64::from(n))
            .product();
        1.0 - all_wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(problem: &str, all: u32, correct: u32, tally: &mut Tally) {
        for number in 0..all {
            let status = match number < correct {
                true => Status::Succeeded,
                false => Status::Failed,
            };
            tally.count(status, Some(problem));
        }
    }

    /// By counting: of the k-subsets of n programs, those without a correct one.
    fn by_subsets(all: u32, correct: u32, k: u32) -> f64 {
        let subsets = (0_u32..1 << all).filter(|set| set.count_ones() == k);
        let (with, total) = subsets.fold((0, 0), |(with, total), set| {
            (with + u32::from(set & ((1 << correct) - 1) != 0), total + 1)
        });
        f64::from(with) / f64::from(total)
    }

    #[test]
    fn pass_at_k_is_the_share_of_subsets_with_a_correct_program() {
        for all in 1..=10 {
            for correct in 0..=all {
                for k in 1..=all {
                    let estimate = Samples { all, correct }.pass_at(k);
                    let exact = by_subsets(all, correct, k);
                    assert!((estimate - exact).abs() < 1e-9, "{all} {correct} {k}");
                }
            }
        }
    }

    #[test]
    fn only_problems_with_enough_programs_count() {
        let mut tally = Tally::default();
        counted("a", 10, 10, &mut tally);
        counted("b", 4, 0, &mut tally);

        let passes: Vec<_> = tally.pass_at([1, 5, 10, 20]).collect();

        let said: Vec<_> = passes.iter().map(|at| (at.k, at.problems)).collect();
        assert_eq!(said, [(1, 2), (5, 1), (10, 1)]);
        assert!((passes[0].rate - 0.5).abs() < 1e-9);
        assert!((passes[1].rate - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_says_nothing_of_a_program_is_no_sample() {
        let mut tally = Tally::default();
        counted("a", 1, 1, &mut tally);
        for status in [
            Status::Error,
            Status::Rejected,
            Status::Cancelled,
            Status::Expired,
        ] {
            tally.count(status, Some("a"));
        }

        let at_one: Vec<_> = tally.pass_at([1, 2]).collect();

        assert_eq!(at_one.len(), 1);
        assert!((at_one[0].rate - 1.0).abs() < 1e-9);
        assert_eq!((tally.jobs(), tally.of(Status::Error)), (5, 1));
    }
}
