//! From profiles to blueprints: what the warden is given when it starts.
//!
//! Done before any message is read. Must never invent an isolation that the profile does not name.

use std::collections::HashMap;

use glovebox_cell::blueprint::{Network, RootPath, Without};
use glovebox_cell::{Blueprint, Filter, Limits, Refusal};
use glovebox_policies::{Arch, Catalog, PolicyError, Profile};

/// The profiles that this runner can serve, and which blueprint each one has.
#[derive(Clone, Debug)]
pub struct Languages {
    pub(crate) catalog: Catalog,
    /// By the profile's name. A profile whose interpreter is absent has none.
    blueprints: HashMap<String, u16>,
    pub(crate) arch: Arch,
}

/// Makes a blueprint of each profile whose interpreter this host has; of one only, if that is all
/// that will be asked for: each costs mounts and a compilation.
///
/// # Errors
/// When a profile does not compile, or this machine's architecture is not one of ours.
pub fn prepare(
    catalog: Catalog,
    only: Option<&str>,
) -> Result<(Languages, Vec<Blueprint>), PolicyError> {
    let arch = Arch::host().unwrap_or(Arch::X86_64);
    let mut blueprints = Vec::new();
    let mut numbers = HashMap::new();
    let only = only
        .and_then(|language| catalog.find(language))
        .map(|profile| &profile.name);
    for profile in catalog.profiles() {
        let unwanted = only.is_some_and(|name| name != &profile.name);
        if unwanted || profile.absent().is_some() {
            continue;
        }
        if let Ok(number) = u16::try_from(blueprints.len()) {
            numbers.insert(profile.name.clone(), number);
            blueprints.push(blueprint(profile, arch)?);
        }
    }
    let languages = Languages {
        catalog,
        blueprints: numbers,
        arch,
    };
    Ok((languages, blueprints))
}

impl Languages {
    /// The number of the profile's blueprint; `None` when its interpreter is absent here.
    pub(crate) fn blueprint(&self, profile: &Profile) -> Option<u16> {
        self.blueprints.get(&profile.name).copied()
    }
}

fn blueprint(profile: &Profile, arch: Arch) -> Result<Blueprint, PolicyError> {
    let filter = glovebox_policies::filter(&profile.name, &profile.syscalls, arch)?;
    let path = |optional: bool| {
        move |path: &std::path::PathBuf| RootPath {
            host: path.clone(),
            at: path.clone(),
            optional,
        }
    };
    let required = profile.root.read_only.iter().map(path(false));
    let optional = profile.root.optional.iter().map(path(true));
    Ok(Blueprint {
        name: profile.name.clone(),
        root: required.chain(optional).collect(),
        links: Vec::new(),
        builds_env: false,
        exec_workdir: profile.exec_workdir,
        filter: Filter {
            program: filter.program,
            refusals: filter
                .refusals
                .into_iter()
                .map(|(nr, refusal)| (nr, answer(refusal)))
                .collect(),
        },
        ceilings: limits(&profile.ceilings),
        open_files: profile.open_files,
        cpus_milli: cpus_milli(profile.cpus),
        network: Network::Nothing,
        without: Without::default(),
    })
}

fn answer(refusal: glovebox_policies::Refusal) -> Refusal {
    match refusal {
        glovebox_policies::Refusal::Eperm => Refusal::Eperm,
        glovebox_policies::Refusal::Enosys => Refusal::Enosys,
        glovebox_policies::Refusal::Kill => Refusal::Kill,
    }
}

/// The cell's part of a profile's limits; the output is counted by the runner.
pub(crate) fn limits(limits: &glovebox_policies::Limits) -> Limits {
    Limits {
        wall: limits.wall,
        cpu: limits.cpu,
        memory: limits.memory,
        disk: limits.disk,
        processes: limits.processes,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a small positive range first"
)]
fn cpus_milli(cpus: f64) -> u32 {
    (cpus * 1000.0).clamp(10.0, 1_000_000.0) as u32
}
