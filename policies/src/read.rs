//! One file of `profiles/`, from what is written to what is checked.
//!
//! Every check that needs only this file is here. A key that is not understood must be refused, never skipped: a typo in a
//! limit would otherwise be no limit.

use std::collections::BTreeMap;

use crate::document::{Document, Item, Section};
use crate::error::PolicyError;
use crate::group::Group;
use crate::profile::{ENTRYPOINT, Limits, Profile};
use crate::syscalls::Syscalls;
use crate::units;

const KEYS: [&str; 15] = [
    "name",
    "aliases",
    "description",
    "package",
    "source",
    "run",
    "exec_workdir",
    "network",
    "open_files",
    "cpus",
    "env",
    "limits",
    "include",
    "root",
    "syscalls",
];
const MODES: [&str; 2] = ["none", "proxy"];

/// Reads a profile; `stem` is its file's name without the ending. What it includes is not resolved yet: the profile's root
/// and system calls are still empty, the group holds what the file says about them.
pub(crate) fn profile(
    document: &Document<'_>,
    stem: &str,
) -> Result<(Profile, Group), PolicyError> {
    let section = document.root();
    section.only(&KEYS)?;
    let limits = section
        .need("limits", "{ default = {…}, ceiling = {…} }")?
        .section()?;
    limits.only(&["default", "ceiling"])?;
    let ceilings = amounts(&limits, "ceiling", None)?;
    let profile = Profile {
        name: name(&section, stem)?,
        aliases: aliases(&section)?,
        description: section
            .need("description", "\"the language, for people\"")?
            .string()?
            .to_owned(),
        source: source(&section)?,
        run: run(&section)?,
        package: section
            .need("package", "\"the Debian package of the interpreter\"")?
            .string()?
            .to_owned(),
        env: env(&section)?,
        root: crate::profile::Root::default(),
        exec_workdir: section.need("exec_workdir", "false")?.boolean()?,
        network: network(&section)?,
        defaults: amounts(&limits, "default", Some(&ceilings))?,
        ceilings,
        open_files: count(&section.need("open_files", "1024")?)?,
        cpus: cpus(&section)?,
        syscalls: Syscalls::default(),
    };
    Ok((profile, Group::parts(&section)?))
}

fn name(section: &Section<'_>, stem: &str) -> Result<String, PolicyError> {
    let item = section.need("name", &format!("{stem:?}"))?;
    let name = called(&item)?;
    if name == stem {
        Ok(name)
    } else {
        Err(item.refuse(
            format!("{name:?} is not the name of the file"),
            format!("write {stem:?} or rename the file to {name}.toml"),
        ))
    }
}

fn aliases(section: &Section<'_>) -> Result<Vec<String>, PolicyError> {
    match section.get("aliases") {
        Some(item) => item.list()?.iter().map(called).collect(),
        None => Ok(Vec::new()),
    }
}

fn called(item: &Item<'_>) -> Result<String, PolicyError> {
    let name = item.string()?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+#._-".contains(c);
    if !name.is_empty() && name.len() <= 32 && name.chars().all(plain) {
        Ok(name.to_owned())
    } else {
        Err(item.refuse(
            format!("{name:?} cannot be a language's name"),
            "use 1 to 32 of a-z, 0-9, + # . _ -",
        ))
    }
}

fn source(section: &Section<'_>) -> Result<String, PolicyError> {
    let item = section.need("source", "\"main.py\"")?;
    match item.string()? {
        file if file.is_empty() || file.contains('/') || file.starts_with(['.', '-']) => Err(item
            .refuse(
                format!("{file:?} is not a plain file name"),
                "write a name such as \"main.py\"; it lies in the working folder",
            )),
        file => Ok(file.to_owned()),
    }
}

