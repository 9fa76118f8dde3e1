//! From a job to a plan: everything about a run decided before anything is started.
//!
//! Pure but for the clock. What is wrong with a job against its profile is said here, by field, with
//! the mend; must never be found out by the cell.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::time::Duration;

use glovebox_cell::Limits;
use glovebox_policies::Profile;
use glovebox_schemas::job::{Compare, Job, LimitsRequest, Network, Rejection};

use crate::Languages;
use crate::blueprints::limits;

/// All that is needed to run a job.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) profile: String,
    pub(crate) blueprint: u16,
    pub(crate) arch: glovebox_policies::Arch,
    pub(crate) limits: Limits,
    /// Bytes kept of stdout, and as many of stderr.
    pub(crate) output_bytes: u64,
    pub(crate) env: Vec<CString>,
    pub(crate) files: Vec<(CString, Vec<u8>)>,
    pub(crate) outputs: Vec<String>,
    /// One, or one a test.
    pub(crate) runs: Vec<Run>,
    /// Whether the runs are tests.
    pub(crate) tests: bool,
}

/// One start of the program, in a fresh cell.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) name: String,
    pub(crate) argv: Vec<CString>,
    pub(crate) stdin: Vec<u8>,
    pub(crate) expected: Option<(String, Compare)>,
}

/// Whether the job may not be started any more.
pub(crate) fn is_expired(job: &Job) -> bool {
    job.expires_at
        .is_some_and(|at| at <= jiff::Timestamp::now())
}

/// Decides how to run `job`.
///
/// # Errors
/// A rejection that names the field: an unknown or absent language, a limit above the ceiling, a
/// network mode that the profile does not offer, an entrypoint that is not among the files.
pub(crate) fn decide(job: &Job, languages: &Languages) -> Result<Plan, Rejection> {
    let profile = find_profile(job, languages)?;
    let blueprint = languages
        .blueprint(profile)
        .ok_or_else(|| absent(profile))?;
    check_network(job, profile)?;
    check_outputs(&job.outputs)?;
    let (limits, output_bytes) = decide_limits(&job.limits, profile)?;
    let files = place_files(job, profile)?;
    let entrypoint = job.entrypoint.as_deref().unwrap_or(&profile.source);
    let has_entrypoint = files
        .iter()
        .any(|(path, _)| path.as_bytes() == entrypoint.as_bytes());
    if !has_entrypoint {
        return Err(Rejection::new(
            "missing_entrypoint",
            format!("entrypoint: no file {entrypoint:?} is in the job"),
            "put it into `files`, or name another one in `entrypoint`",
        ));
    }
    Ok(Plan {
        profile: profile.name.clone(),
        blueprint,
        arch: languages.arch,
        limits,
        output_bytes,
        env: environment(&profile.env, &job.env)?,
        files,
        outputs: job.outputs.clone(),
        runs: runs(job, profile, entrypoint)?,
        tests: !job.tests.is_empty(),
    })
}

