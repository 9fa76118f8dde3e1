//! Lines in any order: which of them are on one side only.
//!
//! Lines are known by a hash with a key of its own for each comparison, so that eight bytes stand for each and nobody can
//! make two that are taken for one. Must never hold the lines themselves, of which a hostile output has millions.

use std::hash::{BuildHasher, RandomState};

use super::compare::{Pieces, Sides};

/// Lines of a surplus that are told; the rest is counted.
const MOST_TOLD: usize = 20;

/// What is on one side only.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Surplus<'a> {
    /// How many lines.
    pub(super) count: usize,
    /// The first of them.
    pub(super) first: Vec<&'a [u8]>,
}

/// Whether the same lines are on both sides, each as often.
pub(super) fn agree(sides: &Sides<'_>) -> bool {
    let key = RandomState::new();
    hashes(sides.got(), &key) == hashes(sides.expected(), &key)
}

/// The lines that are missing, and those that were not expected.
pub(super) fn surplus<'a>(sides: &Sides<'a>) -> (Surplus<'a>, Surplus<'a>) {
    let key = RandomState::new();
    let (got, expected) = (hashes(sides.got(), &key), hashes(sides.expected(), &key));
    let missing = told(sides.expected(), without(&expected, &got), &key);
    let unexpected = told(sides.got(), without(&got, &expected), &key);
    (missing, unexpected)
}

/// A blank line has no place without an order.
fn lines(pieces: Pieces<'_>) -> impl Iterator<Item = &[u8]> {
    pieces.filter(|line| !line.is_empty())
}

fn hashes(pieces: Pieces<'_>, key: &RandomState) -> Vec<u64> {
    let mut hashes: Vec<u64> = lines(pieces).map(|line| key.hash_one(line)).collect();
    hashes.sort_unstable();
    hashes
}

/// Those of one sorted list that are not in the other, as many times as they are there more.
fn without(these: &[u64], others: &[u64]) -> Vec<u64> {
    let mut others = others.iter().peekable();
    let mut left = Vec::new();
    for this in these {
        while others.next_if(|other| *other < this).is_some() {}
        if others.next_if(|other| *other == this).is_none() {
            left.push(*this);
        }
    }
    left
}

fn told<'a>(pieces: Pieces<'a>, mut surplus: Vec<u64>, key: &RandomState) -> Surplus<'a> {
    let count = surplus.len();
    let first = lines(pieces).filter(|line| {
        let found = surplus.binary_search(&key.hash_one(*line));
        found.map(|at| surplus.remove(at)).is_ok()
    });
    let first = first.take(MOST_TOLD.min(count)).collect();
    Surplus { count, first }
}
