//! From profiles to blueprints: what the warden is given when it starts.
//!
//! A profile has several: its program with and without a network, with each environment, and its compiler.
//! Done before any message is read. Must never invent an isolation that the profile does not name.

use std::collections::{BTreeMap, HashMap};
use std::ffi::CString;
use std::path::PathBuf;

use glovebox_cell::blueprint::{Network, RootPath, Without};
use glovebox_cell::{Blueprint, Filter, Limits, Refusal, Warm, WarmMode};
use glovebox_policies::{Arch, Catalog, PolicyError, Profile, Root, Syscalls};
use glovebox_schemas::job::{self, Job};

/// Where a package environment is seen in a cell.
const ENV: &str = "/env";

/// A package environment that is installed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// The name of the profile that it belongs to.
    pub language: String,
    /// Its name within the language.
    pub name: String,
    /// The folder with what is installed, on the host.
    pub folder: PathBuf,
}

/// The profiles that this runner can serve, and which blueprint each kind of cell has.
#[derive(Clone, Debug)]
pub struct Languages {
    pub(crate) catalog: Catalog,
    pub(crate) arch: Arch,
    environments: Vec<Environment>,
    /// By the profile's name. A profile whose toolchain is absent has none.
    blueprints: HashMap<(String, Kind), u16>,
}

/// What a cell of a profile is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// To run the program.
    Run {
        environment: Option<String>,
        proxy: bool,
    },
    /// To compile it.
    Compile,
    /// To install the packages of an environment.
    Install,
}

/// Which cells will be asked for. Each blueprint costs mounts and a compilation.
#[derive(Clone, Debug)]
pub enum Wanted<'a> {
    /// Whatever a job may need.
    Everything,
    /// What this job needs.
    Job(&'a Job),
    /// Installing packages for this language.
    Install(&'a str),
}

impl Wanted<'_> {
    fn includes(&self, catalog: &Catalog, profile: &Profile, kind: &Kind) -> bool {
        let is_of = |language: &str| {
            catalog
                .find(language)
                .is_some_and(|meant| meant.name == profile.name)
        };
        let runs = |language: &str, asked: &Option<String>, network: job::Network| {
            let Kind::Run { environment, proxy } = kind else {
                return matches!(kind, Kind::Compile) && is_of(language);
            };
            let asked = asked.as_ref().and_then(|name| name.split_once(':'));
            is_of(language)
                && asked.map(|(_, name)| name) == environment.as_deref()
                && *proxy == (network == job::Network::Proxy)
        };
        match (self, kind) {
            (Wanted::Install(language), Kind::Install) => is_of(language),
            (Wanted::Install(_), _) | (_, Kind::Install) => false,
            (Wanted::Everything, _) => true,
            (Wanted::Job(job), _) => {
                let checks = |checker: &job::Checker| {
                    runs(&checker.language, &checker.profile, job::Network::None)
                };
                runs(&job.language, &job.profile, job.network)
                    || job.checker.as_ref().is_some_and(checks)
            }
        }
    }
}

/// Makes the blueprints that are wanted of each profile whose toolchain this host has.
///
/// # Errors
/// When a profile does not compile, or this machine's architecture is not one of ours.
pub fn prepare(
    catalog: Catalog,
    environments: Vec<Environment>,
    wanted: &Wanted<'_>,
) -> Result<(Languages, Vec<Blueprint>), PolicyError> {
    let arch = Arch::host().unwrap_or(Arch::X86_64);
    let mut blueprints = Vec::new();
    let mut numbers = HashMap::new();
    for profile in catalog.profiles() {
        if profile.absent().is_some() {
            continue;
        }
        let wanted = kinds(profile, &environments)
            .into_iter()
            .filter(|kind| wanted.includes(&catalog, profile, kind));
        for kind in wanted {
            if let Ok(number) = u16::try_from(blueprints.len()) {
                blueprints.push(blueprint(profile, &kind, &environments, arch)?);
                numbers.insert((profile.name.clone(), kind), number);
            }
        }
    }
    let languages = Languages {
        catalog,
        arch,
        environments,
        blueprints: numbers,
    };
    Ok((languages, blueprints))
}

/// Every kind of cell that a profile can have here.
fn kinds(profile: &Profile, environments: &[Environment]) -> Vec<Kind> {
    let own = environments
        .iter()
        .filter(|one| one.language == profile.name && profile.environment.is_some());
    let names = std::iter::once(None).chain(own.map(|one| Some(one.name.clone())));
    let mut kinds: Vec<Kind> = names
        .flat_map(|environment| {
            [false, true].map(|proxy| Kind::Run {
                environment: environment.clone(),
                proxy,
            })
        })
        .filter(|kind| profile.proxy.is_some() || !matches!(kind, Kind::Run { proxy: true, .. }))
        .collect();
    kinds.extend(profile.compile.is_some().then_some(Kind::Compile));
    kinds.extend(profile.environment.is_some().then_some(Kind::Install));
    kinds
}

impl Languages {
    /// The number of a blueprint; `None` when the toolchain is absent here, or the profile has no such cell.
    pub(crate) fn blueprint(&self, profile: &Profile, kind: &Kind) -> Option<u16> {
        let key = (profile.name.clone(), kind.clone());
        self.blueprints.get(&key).copied()
    }

    /// The environment of this profile that is called so.
    pub(crate) fn environment(&self, profile: &Profile, name: &str) -> Option<&Environment> {
        self.environments
            .iter()
            .find(|one| one.language == profile.name && one.name == name)
    }

    /// The names of this profile's environments.
    pub(crate) fn environments_of(&self, profile: &Profile) -> impl Iterator<Item = &str> {
        self.environments
            .iter()
            .filter(|one| one.language == profile.name)
            .map(|one| one.name.as_str())
    }
}

