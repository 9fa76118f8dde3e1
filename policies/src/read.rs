//! One file of `profiles/`, from what is written to what is checked.
//!
//! A key that is not understood must be refused, never skipped: a typo in a limit would otherwise be no limit.

use crate::catalog::Program;
use crate::command::{self, Holds};
use crate::compile::Compile;
use crate::document::{Document, Item, Section};
use crate::environment::Environment;
use crate::error::{PolicyError, did_you_mean};
use crate::group::{Group, Groups};
use crate::limits;
use crate::profile::Profile;
use crate::proxy::Proxy;
use crate::root;
use crate::warm::Warm;

const KEYS: [&str; 21] = [
    "name",
    "aliases",
    "description",
    "package",
    "source",
    "suffixes",
    "version",
    "run",
    "compile",
    "exec_workdir",
    "network",
    "proxy",
    "environment",
    "warm",
    "open_files",
    "cpus",
    "env",
    "limits",
    "include",
    "root",
    "syscalls",
];
const MODES: [&str; 2] = ["none", "proxy"];

/// Whether a profile is for this program, as far as its heading tells.
pub(crate) fn is_for(document: &Document<'_>, program: Program<'_>) -> Result<bool, PolicyError> {
    let section = document.root();
    match program {
        Program::Language(language) => {
            let name = section.need("name", "\"python\"")?.string()?;
            Ok(name == language || aliases(&section)?.iter().any(|alias| alias == language))
        }
        Program::Suffix(suffix) => {
            let source = root::file_name(&section.need("source", "\"main.py\"")?)?;
            Ok(suffixes(&section, &source)?.iter().any(|one| one == suffix))
        }
    }
}

/// Reads a profile; `stem` is its file's name without the ending.
pub(crate) fn profile(
    document: &Document<'_>,
    stem: &str,
    groups: &Groups,
) -> Result<Profile, PolicyError> {
    let section = document.root();
    section.only(&KEYS)?;
    let limits = section
        .need("limits", "{ default = {…}, ceiling = {…} }")?
        .section()?;
    limits.only(&["default", "ceiling"])?;
    let set = |name| limits.need(name, "{ wall = \"10s\", … }")?.section();
    let ceilings = limits::read(&set("ceiling")?, None)?;
    let group = Group::parts(&section)?;
    let whole = group.resolve(groups)?;
    let network = network(&section)?;
    let compile = section.get("compile");
    let holds = match &compile {
        Some(_) => Holds::ProgramOrNothing,
        None => Holds::Program,
    };
    let (proxy, environment) = proxied(&section, &group, groups, &network)?;
    let source = root::file_name(&section.need("source", "\"main.py\"")?)?;
    let run = section.need("run", "[\"/usr/bin/interpreter\", \"{entrypoint}\"]")?;
    let version = section.need("version", "[\"/usr/bin/interpreter\", \"--version\"]")?;
    let read = |item: Item<'_>| Compile::read(&item.section()?, groups);
    let syscalls = whole.syscalls(&section.place())?;
    let run = command::command(&run, holds)?;
    let mut commands = vec![run.as_slice()];
    commands.extend(
        environment
            .iter()
            .map(|one: &Environment| one.run.as_slice()),
    );
    let warm = match section.get("warm") {
        Some(item) if compile.is_some() => {
            return Err(item.refuse(
                "a compiled program has no interpreter to be kept warm",
                "take the section out",
            ));
        }
        Some(item) => Warm::read(&item.section()?, &commands, &syscalls)?,
        None => None,
    };
    Ok(Profile {
        name: name(&section, stem)?,
        aliases: aliases(&section)?,
        description: text(&section, "description", "\"the language, for people\"")?,
        suffixes: suffixes(&section, &source)?,
        source,
        version: command::command(&version, Holds::Nothing)?,
        run,
        compile: compile.map(read).transpose()?,
        package: text(
            &section,
            "package",
            "\"the Debian package of the interpreter\"",
        )?,
        exec_workdir: section.need("exec_workdir", "false")?.boolean()?,
        network,
        proxy,
        environment,
        warm,
        defaults: limits::read(&set("default")?, Some(&ceilings))?,
        ceilings,
        open_files: limits::count(&section.need("open_files", "1024")?)?,
        cpus: cpus(&section)?,
        syscalls,
        env: whole.env,
        root: whole.root,
    })
}

