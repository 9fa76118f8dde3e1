//! From a job to a plan: everything about a run decided before anything is started.
//!
//! Pure but for the clock. What is wrong with a job against its profile is said here, by field, with
//! the mend; must never be found out by the cell.

mod files;
mod judging;
mod limits;
mod network;
mod warm;

use std::collections::BTreeMap;
use std::ffi::CString;

use glovebox_cell::Limits;
use glovebox_policies::{Absent, Profile};
use glovebox_schemas::job::{Job, Rejection};

use crate::blueprints::{Environment, Kind, Languages, command, limits as cell_limits, variables};
pub(crate) use files::Input;
pub(crate) use judging::{Expected, How, shown};
pub(crate) use network::of as network_of;

/// All that is needed to run a job.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The profile's name, with the environment's after a colon.
    pub(crate) profile: String,
    pub(crate) arch: glovebox_policies::Arch,
    pub(crate) files: Vec<Input>,
    /// What makes the program, once, before it is run.
    pub(crate) compile: Option<Compile>,
    pub(crate) cell: Cell,
    pub(crate) outputs: Vec<String>,
    /// One, or one a test.
    pub(crate) runs: Vec<Run>,
    /// Whether the runs are tests.
    pub(crate) tests: bool,
    /// The program that judges those that ask for it.
    pub(crate) checker: Option<Box<Plan>>,
    /// The most of them at one time.
    pub(crate) parallel: usize,
    /// Whether those after the first that fails are left out.
    pub(crate) stop_on_failure: bool,
    /// What may be reached, if anything.
    pub(crate) gate: Option<glovebox_gate::Policy>,
}

/// Which cell, and what it may use.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) blueprint: u16,
    pub(crate) limits: Limits,
    /// Bytes kept of stdout, and as many of stderr.
    pub(crate) output_bytes: u64,
    pub(crate) env: Vec<CString>,
    /// Whether a template's child would do as well.
    pub(crate) warm: bool,
}

/// The compiler's run.
#[derive(Clone, Debug)]
pub(crate) struct Compile {
    pub(crate) cell: Cell,
    pub(crate) argv: Vec<CString>,
    /// Globs of what it makes.
    pub(crate) artifacts: Vec<String>,
}

/// One start of the program, in a fresh cell.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) name: String,
    pub(crate) argv: Vec<CString>,
    pub(crate) stdin: Vec<u8>,
    pub(crate) expected: Expected,
}

/// Whether the job may not be started any more.
pub(crate) fn is_expired(job: &Job) -> bool {
    job.expires_at
        .is_some_and(|at| at <= jiff::Timestamp::now())
}

/// Decides how to run `job`.
///
/// # Errors
/// A rejection that names the field: an unknown or absent language or environment, a limit above the
/// ceiling, a network that the profile does not offer, an entrypoint that is not among the files.
pub(crate) fn decide(job: &Job, languages: &Languages) -> Result<Plan, Rejection> {
    let profile = find_profile(&job.language, languages)?;
    let environment = find_environment(job, profile, languages)?;
    let gate = network::decide(job, profile)?;
    files::check_outputs(&job.outputs)?;
    let (limits, output_bytes) = limits::decide(&job.limits, profile)?;
    let inputs = files::place(job, profile)?;
    let entrypoint = job.entrypoint.as_deref().unwrap_or(&profile.source);
    let is_there = |file: &&Input| file.path.as_bytes() == entrypoint.as_bytes();
    let program = inputs.iter().find(is_there).ok_or_else(|| {
        Rejection::new(
            "missing_entrypoint",
            format!("entrypoint: no file {entrypoint:?} is in the job"),
            "put it into `files`, or name another one in `entrypoint`",
        )
    })?;
    let kind = Kind::Run {
        environment: environment.map(|one| one.name.clone()),
        proxy: gate.is_some(),
    };
    let blueprint = languages
        .blueprint(profile, &kind)
        .ok_or_else(|| absent(profile, profile.absent()))?;
    let own = variables(profile, environment.is_some(), gate.is_some());
    let env = merge([&own, &job.env])?;
    let name = environment.map(|one| one.name.as_str());
    let warm = gate.is_none() && warm::is_possible(job, profile, program, &own);
    Ok(Plan {
        profile: environment.map_or_else(
            || profile.name.clone(),
            |one| format!("{}:{}", profile.name, one.name),
        ),
        arch: languages.arch,
        compile: compile(profile, languages, &inputs, entrypoint)?,
        files: inputs,
        cell: Cell {
            blueprint,
            limits,
            output_bytes,
            env,
            warm,
        },
        outputs: job.outputs.clone(),
        runs: runs(job, |args| command(profile, name, entrypoint, args))?,
        tests: !job.tests.is_empty(),
        checker: judging::checker(job, languages)?,
        parallel: parallel(job),
        stop_on_failure: job.stop_on_failure,
        gate,
    })
}

