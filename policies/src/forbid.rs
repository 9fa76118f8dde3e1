//! Arguments that nobody may allow: whether an allowed call could be made with one of them.
//!
//! The answer may be "yes" too often, never too seldom: what cannot be told apart counts as the same.

use std::collections::BTreeMap;

use crate::error::PolicyError;
use crate::rules::{Entry, Verdict};
use crate::syscalls::{Check, Condition, Syscalls, Test};

/// The entries that forbid, by call.
pub(crate) struct Forbidden<'a>(BTreeMap<&'a str, Vec<(&'a Entry, &'a Condition)>>);

impl<'a> Forbidden<'a> {
    /// Those among `entries`.
    pub(crate) fn among(entries: impl Iterator<Item = &'a Entry>) -> Forbidden<'a> {
        let mut rules: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for entry in entries {
            if let Verdict::Forbid(rule) = &entry.verdict {
                let of_call = rules.entry(entry.call.as_str()).or_default();
                of_call.push((entry, rule));
            }
        }
        Forbidden(rules)
    }
}

/// Refuses an allowed call that could be made with forbidden arguments. No condition: any arguments.
pub(crate) fn check(
    allowed: &Entry,
    condition: Option<&Condition>,
    forbidden: &Forbidden<'_>,
) -> Result<(), PolicyError> {
    for (entry, rule) in forbidden.0.get(allowed.call.as_str()).into_iter().flatten() {
        if meet(condition, rule) {
            let (call, spot) = (&entry.call, entry.place.spot());
            let (problem, mend) = match condition {
                Some(_) => (
                    format!(
                        "these arguments of {call:?} are forbidden to every profile ({spot}: {})",
                        rule.why
                    ),
                    "take them out of the rule".to_owned(),
                ),
                None => (
                    format!(
                        "{call:?} by its bare name allows arguments that are forbidden to every profile ({spot}: {})",
                        rule.why
                    ),
                    format!(
                        "allow it by value: {{ call = {call:?}, arg = …, bits = …, is = […], why = \"…\" }}"
                    ),
                ),
            };
            return Err(allowed.place.refuse(problem, mend));
        }
    }
    Ok(())
}

impl Syscalls {
    /// The rule that forbids some of the arguments that a condition (or none) would allow.
    pub(crate) fn forbidden_by(
        &self,
        call: &str,
        condition: Option<&Condition>,
    ) -> Option<&Condition> {
        let rules = self.forbid.get(call)?;
        rules.iter().find(|rule| meet(condition, rule))
    }
}

/// Whether arguments may exist that are both allowed and forbidden.
fn meet(allowed: Option<&Condition>, forbidden: &Condition) -> bool {
    let allowed = allowed.map_or(&[][..], |condition| &condition.checks);
    allowed.iter().all(|one| {
        let same = forbidden.checks.iter().filter(|rule| rule.arg == one.arg);
        same.into_iter().all(|rule| may_share(one, rule))
    })
}

/// Whether one value may fulfil both.
fn may_share(one: &Check, other: &Check) -> bool {
    // A rule that looks at another part of the argument than the kernel says nothing that could be relied on.
    if one.width != other.width {
        return true;
    }
    match (&one.test, &other.test) {
        (Test::Is(values), _) => values.iter().any(|value| other.holds(*value)),
        (_, Test::Is(values)) => values.iter().any(|value| one.holds(*value)),
        (
            Test::Masked { mask, equals },
            Test::Masked {
                mask: bits,
                equals: wanted,
            },
        ) => (equals ^ wanted) & mask & bits == 0,
        (Test::Masked { mask, equals }, Test::Any { mask: bits })
        | (Test::Any { mask: bits }, Test::Masked { mask, equals }) => bits & (equals | !mask) != 0,
        (Test::Any { .. }, Test::Any { .. }) | (Test::Not(_), _) | (_, Test::Not(_)) => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::syscalls::Width;

    fn test() -> impl Strategy<Value = Test> {
        // Six bits, so that every value can be tried.
        prop_oneof![
            proptest::collection::vec(0u64..64, 1..4).prop_map(Test::Is),
            (1u64..64, 0u64..64).prop_map(|(mask, bits)| Test::Masked {
                mask,
                equals: bits & mask
            }),
            (1u64..64).prop_map(|mask| Test::Any { mask }),
            proptest::collection::vec(0u64..64, 1..4).prop_map(Test::Not),
        ]
    }

    fn condition() -> impl Strategy<Value = Condition> {
        let check = (0u8..2, test()).prop_map(|(arg, test)| Check {
            arg,
            width: Width::Bits32,
            test,
        });
        proptest::collection::vec(check, 1..3).prop_map(|checks| Condition {
            checks,
            why: "random".to_owned(),
        })
    }

    proptest! {
        #[test]
        fn whatever_both_take_is_noticed(allowed in condition(), forbidden in condition()) {
            let both = (0..64u64).flat_map(|first| (0..64).map(move |second| [first, second, 0, 0, 0, 0]))
                .any(|arguments| allowed.holds(&arguments) && forbidden.holds(&arguments));
            prop_assert!(!both || meet(Some(&allowed), &forbidden));
        }

        #[test]
        fn single_checks_are_told_apart_exactly(one in test(), other in test()) {
            let check = |test| Check { arg: 0, width: Width::Bits32, test };
            let (one, other) = (check(one), check(other));
            let sure = !matches!((&one.test, &other.test), (Test::Any { .. }, Test::Any { .. }) | (Test::Not(_), _) | (_, Test::Not(_)))
                || matches!((&one.test, &other.test), (Test::Is(_), _) | (_, Test::Is(_)));
            let both = (0..64u64).any(|value| one.holds(value) && other.holds(value));
            let shared = may_share(&one, &other);
            // Bits above the sixth are free in a mask, and any of them may be set.
            prop_assert!((shared == both) || (!sure && shared));
        }
    }
}