/// The two sections that build on the profile's own groups.
fn proxied(
    section: &Section<'_>,
    group: &Group,
    groups: &Groups,
    network: &[String],
) -> Result<(Option<Proxy>, Option<Environment>), PolicyError> {
    let offered = network.iter().any(|mode| mode == "proxy");
    let environment = section.get("environment");
    let Some(item) = section.get("proxy") else {
        if offered {
            return Err(section.need("network", "[\"none\"]")?.refuse(
                "offers \"proxy\" without saying what it reaches",
                "write a section [proxy] with hosts, ports, connections and bytes, or take \"proxy\" out",
            ));
        }
        if let Some(item) = environment {
            return Err(item.refuse(
                "needs [proxy]: an installer fetches packages through it",
                "write a section [proxy] and add \"proxy\" to network",
            ));
        }
        return Ok((None, None));
    };
    if !offered {
        return Err(item.refuse(
            "opens a network that `network` does not offer",
            "add \"proxy\" to network, or take this section out",
        ));
    }
    let (proxy, own) = Proxy::read(&item.section()?, group, groups)?;
    let environment = environment
        .map(|item| Environment::read(&item.section()?, &group.with(&own), groups))
        .transpose()?;
    Ok((Some(proxy), environment))
}

fn text(section: &Section<'_>, key: &str, example: &str) -> Result<String, PolicyError> {
    Ok(section.need(key, example)?.string()?.to_owned())
}

fn name(section: &Section<'_>, stem: &str) -> Result<String, PolicyError> {
    let item = section.need("name", &format!("{stem:?}"))?;
    let name = called(&item)?;
    if name == stem {
        Ok(name)
    } else {
        Err(item.refuse(
            format!("{name:?} is not the name of the file"),
            format!("write {stem:?} or rename the file to {name}.toml"),
        ))
    }
}

fn aliases(section: &Section<'_>) -> Result<Vec<String>, PolicyError> {
    match section.get("aliases") {
        Some(item) => item.list()?.iter().map(called).collect(),
        None => Ok(Vec::new()),
    }
}

fn called(item: &Item<'_>) -> Result<String, PolicyError> {
    let name = item.string()?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+#._-".contains(c);
    if !name.is_empty() && name.len() <= 32 && name.chars().all(plain) {
        Ok(name.to_owned())
    } else {
        Err(item.refuse(
            format!("{name:?} cannot be a language's name"),
            "use 1 to 32 of a-z, 0-9, + # . _ -",
        ))
    }
}

/// The endings of the language's files; the first is that of `source`.
fn suffixes(section: &Section<'_>, source: &str) -> Result<Vec<String>, PolicyError> {
    let mut suffixes: Vec<String> = source
        .rsplit_once('.')
        .map(|(_, suffix)| suffix.to_owned())
        .into_iter()
        .collect();
    let items = section
        .get("suffixes")
        .map_or(Ok(Vec::new()), |item| item.list())?;
    for item in items {
        let suffix = item.string()?;
        if suffix.is_empty() || suffix.contains(['.', '/']) {
            return Err(item.refuse(
                format!("{suffix:?} is not a file's suffix"),
                "write it without the dot, such as \"cpp\"",
            ));
        }
        if !suffixes.iter().any(|one| one == suffix) {
            suffixes.push(suffix.to_owned());
        }
    }
    Ok(suffixes)
}

fn network(section: &Section<'_>) -> Result<Vec<String>, PolicyError> {
    let item = section.need("network", "[\"none\"]")?;
    let modes = item.texts()?;
    match modes.iter().find(|mode| !MODES.contains(&mode.as_str())) {
        Some(mode) => {
            Err(item.refuse(format!("unknown mode {mode:?}"), did_you_mean(mode, &MODES)))
        }
        None if modes.is_empty() => Err(item.refuse(
            "offers no mode",
            "write [\"none\"] for a language without network",
        )),
        None => Ok(modes),
    }
}

fn cpus(section: &Section<'_>) -> Result<f64, PolicyError> {
    let item = section.need("cpus", "1.0")?;
    match item.float()? {
        number if (0.01..=1024.0).contains(&number) => Ok(number),
        _ => Err(item.refuse(
            "not a share of processors",
            "write a number from 0.01 to 1024, 1.0 for one whole processor",
        )),
    }
}
