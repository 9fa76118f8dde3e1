//! Sizes and times with their unit: `256MiB`, `10s`. A number alone is refused, because nobody can tell what it counts.

use std::time::Duration;

use crate::document::Item;
use crate::error::PolicyError;

const SIZES: [(&str, u64); 4] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];
const TIMES: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000)];

/// A size in bytes, more than nothing.
pub(crate) fn bytes(item: &Item<'_>) -> Result<u64, PolicyError> {
    amount(
        item,
        &SIZES,
        "a size such as \"256MiB\" (units: B, KiB, MiB, GiB)",
    )
}

/// A time, more than nothing.
pub(crate) fn time(item: &Item<'_>) -> Result<Duration, PolicyError> {
    amount(
        item,
        &TIMES,
        "a time such as \"10s\" (units: ms, s, min, h)",
    )
    .map(Duration::from_millis)
}

fn amount(item: &Item<'_>, units: &[(&str, u64)], wanted: &str) -> Result<u64, PolicyError> {
    let mend = format!("write {wanted}");
    if !item.is_string() {
        return Err(item.refuse("has no unit", mend));
    }
    let text = item.string()?;
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let (number, unit) = (number.parse::<u64>(), unit.trim());
    let Ok(number) = number else {
        return Err(item.refuse(format!("{text:?} does not begin with a whole number"), mend));
    };
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(item.refuse(format!("unknown unit {unit:?} in {text:?}"), mend));
    };
    match number.checked_mul(*factor) {
        Some(0) => Err(item.refuse("nothing could run with zero", mend)),
        Some(amount) => Ok(amount),
        None => Err(item.refuse(format!("{text:?} is too large to count"), mend)),
    }
}
