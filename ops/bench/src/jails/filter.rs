//! The calls that the profiles of Python and Node.js allow, in the forms that jails take.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use glovebox_policies::{Arch, Catalog, Syscalls};

use super::Site;

/// The names of the allowed calls that this architecture has.
pub(super) fn calls() -> anyhow::Result<Vec<String>> {
    let catalog = Catalog::load(None)?;
    let arch = Arch::host().context("this architecture has no profiles")?;
    let mut calls = std::collections::BTreeSet::new();
    for language in ["python", "nodejs"] {
        let profile = catalog.find(language).context("the profile is gone")?;
        calls.extend(profile.syscalls.allow.keys().cloned());
    }
    calls.retain(|name| arch.number(name).is_some());
    Ok(calls.into_iter().collect())
}

/// A file with the program for the kernel; what is not allowed fails with ENOSYS.
pub(super) fn compiled(site: &Site<'_>) -> anyhow::Result<PathBuf> {
    let allow: BTreeMap<_, _> = site
        .calls
        .iter()
        .map(|name| (name.clone(), vec![]))
        .collect();
    let syscalls = Syscalls {
        allow,
        ..Syscalls::default()
    };
    let arch = Arch::host().context("this architecture has no profiles")?;
    let filter = glovebox_policies::filter("bench", &syscalls, arch)?;
    let mut bytes = Vec::new();
    for instruction in filter.program {
        // SECCOMP_RET_USER_NOTIF asks somebody who is not there: ENOSYS, as that would be.
        let k = match (instruction.code, instruction.k) {
            (0x06, 0x7fc0_0000) => 0x0005_0000 | 38,
            (_, k) => k,
        };
        bytes.extend(instruction.code.to_ne_bytes());
        bytes.extend([instruction.jt, instruction.jf]);
        bytes.extend(k.to_ne_bytes());
    }
    site.file("filter.bpf", bytes).map(PathBuf::from)
}

/// The number of a call.
pub(super) fn number(name: &str) -> anyhow::Result<u32> {
    let number = Arch::host().and_then(|arch| arch.number(name));
    number.ok_or_else(|| anyhow!("there is no call {name} here"))
}
