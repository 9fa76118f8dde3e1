//! The system calls of a profile, resolved: every included group merged, every contradiction refused.
//!
//! What is named nowhere is refused with EPERM and reported. Nothing here may turn a refusal into a permission: where two
//! files disagree about a call, the profile is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::error::PolicyError;
use crate::forbid::{self, Forbidden};
use crate::rules::{Entry, Verdict};

/// What a profile says about system calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Syscalls {
    /// Allowed calls. No conditions: with any arguments; else when one of the conditions holds.
    pub allow: BTreeMap<String, Vec<Condition>>,
    /// Answered ENOSYS and reported: programs that ask for these by name can do without.
    pub enosys: BTreeSet<String>,
    /// Answered ENOSYS and not reported: the libc tries these by itself.
    pub fallback: BTreeSet<String>,
    /// Answered EINVAL and not reported: callers take it for a file that cannot be used so, and go another way.
    pub einval: BTreeSet<String>,
    /// Calls that kill the cell.
    pub kill: BTreeSet<String>,
    /// Arguments that nobody may allow, by call. They are refused as everything is that is not allowed.
    pub forbid: BTreeMap<String, Vec<Condition>>,
}

/// What has to hold of an allowed call's arguments: all of its checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// One at least.
    pub checks: Vec<Check>,
    /// Why it is allowed, or forbidden.
    pub why: String,
}

/// What has to hold of one argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Which argument, counted from 0.
    pub arg: u8,
    /// How much of the argument the kernel reads.
    pub width: Width,
    /// What has to hold.
    pub test: Test,
}

/// How much of an argument the kernel reads. Comparing more lets programs fail for nothing; comparing less lets them
/// smuggle (snap CVE-2019-7303, flatpak CVE-2019-10063).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// The lower 32 bits: an int.
    Bits32,
    /// All 64 bits: a long, a size or a pointer.
    Bits64,
}

/// What has to hold of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// It is one of these.
    Is(Vec<u64>),
    /// Of the bits in `mask`, exactly those in `equals` are set.
    Masked {
        /// The bits that are looked at.
        mask: u64,
        /// What they have to be.
        equals: u64,
    },
    /// At least one of these bits is set. Only to forbid.
    Any {
        /// The bits.
        mask: u64,
    },
    /// It is none of these. Only to forbid: a list of what is allowed names it.
    Not(Vec<u64>),
}

impl Condition {
    /// Whether a call's arguments fulfil it, as the kernel would read them.
    pub fn holds(&self, arguments: &[u64; 6]) -> bool {
        self.checks.iter().all(|check| {
            arguments
                .get(usize::from(check.arg))
                .is_some_and(|argument| check.holds(*argument))
        })
    }
}

impl Check {
    /// Whether an argument fulfils it, as the kernel would read the argument.
    pub fn holds(&self, argument: u64) -> bool {
        let argument = self.width.of(argument);
        match &self.test {
            Test::Is(values) => values.contains(&argument),
            Test::Masked { mask, equals } => argument & mask == *equals,
            Test::Any { mask } => argument & mask != 0,
            Test::Not(values) => !values.contains(&argument),
        }
    }
}

impl Width {
    /// The part of an argument that the kernel reads.
    pub(crate) fn of(self, argument: u64) -> u64 {
        match self {
            Width::Bits32 => argument & u64::from(u32::MAX),
            Width::Bits64 => argument,
        }
    }
}

impl Syscalls {
    /// Whether a call with these arguments goes through.
    pub fn allows(&self, name: &str, arguments: &[u64; 6]) -> bool {
        self.allow.get(name).is_some_and(|conditions| {
            conditions.is_empty() || conditions.iter().any(|one| one.holds(arguments))
        })
    }

    /// The rule that forbids a call with these arguments to every profile.
    pub fn forbids(&self, name: &str, arguments: &[u64; 6]) -> Option<&Condition> {
        let rules = self.forbid.get(name)?;
        rules.iter().find(|rule| rule.holds(arguments))
    }

    /// Merges what the files say, the profile's own entries last.
    pub(crate) fn resolve(entries: &[Rc<Entry>]) -> Result<Syscalls, PolicyError> {
        let forbidden = Forbidden::among(entries.iter().map(Rc::as_ref));
        let mut first: BTreeMap<&str, &Entry> = BTreeMap::new();
        // The forbidden ones before all others: whoever contradicts them is the one who is told.
        let (kills, others): (Vec<_>, Vec<_>) = entries
            .iter()
            .partition(|entry| entry.verdict == Verdict::Kill);
        let mut merged = Syscalls::default();
        for entry in kills.into_iter().chain(others) {
            if let Verdict::Allow(condition) = &entry.verdict {
                forbid::check(entry, condition.as_ref(), &forbidden)?;
            }
            if matches!(entry.verdict, Verdict::Forbid(_)) {
                // Only some of its arguments: that is no contradiction to an entry for others.
            } else if let Some(earlier) = first.get(entry.call.as_str()) {
                agree(earlier, entry)?;
            } else {
                first.insert(&entry.call, entry);
            }
            merged.add(entry);
        }
        Ok(merged)
    }

    fn add(&mut self, entry: &Entry) {
        let call = entry.call.clone();
        match &entry.verdict {
            Verdict::Allow(condition) => {
                let conditions = self.allow.entry(call).or_default();
                conditions.extend(
                    condition
                        .iter()
                        .filter(|new| !conditions.contains(new))
                        .cloned()
                        .collect::<Vec<_>>(),
                );
            }
            Verdict::Enosys => drop(self.enosys.insert(call)),
            Verdict::Fallback => drop(self.fallback.insert(call)),
            Verdict::Einval => drop(self.einval.insert(call)),
            Verdict::Kill => drop(self.kill.insert(call)),
            Verdict::Forbid(condition) => {
                let rules = self.forbid.entry(call).or_default();
                if !rules.contains(condition) {
                    rules.push(condition.clone());
                }
            }
        }
    }
}

/// Refuses two entries for one call that do not say the same.
fn agree(earlier: &Entry, entry: &Entry) -> Result<(), PolicyError> {
    let call = &entry.call;
    let spot = earlier.place.spot();
    match (&earlier.verdict, &entry.verdict) {
        (Verdict::Allow(None), Verdict::Allow(None))
        | (Verdict::Allow(Some(_)), Verdict::Allow(Some(_)))
        | (Verdict::Enosys, Verdict::Enosys)
        | (Verdict::Fallback, Verdict::Fallback)
        | (Verdict::Einval, Verdict::Einval)
        | (Verdict::Kill, Verdict::Kill) => Ok(()),
        (Verdict::Kill, _) => Err(entry.place.refuse(
            format!("{call:?} is in the dangerous group ({spot}): it kills the cell and cannot be allowed"),
            "take it out of this list",
        )),
        (Verdict::Allow(_), Verdict::Allow(_)) => Err(entry.place.refuse(
            format!("{call:?} is allowed both with conditions and without (the other is at {spot})"),
            format!("keep one of the two; to widen the conditions write {{ call = {call:?}, arg = …, bits = …, is = […], why = \"…\" }}"),
        )),
        (one, other) => Err(entry.place.refuse(
            format!("{call:?} is in {:?} here and in {:?} at {spot}", other.list(), one.list()),
            "take it out of one of them (a group of the same name in a policy directory replaces the built-in one)",
        )),
    }
}
