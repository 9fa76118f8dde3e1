//! Groups: pieces of a profile that several profiles share, so that no list is written twice.
//!
//! Including a group must never take anything away: it adds calls and paths, and contradictions are refused later.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::document::{Document, Section};
use crate::error::{Place, PolicyError, did_you_mean};
use crate::profile::Root;
use crate::rules::{self, Entry};
use crate::syscalls::Syscalls;

/// The group that is in force for every profile, included or not.
pub(crate) const DANGEROUS: &str = "dangerous";

/// All groups, by name.
pub(crate) type Groups = BTreeMap<String, Group>;

/// What a group or a profile brings: other groups, paths and calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    /// The names of included groups, each with the place it is named.
    pub(crate) include: Vec<(String, Place)>,
    /// The paths of the host that are shown.
    pub(crate) root: Root,
    /// Variables of the environment. Those of a file are laid over those of what it includes.
    pub(crate) env: BTreeMap<String, String>,
    /// The entries of `[syscalls]`.
    /// Shared, because every cell of every profile resolves its own list of them.
    pub(crate) entries: Vec<Rc<Entry>>,
}

impl Group {
    /// Reads a file of `groups/`.
    pub(crate) fn read(document: &Document<'_>) -> Result<Group, PolicyError> {
        let section = document.root();
        section.only(&["description", "include", "root", "env", "syscalls"])?;
        section
            .need("description", "\"what the group is for\"")?
            .string()?;
        Group::parts(&section)
    }

    /// Reads what groups and profiles have in common.
    pub(crate) fn parts(section: &Section<'_>) -> Result<Group, PolicyError> {
        let mut group = Group::default();
        if let Some(include) = section.get("include") {
            for item in include.list()? {
                group
                    .include
                    .push((item.string()?.to_owned(), item.place()));
            }
        }
        if let Some(root) = section.get("root") {
            group.root = crate::root::root(&root.section()?)?;
        }
        group.env = env(section, "env")?;
        if let Some(syscalls) = section.get("syscalls") {
            let entries = rules::entries(&syscalls.section()?)?;
            group.entries = entries.into_iter().map(Rc::new).collect();
        }
        Ok(group)
    }

    /// This and another one, as if both were written in one file.
    pub(crate) fn with(&self, other: &Group) -> Group {
        let mut both = self.clone();
        both.include.extend(other.include.iter().cloned());
        both.root.join(&other.root);
        both.env.extend(other.env.clone());
        both.entries.extend(other.entries.iter().cloned());
        both
    }

    /// The system calls of a resolved group; `place` is the section that they are for.
    pub(crate) fn syscalls(&self, place: &Place) -> Result<Syscalls, PolicyError> {
        let syscalls = Syscalls::resolve(&self.entries)?;
        if syscalls.allow.contains_key("execve") {
            return Ok(syscalls);
        }
        Err(place.refuse(
            "does not allow execve, so its program could not be started",
            "add \"processes\" to include, or \"execve\" to [syscalls] allow",
        ))
    }

    /// This with all it includes, and with the dangerous group.
    pub(crate) fn resolve(&self, groups: &Groups) -> Result<Group, PolicyError> {
        let mut whole = Group::default();
        let mut done = Vec::new();
        if let Some(dangerous) = groups.get(DANGEROUS) {
            dangerous.collect(
                groups,
                &mut vec![DANGEROUS.to_owned()],
                &mut done,
                &mut whole,
            )?;
            done.push(DANGEROUS.to_owned());
        }
        self.collect(groups, &mut Vec::new(), &mut done, &mut whole)?;
        Ok(whole)
    }

    fn collect(
        &self,
        groups: &Groups,
        open: &mut Vec<String>,
        done: &mut Vec<String>,
        whole: &mut Group,
    ) -> Result<(), PolicyError> {
        for (name, place) in &self.include {
            if open.contains(name) {
                let way = format!("{} → {name}", open.join(" → "));
                return Err(place.refuse(
                    format!("group {name:?} includes itself ({way})"),
                    "take one of these includes out",
                ));
            }
            if done.contains(name) {
                continue;
            }
            let Some(group) = groups.get(name) else {
                let known: Vec<&str> = groups.keys().map(String::as_str).collect();
                return Err(place.refuse(
                    format!("unknown group {name:?}"),
                    did_you_mean(name, &known),
                ));
            };
            open.push(name.clone());
            group.collect(groups, open, done, whole)?;
            open.pop();
            done.push(name.clone());
        }
        whole.root.join(&self.root);
        whole.env.extend(self.env.clone());
        whole.entries.extend(self.entries.iter().cloned());
        Ok(())
    }
}

/// Reads a table of environment variables; none where there is no such table.
pub(crate) fn env(
    section: &Section<'_>,
    key: &str,
) -> Result<BTreeMap<String, String>, PolicyError> {
    let mut env = BTreeMap::new();
    let Some(item) = section.get(key) else {
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
