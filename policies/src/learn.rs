//! From refused calls to the lines that would allow them, for whoever writes a profile.
//!
//! Only what a person may write is offered: never a dangerous call, never a forbidden argument, and never a call that is
//! answered so on purpose.

use std::fmt;

use crate::arch::exists;
use crate::hint::hint;
use crate::syscalls::{Check, Condition, Syscalls, Test, Width};

/// What refused calls teach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lesson {
    /// What could be added to `[syscalls] allow`.
    pub add: Vec<Learned>,
    /// Calls that are not offered, and why.
    pub not_offered: Vec<(String, String)>,
}

/// One entry for `[syscalls] allow`. It is written as [`Display`](fmt::Display) writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// The call.
    pub call: String,
    /// For which arguments; nothing: for any. Its `why` is empty, to be filled in.
    pub condition: Option<Condition>,
}

/// What a profile would have to allow so that these calls are no longer refused.
pub fn learn(syscalls: &Syscalls, refused: &[(String, [u64; 6])]) -> Lesson {
    let mut lesson = Lesson::default();
    let mut learned = syscalls.clone();
    for (call, arguments) in refused {
        if learned.allows(call, arguments) {
            continue;
        }
        match entry(syscalls, call, arguments) {
            Ok(new) => {
                learned = learned.with_lessons(std::slice::from_ref(&new));
                merge(&mut lesson.add, new);
            }
            Err(why) => {
                let left = (call.clone(), why);
                if !lesson.not_offered.contains(&left) {
                    lesson.not_offered.push(left);
                }
            }
        }
    }
    lesson
}

impl Syscalls {
    /// These, and what was learned, for the next round. What nobody may allow is left out.
    #[must_use]
    pub fn with_lessons(&self, lessons: &[Learned]) -> Syscalls {
        let mut extended = self.clone();
        for Learned { call, condition } in lessons {
            let refused = self.kill.contains(call)
                || self.answered(call).is_some()
                || self.forbidden_by(call, condition.as_ref()).is_some();
            if refused || !exists(call) {
                continue;
            }
            let present = extended.allow.get(call).is_some_and(Vec::is_empty);
            let conditions = extended.allow.entry(call.clone()).or_default();
            match condition {
                // An empty list allows the call with any arguments already.
                Some(condition) if !present => conditions.push(condition.clone()),
                Some(_) => {}
                None => conditions.clear(),
            }
        }
        extended
    }

    /// The list that answers a call on purpose.
    fn answered(&self, call: &str) -> Option<&'static str> {
        let lists = [
            ("enosys", &self.enosys),
            ("fallback", &self.fallback),
            ("einval", &self.einval),
        ];
        let found = lists.into_iter().find(|(_, calls)| calls.contains(call))?;
        Some(found.0)
    }
}

/// The entry that would allow a refused call, or why there is none.
fn entry(syscalls: &Syscalls, call: &str, arguments: &[u64; 6]) -> Result<Learned, String> {
    if !exists(call) {
        return Err(hint(call, Some(arguments)));
    }
    if syscalls.kill.contains(call) {
        return Err(format!(
            "it is in the dangerous group: {}",
            hint(call, Some(arguments))
        ));
    }
    if let Some(rule) = syscalls.forbids(call, arguments) {
        return Err(format!(
            "these arguments are forbidden to every profile: {}",
            rule.why
        ));
    }
    if let Some(list) = syscalls.answered(call) {
        return Err(format!(
            "the list {list:?} answers it on purpose: {}",
            hint(call, Some(arguments))
        ));
    }
    if call == "socket" && matches!(Width::Bits32.of(arguments[0]), 2 | 10) {
        return Err(hint(call, Some(arguments)));
    }
    let allowed = syscalls.allow.get(call);
    let masked = |condition: &Condition| {
        let mut tests = condition.checks.iter().map(|check| &check.test);
        tests.any(|test| !matches!(test, Test::Is(_)))
    };
    if allowed.is_some_and(|conditions| conditions.iter().any(masked)) {
        return Err(format!(
            "the profile looks at single bits of an argument of it, which a person has to widen: {}",
            hint(call, Some(arguments))
        ));
    }
    let checks = narrow(syscalls, call, arguments);
    let condition = (!checks.is_empty()).then_some(Condition {
        checks,
        why: String::new(),
    });
    match syscalls.forbidden_by(call, condition.as_ref()) {
        Some(rule) => Err(format!(
            "it can't be told from what is forbidden: {}",
            rule.why
        )),
        None => Ok(Learned {
            call: call.to_owned(),
            condition,
        }),
    }
}

