//! The section `[syscalls]` of one file, as written: each entry checked by itself, none compared with another yet.

use crate::arch::{exists, names};
use crate::document::{Item, Section};
use crate::error::{Place, PolicyError, nearest};
use crate::syscalls::{Check, Condition, Test, Width};

/// One call in one list of one file.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The call's name; some architecture has it.
    pub(crate) call: String,
    /// What the list says about it.
    pub(crate) verdict: Verdict,
    /// Where it is written.
    pub(crate) place: Place,
}

/// What a list says about its calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allow(Option<Condition>),
    Enosys,
    Fallback,
    Einval,
    Kill,
    /// Nobody may allow the call with such arguments.
    Forbid(Condition),
}

impl Verdict {
    /// The name of the list.
    pub(crate) fn list(&self) -> &'static str {
        match self {
            Verdict::Allow(_) => "allow",
            Verdict::Enosys => "enosys",
            Verdict::Fallback => "fallback",
            Verdict::Einval => "einval",
            Verdict::Kill => "kill",
            Verdict::Forbid(_) => "forbid",
        }
    }
}

/// Reads the section `[syscalls]`.
pub(crate) fn entries(section: &Section<'_>) -> Result<Vec<Entry>, PolicyError> {
    section.only(&["allow", "enosys", "fallback", "einval", "kill", "forbid"])?;
    let mut entries = Vec::new();
    for item in list(section, "forbid")? {
        entries.push(forbidden(&item)?);
    }
    for item in list(section, "allow")? {
        entries.push(allowed(&item)?);
    }
    for verdict in [
        Verdict::Enosys,
        Verdict::Fallback,
        Verdict::Einval,
        Verdict::Kill,
    ] {
        for item in list(section, verdict.list())? {
            entries.push(Entry {
                call: call(&item)?,
                verdict: verdict.clone(),
                place: item.place(),
            });
        }
    }
    Ok(entries)
}

fn list<'a>(section: &Section<'a>, name: &str) -> Result<Vec<Item<'a>>, PolicyError> {
    section.get(name).map_or(Ok(Vec::new()), |item| item.list())
}

fn call(item: &Item<'_>) -> Result<String, PolicyError> {
    let name = item.string()?;
    if exists(name) {
        return Ok(name.to_owned());
    }
    let mend = match nearest(name, names()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => "see syscalls(2) for the names".to_owned(),
    };
    Err(item.refuse(format!("unknown system call {name:?}"), mend))
}

fn allowed(item: &Item<'_>) -> Result<Entry, PolicyError> {
    if item.is_string() {
        return Ok(Entry {
            call: call(item)?,
            verdict: Verdict::Allow(None),
            place: item.place(),
        });
    }
    let rule = item.section()?;
    rule.only(&["call", "arg", "bits", "is", "mask", "equals", "and", "why"])?;
    Ok(Entry {
        call: call(&rule.need("call", "\"the system call\"")?)?,
        verdict: Verdict::Allow(Some(condition(&rule, false)?)),
        place: item.place(),
    })
}

fn forbidden(item: &Item<'_>) -> Result<Entry, PolicyError> {
    let rule = item.section()?;
    rule.only(&[
        "call", "arg", "bits", "is", "mask", "equals", "any", "not", "and", "why",
    ])?;
    Ok(Entry {
        call: call(&rule.need("call", "\"the system call\"")?)?,
        verdict: Verdict::Forbid(condition(&rule, true)?),
        place: item.place(),
    })
}

/// A rule: one check, and those of `and`.
fn condition(rule: &Section<'_>, forbids: bool) -> Result<Condition, PolicyError> {
    let mut checks = vec![check(rule, forbids)?];
    if let Some(and) = rule.get("and") {
        let more = if and.is_list() {
            and.list()?
        } else {
            vec![and]
        };
        for item in more {
            let section = item.section()?;
            let known: &[&str] = if forbids {
                &["arg", "bits", "is", "mask", "equals", "any", "not"]
            } else {
                &["arg", "bits", "is", "mask", "equals"]
            };
            section.only(known)?;
            checks.push(check(&section, forbids)?);
        }
    }
    Ok(Condition {
        checks,
        why: why(rule)?,
    })
}