fn run(section: &Section<'_>) -> Result<Vec<String>, PolicyError> {
    let item = section.need("run", "[\"/usr/bin/interpreter\", \"{entrypoint}\"]")?;
    let words = texts(&item)?;
    if !words
        .first()
        .is_some_and(|program| program.starts_with('/'))
    {
        return Err(item.refuse(
            "does not begin with the absolute path of a program",
            "write [\"/usr/bin/interpreter\", \"{entrypoint}\"]",
        ));
    }
    if words
        .iter()
        .skip(1)
        .filter(|word| word.contains(ENTRYPOINT))
        .count()
        != 1
    {
        return Err(item.refuse(
            "has to hold {entrypoint} once",
            "put \"{entrypoint}\" where the interpreter takes the program's file",
        ));
    }
    Ok(words)
}

fn env(section: &Section<'_>) -> Result<BTreeMap<String, String>, PolicyError> {
    let mut env = BTreeMap::new();
    let Some(item) = section.get("env") else {
        return Ok(env);
    };
    for (name, value) in item.section()?.items() {
        let text = value.string()?;
        if name.is_empty() || name.contains(['=', '\0']) || text.contains('\0') {
            return Err(value.refuse(
                "no environment can hold this",
                "names have no = and neither names nor values a NUL",
            ));
        }
        env.insert(name.to_owned(), text.to_owned());
    }
    Ok(env)
}

fn network(section: &Section<'_>) -> Result<Vec<String>, PolicyError> {
    let item = section.need("network", "[\"none\"]")?;
    let modes = texts(&item)?;
    match modes.iter().find(|mode| !MODES.contains(&mode.as_str())) {
        Some(mode) => Err(item.refuse(
            format!("unknown mode {mode:?}"),
            crate::error::did_you_mean(mode, &MODES),
        )),
        None if modes.is_empty() => Err(item.refuse(
            "offers no mode",
            "write [\"none\"] for a language without network",
        )),
        None => Ok(modes),
    }
}

fn texts(item: &Item<'_>) -> Result<Vec<String>, PolicyError> {
    item.list()?
        .iter()
        .map(|word| word.string().map(str::to_owned))
        .collect()
}

fn count(item: &Item<'_>) -> Result<u64, PolicyError> {
    match item.integer()? {
        0 => Err(item.refuse("nothing could run with zero", "write a number from 1 up")),
        number => Ok(number),
    }
}

fn cpus(section: &Section<'_>) -> Result<f64, PolicyError> {
    let item = section.need("cpus", "1.0")?;
    match item.float()? {
        number if (0.01..=1024.0).contains(&number) => Ok(number),
        _ => Err(item.refuse(
            "not a share of processors",
            "write a number from 0.01 to 1024, 1.0 for one whole processor",
        )),
    }
}

fn amounts(
    limits: &Section<'_>,
    name: &str,
    ceilings: Option<&Limits>,
) -> Result<Limits, PolicyError> {
    let section = limits.need(name, "{ wall = \"10s\", … }")?.section()?;
    section.only(&["wall", "cpu", "memory", "disk", "output", "processes"])?;
    let wall = section.need("wall", "\"10s\"")?;
    let cpu = section.need("cpu", "\"10s\"")?;
    let memory = section.need("memory", "\"256MiB\"")?;
    let disk = section.need("disk", "\"64MiB\"")?;
    let output = section.need("output", "\"1MiB\"")?;
    let processes = section.need("processes", "32")?;
    let amounts = Limits {
        wall: units::time(&wall)?,
        cpu: units::time(&cpu)?,
        memory: units::bytes(&memory)?,
        disk: units::bytes(&disk)?,
        output: units::bytes(&output)?,
        processes: count(&processes)?,
    };
    if let Some(most) = ceilings {
        let above = [
            (&wall, amounts.wall > most.wall),
            (&cpu, amounts.cpu > most.cpu),
            (&memory, amounts.memory > most.memory),
            (&disk, amounts.disk > most.disk),
            (&output, amounts.output > most.output),
            (&processes, amounts.processes > most.processes),
        ];
        if let Some((item, _)) = above.iter().find(|(_, above)| *above) {
            return Err(item.refuse(
                "is above the ceiling",
                "lower it, or raise the same key of [limits.ceiling]",
            ));
        }
    }
    Ok(amounts)
}