/// The profile that is called so.
pub(crate) fn find_profile<'a>(
    language: &str,
    languages: &'a Languages,
) -> Result<&'a Profile, Rejection> {
    let catalog = &languages.catalog;
    catalog.find(language).ok_or_else(|| {
        let shown: String = language.chars().take(40).collect();
        let hint = match catalog.nearest(language) {
            Some(near) => format!("did you mean {near:?}?"),
            None => {
                let names: Vec<_> = catalog.profiles().iter().map(|p| p.name.as_str()).collect();
                format!("this runner knows: {}", names.join(", "))
            }
        };
        Rejection::new(
            "unknown_language",
            format!("language: {shown:?} is not known here"),
            hint,
        )
    })
}

/// Says what is missing here, and which package brings it.
pub(crate) fn absent(profile: &Profile, absent: Option<Absent>) -> Rejection {
    let (path, package) = absent.map_or_else(
        || (profile.name.clone(), profile.package.clone()),
        |absent| (absent.path.display().to_string(), absent.package),
    );
    Rejection::new(
        "absent_language",
        format!(
            "language: {:?} is not installed on this runner ({path} is missing)",
            profile.name
        ),
        format!("install the package {package} on the runner's host"),
    )
}

/// The environment that the job names, which has to be one of its language.
fn find_environment<'a>(
    job: &Job,
    profile: &Profile,
    languages: &'a Languages,
) -> Result<Option<&'a Environment>, Rejection> {
    let Some(asked) = &job.profile else {
        return Ok(None);
    };
    let (language, name) = asked.split_once(':').unwrap_or_default();
    let meant = languages.catalog.find(language);
    if meant.is_none_or(|meant| meant.name != profile.name) {
        return Err(Rejection::new(
            "conflicting_fields",
            format!(
                "profile: {asked:?} is no environment of the language {:?}",
                job.language
            ),
            format!("name one of that language, as \"{}:NAME\"", profile.name),
        ));
    }
    if let Some(found) = languages.environment(profile, name) {
        return Ok(Some(found));
    }
    let known: Vec<_> = languages.environments_of(profile).collect();
    let known = match known.is_empty() {
        true => "this runner has none".to_owned(),
        false => format!("this runner has {}", known.join(", ")),
    };
    Err(Rejection::new(
        "unknown_environment",
        format!("profile: there is no environment {asked:?} here"),
        format!(
            "{known}; build it with `glovebox env build {name} --language {}`, and start the runner anew",
            profile.name
        ),
    ))
}

/// The compiler's run, for a language that has one.
fn compile(
    profile: &Profile,
    languages: &Languages,
    files: &[Input],
    entrypoint: &str,
) -> Result<Option<Compile>, Rejection> {
    let Some(rules) = &profile.compile else {
        return Ok(None);
    };
    let blueprint = languages
        .blueprint(profile, &Kind::Compile)
        .ok_or_else(|| absent(profile, profile.absent()))?;
    let paths: Vec<String> = files
        .iter()
        .map(|file| file.path.to_string_lossy().into_owned())
        .collect();
    let words = rules.command_line(entrypoint, &paths);
    Ok(Some(Compile {
        cell: Cell {
            blueprint,
            limits: cell_limits(&rules.limits),
            output_bytes: rules.limits.output,
            env: merge([&rules.env])?,
            warm: false,
        },
        argv: argv("files", &words)?,
        artifacts: rules.artifacts.clone(),
    }))
}

/// Later layers are laid over earlier ones.
pub(crate) fn merge<'a>(
    layers: impl IntoIterator<Item = &'a BTreeMap<String, String>>,
) -> Result<Vec<CString>, Rejection> {
    let mut merged = BTreeMap::new();
    for layer in layers {
        merged.extend(layer);
    }
    merged
        .into_iter()
        .map(|(name, value)| text("env", &format!("{name}={value}")))
        .collect()
}

fn runs(job: &Job, command: impl Fn(&[String]) -> Vec<String>) -> Result<Vec<Run>, Rejection> {
    let run = |name: &str, args: &[String], stdin: &str, expected| {
        Ok(Run {
            name: name.to_owned(),
            argv: argv("args", &command(args))?,
            stdin: stdin.as_bytes().to_vec(),
            expected,
        })
    };
    if job.tests.is_empty() {
        return Ok(vec![run("", &job.args, &job.stdin, Expected::Anything)?]);
    }
    job.tests
        .iter()
        .map(|test| {
            let args = [job.args.as_slice(), test.args.as_slice()].concat();
            run(&test.name, &args, &test.stdin, Expected::of(test))
        })
        .collect()
}

/// Live output of several at a time could not be told apart.
fn parallel(job: &Job) -> usize {
    match job.stream {
        true => 1,
        false => job
            .parallel
            .and_then(|most| usize::try_from(most).ok())
            .unwrap_or(usize::MAX),
    }
}

fn argv(field: &str, words: &[String]) -> Result<Vec<CString>, Rejection> {
    words.iter().map(|word| text(field, word)).collect()
}

pub(crate) fn text(field: &str, value: &str) -> Result<CString, Rejection> {
    CString::new(value).map_err(|_| {
        Rejection::new(
            "invalid_value",
            format!("{field}: a NUL character can't be passed to a program"),
            "leave it out, or send it through `stdin`",
        )
    })
}
