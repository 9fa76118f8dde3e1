//! Installing the packages of an environment, in a cell of its own and through the gate.
//!
//! The installer runs strangers' code. It writes into `/env` of the cell; what is there at the end comes
//! back as a tar archive, as hostile as anything that a job prints. Must never touch the host's files.

use std::fs::File;

use glovebox_cell::Link;
use glovebox_policies::Environment;
use glovebox_schemas::job::{Job, Rejection};
use glovebox_schemas::result::JobResult;

use crate::blueprints::{Kind, Languages, limits};
use crate::embedded::{Echo, EmbeddedError, alone, block_on};
use crate::launch::{Ended, Keep, Order};
use crate::outcome;
use crate::plan::{self, Cell, Expected, Input, Plan, Run};
use crate::result::{MemoryStore, Tap};

/// An installer may open more connections than a job: one a package.
const CONNECTIONS: u32 = 20_000;
/// Bytes that an installer may send and receive.
const BYTES: u64 = 8 << 30;
/// Where the list of installed packages is left in the environment, for people.
const PACKAGES: &str = "/env/.glovebox/packages.json";

/// What is to be installed.
#[derive(Debug)]
pub struct Installation {
    /// A profile's name or alias.
    pub language: String,
    /// The manifest and what belongs to it, by name.
    pub files: Vec<(String, Vec<u8>)>,
    /// Where the archive of `/env` goes.
    pub archive: File,
    /// The longest archive, in bytes.
    pub archive_bytes: u64,
}

/// Installs, and gives the result as that of a job: `succeeded` if the archive is whole. What the installers
/// print is passed to `echo`. SIGINT and SIGTERM stop it.
///
/// # Errors
/// When this host can't isolate as asked.
pub fn install(
    link: Link,
    languages: &Languages,
    installation: Installation,
    echo: Echo,
) -> Result<JobResult, EmbeddedError> {
    let job = Job::new(installation.language.clone());
    let plan = match decide(languages, &installation) {
        Ok(plan) => plan,
        Err(rejection) => return Ok(JobResult::rejected(job.id, &rejection, "")),
    };
    let Some(run) = plan.runs.first() else {
        return Err(EmbeddedError::NoResult);
    };
    let order = Order {
        stdout: Keep::File(installation.archive, installation.archive_bytes),
        ..Order::program(&plan, run, &[])
    };
    let tap = Tap::Witness(MemoryStore::new(echo), job.id.clone());
    let ended = block_on(alone(link, &job.id, async |cells, slot, registration| {
        let until = std::future::pending();
        cells
            .run(slot, &order, registration, Some(tap), until)
            .await
    }))?;
    let ended = Ended {
        runs: vec![ended],
        ..Ended::default()
    };
    let outcome = outcome::judge(&plan, ended);
    Ok(outcome::compose(&job, &plan, outcome, ""))
}

/// Everything about the installer's cell, decided.
fn decide(languages: &Languages, installation: &Installation) -> Result<Plan, Rejection> {
    let profile = plan::find_profile(&installation.language, languages)?;
    let rules = profile.environment.as_ref();
    let (Some(rules), Some(proxy)) = (rules, &profile.proxy) else {
        return Err(Rejection::new(
            "no_environments",
            format!("language: {:?} has no environments", profile.name),
            "choose a language whose profile has an [environment]",
        ));
    };
    let absent = rules.absent().or_else(|| profile.absent());
    let blueprint = languages.blueprint(profile, &Kind::Install);
    let blueprint = match (blueprint, absent) {
        (Some(blueprint), None) => blueprint,
        (_, absent) => return Err(plan::absent(profile, absent)),
    };
    let files = installation.files.iter().map(|(name, content)| {
        Ok(Input {
            path: plan::text("manifest", name)?,
            content: content.clone(),
            executable: false,
        })
    });
    let gate = glovebox_gate::Policy {
        connections: CONNECTIONS,
        bytes: BYTES,
        ..plan::network_of(proxy)?
    };
    Ok(Plan {
        profile: profile.name.clone(),
        arch: languages.arch,
        files: files.collect::<Result<_, Rejection>>()?,
        compile: None,
        cell: Cell {
            warm: false,
            blueprint,
            limits: limits(&rules.limits),
            output_bytes: rules.limits.output,
            env: plan::merge([&profile.env, &proxy.env, &rules.install_env])?,
        },
        outputs: Vec::new(),
        runs: vec![Run {
            name: String::new(),
            argv: vec![
                c"/bin/sh".to_owned(),
                c"-c".to_owned(),
                plan::text("install", &script(rules))?,
            ],
            stdin: Vec::new(),
            expected: Expected::Anything,
        }],
        tests: false,
        checker: None,
        parallel: 1,
        stop_on_failure: false,
        gate: Some(gate),
    })
}

/// Runs the installers one after the other; what they print goes to stderr, and the archive to stdout.
fn script(rules: &Environment) -> String {
    let mut lines = vec!["set -e".to_owned()];
    lines.extend(
        rules
            .install
            .iter()
            .map(|command| format!("{} >&2", quoted(command))),
    );
    lines.push(format!("mkdir -p {}", parent(PACKAGES)));
    lines.push(format!("{} >{PACKAGES}", quoted(&rules.list)));
    lines.push("exec tar -C /env -cf - .".to_owned());
    lines.join("\n")
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("/", |(parent, _)| parent)
}

/// Words as a shell takes them literally (POSIX, "Single-Quotes").
fn quoted(words: &[String]) -> String {
    let one = |word: &String| format!("'{}'", word.replace('\'', r"'\''"));
    words.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_reach_the_installer_as_they_are() {
        let words = ["a b", "it's", "$HOME", "-r"].map(str::to_owned);
        assert_eq!(quoted(&words), r"'a b' 'it'\''s' '$HOME' '-r'");
    }
}