fn find_profile<'a>(job: &Job, languages: &'a Languages) -> Result<&'a Profile, Rejection> {
    let catalog = &languages.catalog;
    catalog.find(&job.language).ok_or_else(|| {
        let shown: String = job.language.chars().take(40).collect();
        let hint = match catalog.nearest(&job.language) {
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

fn absent(profile: &Profile) -> Rejection {
    let (path, package) = profile.absent().map_or_else(
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

fn check_network(job: &Job, profile: &Profile) -> Result<(), Rejection> {
    let asked = match job.network {
        Network::None => "none",
        Network::Proxy => "proxy",
    };
    if profile.network.iter().any(|offered| offered == asked) {
        return Ok(());
    }
    Err(Rejection::new(
        "network_not_offered",
        format!(
            "network: the profile {:?} does not offer {asked:?}",
            profile.name
        ),
        format!("use one of: {}", profile.network.join(", ")),
    ))
}

fn decide_limits(asked: &LimitsRequest, profile: &Profile) -> Result<(Limits, u64), Rejection> {
    let mut chosen = profile.defaults;
    let ceiling = &profile.ceilings;
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let within = |name: &str, value: Option<u64>, ceiling: u64| match value {
        Some(value) if value > ceiling => Err(Rejection::new(
            "limit_above_ceiling",
            format!(
                "limits.{name}: {value} is above the ceiling of the profile {:?}",
                profile.name
            ),
            format!("ask for at most {ceiling}"),
        )),
        value => Ok(value),
    };
    if let Some(wall) = within("wall_ms", asked.wall_ms, millis(ceiling.wall))? {
        chosen.wall = Duration::from_millis(wall);
    }
    if let Some(cpu) = within("cpu_ms", asked.cpu_ms, millis(ceiling.cpu))? {
        chosen.cpu = Duration::from_millis(cpu);
    }
    for (name, value, ceiling, target) in [
        (
            "memory_bytes",
            asked.memory_bytes,
            ceiling.memory,
            &mut chosen.memory,
        ),
        (
            "disk_bytes",
            asked.disk_bytes,
            ceiling.disk,
            &mut chosen.disk,
        ),
        (
            "output_bytes",
            asked.output_bytes,
            ceiling.output,
            &mut chosen.output,
        ),
        (
            "processes",
            asked.processes,
            ceiling.processes,
            &mut chosen.processes,
        ),
    ] {
        if let Some(value) = within(name, value, ceiling)? {
            *target = value;
        }
    }
    Ok((limits(&chosen), chosen.output))
}

/// The job's files with `code` among them, under the profile's name for it.
fn place_files(job: &Job, profile: &Profile) -> Result<Vec<(CString, Vec<u8>)>, Rejection> {
    let mut files = Vec::with_capacity(job.files.len() + 1);
    if let Some(code) = &job.code {
        let name = job.entrypoint.as_deref().unwrap_or(&profile.source);
        if let Some(file) = job.files.iter().find(|file| conflicts(&file.path, name)) {
            return Err(Rejection::new(
                "conflicting_fields",
                format!(
                    "code: it becomes the file {name:?}, which {:?} stands in the way of",
                    file.path
                ),
                "send the program either as `code` or as a file",
            ));
        }
        files.push((text("code", name)?, code.clone().into_bytes()));
    }
    for file in &job.files {
        files.push((text("files", &file.path)?, file.content.clone()));
    }
    Ok(files)
}

/// Whether two paths can't both be files: they are the same, or one would be the other's folder.
fn conflicts(one: &str, other: &str) -> bool {
    let beneath = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.starts_with('/'));
    one == other || beneath(one, other) || beneath(other, one)
}

fn check_outputs(globs: &[String]) -> Result<(), Rejection> {
    for (at, glob) in globs.iter().enumerate() {
        if let Err(error) = globset::Glob::new(glob) {
            return Err(Rejection::new(
                "invalid_value",
                format!("outputs[{at}]: {}", error.kind()),
                "write a glob such as `*.png` or `out/**`",
            ));
        }
    }
    Ok(())
}

fn environment(
    profile: &BTreeMap<String, String>,
    job: &BTreeMap<String, String>,
) -> Result<Vec<CString>, Rejection> {
    let mut merged = profile.clone();
    merged.extend(job.clone());
    merged
        .iter()
        .map(|(name, value)| text("env", &format!("{name}={value}")))
        .collect()
}

fn runs(job: &Job, profile: &Profile, entrypoint: &str) -> Result<Vec<Run>, Rejection> {
    let run = |name: &str, args: &[String], stdin: &str, expected| {
        let argv = profile.command(entrypoint, args);
        Ok(Run {
            name: name.to_owned(),
            argv: argv
                .iter()
                .map(|word| text("args", word))
                .collect::<Result<_, _>>()?,
            stdin: stdin.as_bytes().to_vec(),
            expected,
        })
    };
    if job.tests.is_empty() {
        return Ok(vec![run("", &job.args, &job.stdin, None)?]);
    }
    job.tests
        .iter()
        .map(|test| {
            let args = [job.args.as_slice(), test.args.as_slice()].concat();
            let expected = test.expected_stdout.clone();
            let expected = expected.map(|text| (text, test.compare));
            run(&test.name, &args, &test.stdin, expected)
        })
        .collect()
}

fn text(field: &str, value: &str) -> Result<CString, Rejection> {
    CString::new(value).map_err(|_| {
        Rejection::new(
            "invalid_value",
            format!("{field}: a NUL character can't be passed to a program"),
            "leave it out, or send it through `stdin`",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_conflict_when_one_would_be_the_others_folder() {
        for (one, other, expected) in [
            ("main.py", "main.py", true),
            ("main.py/x", "main.py", true),
            ("a", "a/b/c", true),
            ("main.py", "main.pyc", false),
            ("a/b", "a/c", false),
        ] {
            assert_eq!(conflicts(one, other), expected, "{one} {other}");
            assert_eq!(conflicts(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn a_glob_that_is_none_is_named() {
        let rejected = check_outputs(&["*.txt".to_owned(), "[a.txt".to_owned()]);
        let message = rejected.err().map(|rejection| rejection.message);
        assert!(message.is_some_and(|text| text.starts_with("outputs[1]: ")));
    }
}
