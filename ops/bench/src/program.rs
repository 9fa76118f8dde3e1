//! The programs of a session: how each is started bare, and the job that is the same.
//!
//! Must never measure anything: a program that can't be had here is left out, and the session says why.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use glovebox_schemas::job::Job;
use serde::{Deserialize, Serialize};

/// One program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Program {
    /// In tables and files.
    pub(crate) name: String,
    /// As anybody would start it; this is also what a jail or a cold cell is given.
    pub(crate) argv: Vec<String>,
    /// Installed packages that it needs.
    pub(crate) packages: Option<Packages>,
    /// The profile of the job that does the same.
    pub(crate) language: String,
    /// The environment of that job, without the language.
    pub(crate) environment: Option<String>,
    /// The job's program.
    pub(crate) code: String,
    /// What it prints.
    pub(crate) prints: String,
    /// The most that are in flight: thirty-two starts of a third of a second each are a batch that never ends.
    pub(crate) most_in_flight: usize,
    /// Whether only what is bare and what is warm is of interest.
    pub(crate) warm_only: bool,
}

/// Packages, as an environment has them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Packages {
    /// The environment's folder on the host.
    pub(crate) folder: PathBuf,
    /// Where in it the interpreter finds packages.
    pub(crate) within: PathBuf,
}

/// Where a cell sees its environment.
pub(crate) const IN_CELL: &str = "/env";

impl Program {
    fn new(name: &str, language: &str, argv: &[&str], code: &str, prints: &str) -> Program {
        Program {
            name: name.to_owned(),
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            packages: None,
            language: language.to_owned(),
            environment: None,
            code: code.to_owned(),
            prints: prints.to_owned(),
            most_in_flight: usize::MAX,
            warm_only: false,
        }
    }

    /// `NAME=value`, with the packages' folder seen at `folder`.
    pub(crate) fn env(&self, folder: impl Fn(&Packages) -> PathBuf) -> Vec<String> {
        let mut env = vec!["PATH=/usr/bin:/bin".to_owned(), "LANG=C.UTF-8".to_owned()];
        if let Some(packages) = &self.packages {
            let path = folder(packages).join(&packages.within);
            env.push(format!("PYTHONPATH={}", path.display()));
            // As the profile of the jobs has it: one cpu each.
            env.push("OPENBLAS_NUM_THREADS=1".to_owned());
        }
        env
    }

    /// The same outside of any cell.
    pub(crate) fn env_here(&self) -> Vec<String> {
        self.env(|packages| packages.folder.clone())
    }

    /// The job that does the same, with an id of its own.
    pub(crate) fn job(&self, lane: &str) -> Job {
        let mut job = Job::new(&self.language);
        job.code = Some(self.code.clone());
        job.lane = lane.to_owned();
        let environment = self.environment.as_ref();
        job.profile = environment.map(|name| format!("{}:{name}", self.language));
        // With many in flight on few cores each takes long.
        job.limits.wall_ms = Some(60_000);
        job
    }
}

/// The programs of these names (all, if there are none) that can be had here, and what is said of those that can't.
/// `environments` is the folder of the package environments.
pub(crate) fn all(
    glovebox: &Path,
    environments: &Path,
    wanted: &[String],
) -> anyhow::Result<(Vec<Program>, Vec<String>)> {
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    let hello = ["/usr/bin/python3", "-I", "-S", "-c", "print(1)"];
    let mut programs = vec![
        Program::new("true", "true", &["/usr/bin/true"], "", ""),
        Program::new("python", "python", &hello, "print(1)", "1\n"),
        Program::new(
            "node",
            "nodejs",
            &["/usr/bin/node", "-e", "console.log(1)"],
            "console.log(1)",
            "1\n",
        ),
    ];
    let mut absent = Vec::new();
    programs.retain(|program| is_wanted(&program.name));
    for name in ["numpy", "pandas"]
        .into_iter()
        .filter(|name| is_wanted(name))
    {
        match installed(glovebox, environments, name) {
            Ok(packages) => {
                let code = format!("import {name}; print(1)");
                let argv = ["/usr/bin/python3", "-c", &code];
                let program = Program::new(name, "python", &argv, &code, "1\n");
                programs.push(Program {
                    packages: Some(packages),
                    environment: Some(name.to_owned()),
                    most_in_flight: if name == "pandas" { 8 } else { usize::MAX },
                    warm_only: name == "pandas",
                    ..program
                });
            }
            Err(error) => absent.push(format!("{name}: {error:#}")),
        }
    }
    ensure!(!programs.is_empty(), "there is no such program: {wanted:?}");
    Ok((programs, absent))
}

/// The environment of this name; built by `glovebox env build` if it is not there yet.
fn installed(glovebox: &Path, environments: &Path, name: &str) -> anyhow::Result<Packages> {
    let run = |arguments: &[&str]| -> anyhow::Result<std::process::Output> {
        Command::new(glovebox)
            .arg("env")
            .args(arguments)
            .env("GLOVEBOX_ENVIRONMENTS", environments)
            .env("NO_COLOR", "1")
            .output()
            .with_context(|| format!("running {}", glovebox.display()))
    };
    let find = || -> anyhow::Result<Option<String>> {
        let listed: serde_json::Value = serde_json::from_slice(&run(&["list", "--json"])?.stdout)?;
        let mut all = listed.as_array().into_iter().flatten();
        let found = all.find(|one| one["language"] == "python" && one["name"] == name);
        Ok(found.and_then(|one| Some(one["folder"].as_str()?.to_owned())))
    };
    std::fs::create_dir_all(environments)?;
    if find()?.is_none() {
        let manifest = tempfile::NamedTempFile::new()?;
        std::fs::write(&manifest, format!("{name}\n"))?;
        let file = manifest.path().to_str().context("a path that is no text")?;
        let built = run(&[
            "build",
            name,
            "--language",
            "python",
            "--requirements",
            file,
        ])?;
        ensure!(
            built.status.success(),
            "the environment can't be built: {}",
            String::from_utf8_lossy(&built.stderr).trim()
        );
    }
    let folder = find()?.context("the environment is not there")?;
    let lib = std::fs::read_dir(Path::new(&folder).join("lib"))?.flatten();
    let python = lib.map(|entry| entry.file_name()).next();
    let python = python.context("it has no lib/python3.*")?;
    Ok(Packages {
        folder: folder.into(),
        within: Path::new("lib").join(python).join("site-packages"),
    })
}