/// What of a profile holds for one kind of cell.
struct Rules<'a> {
    root: &'a Root,
    syscalls: &'a Syscalls,
    ceilings: &'a glovebox_policies::Limits,
    exec_workdir: bool,
    network: Network,
}

fn rules<'a>(profile: &'a Profile, kind: &Kind) -> Rules<'a> {
    let plain = Rules {
        root: &profile.root,
        syscalls: &profile.syscalls,
        ceilings: &profile.ceilings,
        exec_workdir: profile.exec_workdir,
        network: Network::Nothing,
    };
    match (kind, &profile.proxy, &profile.compile, &profile.environment) {
        (Kind::Run { proxy: true, .. }, Some(proxy), _, _) => Rules {
            root: &proxy.root,
            syscalls: &proxy.syscalls,
            network: Network::Doors,
            ..plain
        },
        (Kind::Compile, _, Some(compile), _) => Rules {
            root: &compile.root,
            syscalls: &compile.syscalls,
            ceilings: &compile.limits,
            exec_workdir: compile.exec_workdir,
            network: Network::Nothing,
        },
        (Kind::Install, _, _, Some(environment)) => Rules {
            root: &environment.root,
            syscalls: &environment.syscalls,
            ceilings: &environment.limits,
            exec_workdir: true,
            network: Network::Doors,
        },
        _ => plain,
    }
}

fn blueprint(
    profile: &Profile,
    kind: &Kind,
    environments: &[Environment],
    arch: Arch,
) -> Result<Blueprint, PolicyError> {
    let rules = rules(profile, kind);
    let filter = glovebox_policies::filter(&profile.name, rules.syscalls, arch)?;
    let mut root = root_paths(rules.root);
    let mut links = BTreeMap::new();
    if let Kind::Run {
        environment: Some(name),
        ..
    } = kind
        && let Some(installed) = environments
            .iter()
            .find(|one| one.language == profile.name && &one.name == name)
    {
        root.push(RootPath {
            host: installed.folder.clone(),
            at: PathBuf::from(ENV),
            optional: false,
        });
        links.extend(profile.environment.iter().flat_map(|one| one.links.clone()));
    }
    Ok(Blueprint {
        name: profile.name.clone(),
        root,
        links: links.into_iter().collect(),
        builds_env: matches!(kind, Kind::Install),
        exec_workdir: rules.exec_workdir,
        filter: Filter {
            program: filter.program,
            refusals: filter
                .refusals
                .into_iter()
                .map(|(nr, refusal)| (nr, answer(refusal)))
                .collect(),
            listens: true,
        },
        ceilings: limits(rules.ceilings),
        open_files: profile.open_files,
        cpus_milli: cpus_milli(profile.cpus),
        network: rules.network,
        warm: warm(profile, kind, &rules, arch)?,
        without: Without::default(),
    })
}

/// How a cell of this kind can be had warm.
fn warm(
    profile: &Profile,
    kind: &Kind,
    rules: &Rules<'_>,
    arch: Arch,
) -> Result<Option<Warm>, PolicyError> {
    let (
        Some(warm),
        Kind::Run {
            environment,
            proxy: false,
        },
    ) = (&profile.warm, kind)
    else {
        return Ok(None);
    };
    let environment = environment.as_deref();
    let filter = glovebox_policies::template_filter(&profile.name, rules.syscalls, arch)?;
    let words = |words: Vec<String>| words.into_iter().filter_map(|word| CString::new(word).ok());
    let env = variables(profile, environment.is_some(), false);
    let mode = match warm.mode {
        glovebox_policies::WarmMode::Fork => WarmMode::Fork,
        glovebox_policies::WarmMode::Ahead => WarmMode::Ahead,
    };
    Ok(Some(Warm {
        mode,
        argv: words(command(profile, environment, &profile.source, &[])).collect(),
        env: words(
            env.iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
        )
        .collect(),
        preload: warm.preload(environment),
        filter: Filter {
            program: filter.program,
            refusals: Vec::new(),
            listens: false,
        },
        forks: warm.forks,
        min: match environment {
            None => warm.min,
            // Started with the first job that wants it: there may be many.
            Some(_) => 0,
        },
        max: warm.max,
    }))
}

/// The command that runs `entrypoint`, with an environment or without.
pub(crate) fn command(
    profile: &Profile,
    environment: Option<&str>,
    entrypoint: &str,
    args: &[String],
) -> Vec<String> {
    match (environment, &profile.environment) {
        (Some(_), Some(rules)) => rules.command(entrypoint, args),
        _ => profile.command(entrypoint, args),
    }
}

/// What a program of this profile finds in its environment before a job says something; later ones are laid over
/// earlier ones.
pub(crate) fn variables(
    profile: &Profile,
    environment: bool,
    proxy: bool,
) -> BTreeMap<String, String> {
    let environment = profile.environment.as_ref().filter(|_| environment);
    let proxy = profile.proxy.as_ref().filter(|_| proxy);
    let layers = [
        Some(&profile.env),
        environment.map(|rules| &rules.env),
        proxy.map(|rules| &rules.env),
    ];
    let mut variables = BTreeMap::new();
    for layer in layers.into_iter().flatten() {
        variables.extend(layer.clone());
    }
    variables
}

/// Host paths at the same place in the cell.
fn root_paths(root: &Root) -> Vec<RootPath> {
    let path = |optional: bool| {
        move |path: &PathBuf| RootPath {
            host: path.clone(),
            at: path.clone(),
            optional,
        }
    };
    let required = root.read_only.iter().map(path(false));
    required
        .chain(root.optional.iter().map(path(true)))
        .collect()
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
