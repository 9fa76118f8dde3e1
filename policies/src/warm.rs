//! The section `[warm]`: whether jobs of a language get an interpreter that has started already, how, and what that has
//! imported.
//!
//! What a job may do is the same either way: this is about time only, and must never be read for a permission.

use std::collections::BTreeMap;

use crate::command;
use crate::document::{Item, Section};
use crate::error::PolicyError;
use crate::syscalls::Syscalls;

/// How a job gets an interpreter that has started already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarmMode {
    /// It is forked from one: for Python.
    Fork,
    /// One was started ahead, for this job alone: for Node.js, which can't be forked.
    Ahead,
}

/// What is kept warm of a language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warm {
    /// How.
    pub mode: WarmMode,
    /// The modules that the interpreter imports before there is a job.
    pub preload: Vec<String>,
    /// Those that the template of an environment imports besides, by the environment's name.
    pub environments: BTreeMap<String, Vec<String>>,
    /// Variables that the interpreter, or a preloaded module, reads when it starts: exact names, or beginnings before a
    /// `*`. A job that gives one another value starts cold.
    pub start_env: Vec<String>,
    /// How many cells are kept waiting while nobody asks for them.
    pub min: u16,
    /// How many are kept waiting at the most.
    pub max: u16,
    /// How many jobs are forked from one template, in that mode.
    pub forks: u32,
}

/// Calls that a waiting process makes under its own filter before it is the job: it takes its order, sets its limits,
/// and writes its files.
const NEEDED: [&str; 10] = [
    "recvmsg",
    "sendmsg",
    "read",
    "write",
    "close",
    "pread64",
    "openat2",
    "mkdirat",
    "prlimit64",
    "mmap",
];
/// One fork each is no gain, and an interpreter that has forked many has got fragmented.
const FORKS: std::ops::RangeInclusive<u64> = 1..=1_000_000;
const MOST: u64 = 1000;

impl Warm {
    /// Reads the section; `None` if it says that there is nothing warm. `commands` are those that run a program.
    pub(crate) fn read(
        section: &Section<'_>,
        commands: &[&[String]],
        syscalls: &Syscalls,
    ) -> Result<Option<Warm>, PolicyError> {
        let mode = section.need("mode", "\"fork\"")?;
        let Some(how) = how(&mode)? else {
            return Ok(None);
        };
        let both = ["mode", "preload", "start_env", "min", "max"];
        let forked: &[&str] = match how {
            WarmMode::Fork => &["environments", "forks"],
            WarmMode::Ahead => &[],
        };
        section.only(&[both.as_slice(), forked].concat())?;
        let ends_with_program =
            |words: &&[String]| words.last().is_some_and(|word| word == command::ENTRYPOINT);
        if !commands.iter().all(ends_with_program) {
            return Err(mode.refuse(
                "a command that does not end with the program can't be kept warm",
                "write {entrypoint} as the last word of run, or mode = \"off\"",
            ));
        }
        if let Some(call) = NEEDED
            .iter()
            .find(|call| !syscalls.allow.contains_key(**call))
        {
            return Err(mode.refuse(
                format!("a job that waits needs the call {call}, which the profile does not allow"),
                "allow it, or write mode = \"off\"",
            ));
        }
        let (min, max) = (
            count(section, "min", 1, 0..=MOST)?,
            count(section, "max", MOST, 0..=MOST)?,
        );
        if min > max {
            return Err(section
                .need("min", "1")?
                .refuse(format!("min is {min}, above max, {max}"), "lower it"));
        }
        let environments = match section.get("environments") {
            Some(item) => item
                .section()?
                .items()
                .map(|(name, item)| Ok((name.to_owned(), modules(&item, how)?)))
                .collect::<Result<_, PolicyError>>()?,
            None => BTreeMap::new(),
        };
        let texts = |key| section.get(key).map_or(Ok(Vec::new()), |item| item.texts());
        Ok(Some(Warm {
            mode: how,
            preload: section
                .get("preload")
                .map_or(Ok(Vec::new()), |item| modules(&item, how))?,
            environments,
            start_env: texts("start_env")?,
            min: u16::try_from(min).unwrap_or(u16::MAX),
            max: u16::try_from(max).unwrap_or(u16::MAX),
            forks: u32::try_from(count(section, "forks", 2000, FORKS)?).unwrap_or(u32::MAX),
        }))
    }

    /// What an interpreter of this environment imports, or one of the plain profile.
    pub fn preload(&self, environment: Option<&str>) -> Vec<String> {
        let own = environment.and_then(|name| self.environments.get(name));
        self.preload
            .iter()
            .chain(own.into_iter().flatten())
            .cloned()
            .collect()
    }

    /// Whether a job that sets this variable has to start its interpreter anew.
    pub fn is_read_at_start(&self, variable: &str) -> bool {
        self.start_env
            .iter()
            .any(|name| match name.strip_suffix('*') {
                Some(beginning) => variable.starts_with(beginning),
                None => variable == name,
            })
    }
}

/// `None`: it is off.
fn how(mode: &Item<'_>) -> Result<Option<WarmMode>, PolicyError> {
    match mode.string()? {
        "fork" => Ok(Some(WarmMode::Fork)),
        "ahead" => Ok(Some(WarmMode::Ahead)),
        "off" => Ok(None),
        other => Err(mode.refuse(
            format!("unknown mode {other:?}"),
            "write \"fork\" for Python, \"ahead\" for Node.js, or \"off\" to start every job's interpreter anew",
        )),
    }
}

fn count(
    section: &Section<'_>,
    key: &str,
    default: u64,
    range: std::ops::RangeInclusive<u64>,
) -> Result<u64, PolicyError> {
    let Some(item) = section.get(key) else {
        return Ok(default);
    };
    let number = item.integer()?;
    match range.contains(&number) {
        true => Ok(number),
        false => Err(item.refuse(
            format!("{number} is out of range"),
            format!("write a number from {} to {}", range.start(), range.end()),
        )),
    }
}

/// Names of modules, with dots between their parts, or slashes in Node.js.
fn modules(item: &Item<'_>, how: WarmMode) -> Result<Vec<String>, PolicyError> {
    let (between, example) = match how {
        WarmMode::Fork => ('.', "write it as in an import: \"json\", \"numpy.linalg\""),
        WarmMode::Ahead => ('/', "name one of its own: \"net\", \"fs/promises\""),
    };
    let part = |part: &str| {
        part.chars()
            .next()
            .is_some_and(|first| first.is_alphabetic() || first == '_')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    let names = item.texts()?;
    match names.iter().find(|name| !name.split(between).all(part)) {
        Some(name) => Err(item.refuse(format!("{name:?} is not the name of a module"), example)),
        None => Ok(names),
    }
}
