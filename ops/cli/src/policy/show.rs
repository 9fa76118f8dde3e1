//! `glovebox policy show`: a profile as it is in force, with everything that it includes.
//!
//! What is printed is what is compiled: it is taken from the checked profile and never from its file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::ExitCode;

use glovebox_policies::{Condition, Limits, Profile, Root, Syscalls, WarmMode};

use crate::args::ShowArgs;
use crate::isolation;
use crate::report::{USAGE, note, print};
use crate::version::version;

/// Where lists of names are broken.
const WIDTH: usize = 100;

/// Runs the command: 2 when there is no such language.
pub(crate) fn run(args: &ShowArgs) -> ExitCode {
    let catalog = match isolation::catalog() {
        Ok(catalog) => catalog,
        Err(code) => return code,
    };
    let Some(profile) = catalog.find(&args.language) else {
        let mend = match catalog.nearest(&args.language) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "`glovebox policy list` names them all".to_owned(),
        };
        note(&format!(
            "there is no language {:?}\n  mend: {mend}",
            args.language
        ));
        return ExitCode::from(USAGE);
    };
    let mut page = Page::default();
    page.profile(profile);
    page.network(profile);
    for ((part, syscalls), (_, root)) in profile.parts().into_iter().zip(profile.roots()) {
        page.cell(part, syscalls, root);
    }
    page.refused(&profile.syscalls);
    print(page.text.as_bytes());
    ExitCode::SUCCESS
}

/// The text so far.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            writeln!(self.text, "{name:<14}{value}").unwrap_or_default();
        }
    }

    fn heading(&mut self, heading: &str) {
        writeln!(self.text, "\n{heading}").unwrap_or_default();
    }

    fn profile(&mut self, profile: &Profile) {
        self.line(&profile.name, &profile.description);
        self.line("also called", &profile.aliases.join(", "));
        let here = match profile.absent() {
            None => format!("present: {}", version(profile).unwrap_or_default()),
            Some(absent) => format!(
                "absent: {} is missing; apt-get install {}",
                absent.path.display(),
                absent.package
            ),
        };
        self.line("here", &here);
        self.line(
            "files",
            &format!("{} (.{})", profile.source, profile.suffixes.join(", .")),
        );
        if let Some(compile) = &profile.compile {
            self.line("compile", &shown(&compile.command));
            self.line("artifacts", &compile.artifacts.join(", "));
        }
        self.line("run", &shown(&profile.run));
        let exec = if profile.exec_workdir { "yes" } else { "no" };
        self.line("executes", &format!("files in the working folder: {exec}"));
        self.line("open files", &profile.open_files.to_string());
        self.line("cpus", &profile.cpus.to_string());
        self.line("environment", &variables(&profile.env));
        self.line("warm", &warmth(profile));
        self.heading("Limits");
        self.line("  default", &limits(&profile.defaults));
        self.line("  ceiling", &limits(&profile.ceilings));
        if let Some(compile) = &profile.compile {
            self.line("  compile", &limits(&compile.limits));
        }
        if let Some(environment) = &profile.environment {
            self.line("  install", &limits(&environment.limits));
        }
    }

    fn network(&mut self, profile: &Profile) {
        self.heading(&format!("Network: {}", profile.network.join(", ")));
        if let Some(proxy) = &profile.proxy {
            let ports: Vec<String> = proxy.ports.iter().map(u16::to_string).collect();
            self.line("  hosts", &proxy.hosts.join(", "));
            self.line("  ports", &ports.join(", "));
            self.line("  intranet", &proxy.intranet.join(", "));
            self.line("  upstream", proxy.upstream.as_deref().unwrap_or_default());
            let bytes = size(proxy.bytes);
            self.line(
                "  at most",
                &format!("{} connections, {bytes}", proxy.connections),
            );
            self.line("  environment", &variables(&proxy.env));
        }
        if let Some(environment) = &profile.environment {
            self.heading(&format!("Packages: of {}", environment.manifest));
            for command in &environment.install {
                self.line("  install", &shown(command));
            }
            self.line("  run", &shown(&environment.run));
        }
    }

    /// What one cell sees and may call.
    fn cell(&mut self, part: &str, syscalls: &Syscalls, root: &Root) {
        self.heading(&format!("Cell: {part}"));
        let paths = |paths: &[std::path::PathBuf]| {
            paths
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
        };
        self.names("sees", paths(&root.read_only).iter().map(String::as_str));
        self.names("if there", paths(&root.optional).iter().map(String::as_str));
        let plain = syscalls.allow.iter().filter(|(_, rules)| rules.is_empty());
        self.names("allowed", plain.map(|(name, _)| name.as_str()));
        self.rules("allowed where", &syscalls.allow);
    }

    /// What is refused in every cell of the profile.
    fn refused(&mut self, syscalls: &Syscalls) {
        self.heading(
            "Refused (and everything that is not named, with \"operation not permitted\")",
        );
        let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>();
        for (how, list) in [
            ("killed for", &syscalls.kill),
            ("ENOSYS", &syscalls.enosys),
            ("ENOSYS, silent", &syscalls.fallback),
            ("EINVAL, silent", &syscalls.einval),
        ] {
            self.names(how, names(list).iter().map(String::as_str));
        }
        self.rules("nobody may", &syscalls.forbid);
    }

    fn rules(&mut self, title: &str, rules: &BTreeMap<String, Vec<Condition>>) {
        let mut title = title;
        for (name, condition) in rules
            .iter()
            .flat_map(|(name, rules)| rules.iter().map(move |one| (name, one)))
        {
            let checks: Vec<String> = condition.checks.iter().map(ToString::to_string).collect();
            writeln!(self.text, "  {title:<16}{name}: {}", checks.join("; and "))
                .unwrap_or_default();
            writeln!(self.text, "  {:<16}  {}", "", condition.why).unwrap_or_default();
            title = "";
        }
    }

    /// Names, broken into lines.
    fn names<'a>(&mut self, title: &str, names: impl Iterator<Item = &'a str>) {
        let mut lines = vec![String::new()];
        for name in names {
            if let Some(last) = lines
                .last_mut()
                .filter(|last| last.len() + name.len() < WIDTH)
            {
                if !last.is_empty() {
                    last.push(' ');
                }
                last.push_str(name);
            } else {
                lines.push(name.to_owned());
            }
        }
        let mut title = title;
        for line in lines.iter().filter(|line| !line.is_empty()) {
            writeln!(self.text, "  {title:<16}{line}").unwrap_or_default();
            title = "";
        }
    }
}

