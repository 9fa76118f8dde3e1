//! Groups: pieces of a profile that several profiles share, so that no list is written twice.
//!
//! Including a group must never take anything away: it adds calls and paths, and contradictions are refused later.

use std::collections::BTreeMap;

use crate::document::{Document, Section};
use crate::error::{Place, PolicyError, did_you_mean};
use crate::profile::Root;
use crate::rules::{self, Entry};

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
    /// The entries of `[syscalls]`.
    pub(crate) entries: Vec<Entry>,
}

impl Group {
    /// Reads a file of `groups/`.
    pub(crate) fn read(document: &Document<'_>) -> Result<Group, PolicyError> {
        let section = document.root();
        section.only(&["description", "include", "root", "syscalls"])?;
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
        if let Some(syscalls) = section.get("syscalls") {
            group.entries = rules::entries(&syscalls.section()?)?;
        }
        Ok(group)
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
        whole.entries.extend(self.entries.iter().cloned());
        Ok(())
    }
}