/// Checks for just these arguments, of all that the profile or the forbidden rules look at.
fn narrow(syscalls: &Syscalls, call: &str, arguments: &[u64; 6]) -> Vec<Check> {
    let rules = [syscalls.allow.get(call), syscalls.forbid.get(call)];
    let mut checks: Vec<Check> = Vec::new();
    for seen in rules
        .into_iter()
        .flatten()
        .flatten()
        .flat_map(|rule| &rule.checks)
    {
        let Some(argument) = arguments.get(usize::from(seen.arg)) else {
            continue;
        };
        let argument = seen.width.of(*argument);
        let test = match seen.test {
            Test::Is(_) | Test::Not(_) => Test::Is(vec![argument]),
            Test::Masked { mask, .. } | Test::Any { mask } => Test::Masked {
                mask,
                equals: argument & mask,
            },
        };
        let (arg, width) = (seen.arg, seen.width);
        let check = Check { arg, width, test };
        if !checks.contains(&check) {
            checks.push(check);
        }
    }
    let exact: Vec<u8> = checks
        .iter()
        .filter(|check| matches!(check.test, Test::Is(_)))
        .map(|check| check.arg)
        .collect();
    // Where the whole value is named, its bits need not be.
    checks.retain(|check| matches!(check.test, Test::Is(_)) || !exact.contains(&check.arg));
    checks
}

/// Adds an entry, or its value to one that differs in nothing else.
fn merge(add: &mut Vec<Learned>, new: Learned) {
    let value = |learned: &Learned| match learned.condition.as_ref()?.checks.as_slice() {
        [
            Check {
                arg,
                width,
                test: Test::Is(values),
            },
        ] => Some((learned.call.clone(), *arg, *width, values.clone())),
        _ => None,
    };
    if let Some((call, arg, width, values)) = value(&new) {
        for earlier in add.iter_mut() {
            let same = value(earlier)
                .is_some_and(|one| (one.0, one.1, one.2) == (call.clone(), arg, width));
            let check = earlier
                .condition
                .as_mut()
                .and_then(|one| one.checks.first_mut());
            if let (
                true,
                Some(Check {
                    test: Test::Is(all),
                    ..
                }),
            ) = (same, check)
            {
                all.extend(values);
                return;
            }
        }
    }
    add.push(new);
}

impl fmt::Display for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(condition) = &self.condition else {
            return write!(f, "{:?}", self.call);
        };
        write!(f, "{{ call = {:?}, ", self.call)?;
        let mut checks = condition.checks.iter();
        if let Some(first) = checks.next() {
            write!(f, "{first}")?;
        }
        let more: Vec<String> = checks.map(|check| format!("{{ {check} }}")).collect();
        if !more.is_empty() {
            write!(f, ", and = [{}]", more.join(", "))?;
        }
        write!(f, ", why = {:?} }}", condition.why)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = match self.width {
            Width::Bits32 => 32,
            Width::Bits64 => 64,
        };
        let list = |values: &[u64]| {
            let hex = |value: &u64| {
                if *value < 10 {
                    value.to_string()
                } else {
                    format!("{value:#x}")
                }
            };
            values.iter().map(hex).collect::<Vec<_>>().join(", ")
        };
        write!(f, "arg = {}, bits = {bits}, ", self.arg)?;
        match &self.test {
            Test::Is(values) => write!(f, "is = [{}]", list(values)),
            Test::Masked { mask, equals } => write!(f, "mask = {mask:#x}, equals = {equals:#x}"),
            Test::Any { mask } => write!(f, "any = {mask:#x}"),
            Test::Not(values) => write!(f, "not = [{}]", list(values)),
        }
    }
}