fn check(rule: &Section<'_>, forbids: bool) -> Result<Check, PolicyError> {
    let check = Check {
        arg: argument(rule)?,
        width: width(rule)?,
        test: test(rule, forbids)?,
    };
    fits(rule, &check)?;
    Ok(check)
}

fn argument(rule: &Section<'_>) -> Result<u8, PolicyError> {
    let item = rule.need("arg", "the argument's index, 0 to 5")?;
    match u8::try_from(item.integer()?) {
        Ok(index @ 0..=5) => Ok(index),
        _ => Err(item.refuse(
            "no system call has such an argument",
            "write an index from 0 to 5",
        )),
    }
}

fn width(rule: &Section<'_>) -> Result<Width, PolicyError> {
    let mend = "32 where the kernel reads an int (ioctl's request, socket's family), 64 where it reads a long, a size or a pointer";
    let item = rule.need("bits", mend)?;
    match item.integer()? {
        32 => Ok(Width::Bits32),
        64 => Ok(Width::Bits64),
        _ => Err(item.refuse("neither 32 nor 64", format!("write {mend}"))),
    }
}

fn test(rule: &Section<'_>, forbids: bool) -> Result<Test, PolicyError> {
    let form = ["is", "mask", "equals", "any", "not"].map(|name| rule.get(name));
    match form {
        [Some(is), None, None, None, None] => values(&is).map(Test::Is),
        [None, Some(mask), Some(equals), None, None] => masked(&mask, &equals),
        [None, None, None, Some(any), None] if forbids => Ok(Test::Any { mask: bits(&any)? }),
        [None, None, None, None, Some(not)] if forbids => values(&not).map(Test::Not),
        _ => {
            let more = if forbids {
                ", or any = bits, or not = [values]"
            } else {
                ""
            };
            Err(rule.place().refuse(
                "does not say which values are meant",
                format!("write either is = [values], or mask = bits and equals = bits{more}"),
            ))
        }
    }
}

fn values(item: &Item<'_>) -> Result<Vec<u64>, PolicyError> {
    let values: Vec<u64> = item
        .list()?
        .iter()
        .map(Item::integer)
        .collect::<Result<_, _>>()?;
    if values.is_empty() {
        return Err(item.refuse(
            "an empty list says nothing",
            "list the values or take the rule out",
        ));
    }
    Ok(values)
}

fn bits(item: &Item<'_>) -> Result<u64, PolicyError> {
    match item.integer()? {
        0 => Err(item.refuse(
            "a mask of 0 looks at nothing",
            "name the bits, or the call by its bare name",
        )),
        bits => Ok(bits),
    }
}

fn masked(mask: &Item<'_>, equals: &Item<'_>) -> Result<Test, PolicyError> {
    let (mask, wanted) = (bits(mask)?, equals.integer()?);
    if wanted & !mask != 0 {
        return Err(equals.refuse(
            "has bits that are not in the mask: never true",
            "add them to the mask or take them out",
        ));
    }
    Ok(Test::Masked {
        mask,
        equals: wanted,
    })
}

fn why(rule: &Section<'_>) -> Result<String, PolicyError> {
    let item = rule.need(
        "why",
        "\"the reason\": a rule that nobody can explain, nobody dares to remove",
    )?;
    match item.string()?.trim() {
        "" => Err(item.refuse("empty", "say why this is allowed")),
        reason => Ok(reason.to_owned()),
    }
}

/// Values that no 32-bit argument can have are a mistake about `bits`.
fn fits(rule: &Section<'_>, check: &Check) -> Result<(), PolicyError> {
    let largest = match &check.test {
        Test::Is(values) | Test::Not(values) => values.iter().copied().max().unwrap_or(0),
        Test::Masked { mask, .. } | Test::Any { mask } => *mask,
    };
    if check.width == Width::Bits32 && largest > u64::from(u32::MAX) {
        return Err(rule.place().refuse(
            format!("{largest:#x} does not fit in 32 bits"),
            "write bits = 64 if the kernel reads the whole argument, or a smaller value",
        ));
    }
    Ok(())
}