/// A command on one line; a script within it is only named.
fn shown(command: &[String]) -> String {
    let word = |word: &String| match word.trim().lines().count() {
        0 => "''".to_owned(),
        1 if word.contains(' ') => format!("'{word}'"),
        1 => word.clone(),
        lines => format!("<script of {lines} lines>"),
    };
    command.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn variables(env: &BTreeMap<String, String>) -> String {
    let pairs = env.iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join(" ")
}

/// What is kept warm, or that nothing is.
fn warmth(profile: &Profile) -> String {
    let Some(warm) = &profile.warm else {
        return "no: each job starts its interpreter".to_owned();
    };
    let environments = warm.environments.iter();
    let environments =
        environments.map(|(name, modules)| format!("; {name}: {}", modules.join(" ")));
    let how = match warm.mode {
        WarmMode::Fork => format!("{} jobs a template", warm.forks),
        WarmMode::Ahead => "each started ahead".to_owned(),
    };
    format!(
        "from {} to {} ready, {how}; imports {}{}; but cold with {}",
        warm.min,
        warm.max,
        warm.preload.join(" "),
        environments.collect::<String>(),
        warm.start_env.join(" "),
    )
}

fn limits(limits: &Limits) -> String {
    format!(
        "wall {:?}, cpu {:?}, memory {}, disk {}, output {}, processes {}",
        limits.wall,
        limits.cpu,
        size(limits.memory),
        size(limits.disk),
        size(limits.output),
        limits.processes
    )
}

fn size(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units
        .iter()
        .find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit))
    {
        Some((name, unit)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} B"),
    }
}
