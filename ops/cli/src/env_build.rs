//! `glovebox env build`: from a manifest to an environment.
//!
//! Three steps, each of which leaves nothing behind when it fails: the manifest is read before anything is started;
//! the packages are installed in a cell, and come out of it as a tar in a file without a name; the store makes a tree of
//! that. Must never install anything outside a cell.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use glovebox_cell::supervise;
use glovebox_environments::{Meta, StoreError};
use glovebox_policies::{Catalog, Environment};
use glovebox_runner::{Installation, Wanted, install};
use glovebox_schemas::names::is_environment;
use glovebox_schemas::result::{JobResult, Status};

use crate::args::EnvBuildArgs;
use crate::env::{fail_store, open, print_json, short_id, size};
use crate::isolation;
use crate::report::{HOST, NOT_SUCCEEDED, USAGE, fail, note, print};
use crate::run::{echo, explain};

/// The largest manifest; a lock file of npm's has a line for each of hundreds of packages.
const MOST_MANIFEST_BYTES: u64 = 8 * 1024 * 1024;
/// What npm reads beside its manifest.
const LOCK: (&str, &str) = ("package.json", "package-lock.json");
/// What the tar of an environment has beside the files: headers and names.
const TAR_EXTRA_BYTES: u64 = 512 * 1024 * 1024;

/// Runs the command.
pub(crate) fn build(args: &EnvBuildArgs) -> Result<(), ExitCode> {
    if !is_environment(&args.name) {
        return Err(fail_store(&StoreError::Name(args.name.clone())));
    }
    let catalog = isolation::catalog()?;
    let (language, rules) = rules(&catalog, &args.language)?;
    let files = manifest(args, &rules)?;
    let store = open()?;
    store.sweep().map_err(|error| fail_store(&error))?;
    let mut archive = store.spool().map_err(|error| fail_store(&error))?;

    let label = format!("{language}:{}", args.name);
    note(&format!("installing {label}"));
    let shown = text_of(&files);
    install_in_a_cell(args, catalog, language.clone(), files, &rules, &archive)?;

    note(&format!("sealing {label}"));
    archive.rewind().map_err(|error| fail(HOST, &error, ""))?;
    let meta = Meta {
        manifest: shown,
        most_bytes: rules.limits.disk,
    };
    let installed = store
        .add(&language, &args.name, meta, &archive)
        .and_then(|installed| store.sweep().map(|_| installed))
        .map_err(|error| fail_store(&error))?;
    if args.json {
        return print_json(&installed);
    }
    let line = format!(
        "ready: {label}, {} packages, {}, id {}\n",
        installed.packages.len(),
        size(installed.size_bytes),
        short_id(&installed)
    );
    print(line.as_bytes());
    Ok(())
}

/// The profile's own name and what it says of environments, if they can be made here.
fn rules(catalog: &Catalog, language: &str) -> Result<(String, Environment), ExitCode> {
    let profile = catalog.find(language);
    let rules = profile.and_then(|profile| Some((profile, profile.environment.clone()?)));
    let Some((profile, rules)) = rules else {
        let able = catalog
            .profiles()
            .iter()
            .filter(|one| one.environment.is_some());
        let able: Vec<_> = able.map(|one| one.name.as_str()).collect();
        note(&format!(
            "there are no environments for {language:?}\n  mend: name one of {}",
            able.join(", ")
        ));
        return Err(ExitCode::from(USAGE));
    };
    if let Some(absent) = profile.absent().or_else(|| rules.absent()) {
        note(&format!(
            "{} is missing\n  mend: apt-get install {}",
            absent.path.display(),
            absent.package
        ));
        return Err(ExitCode::from(HOST));
    }
    Ok((profile.name.clone(), rules))
}

/// The manifest, by the name that the installer looks for, and what belongs to it.
fn manifest(args: &EnvBuildArgs, rules: &Environment) -> Result<Vec<(String, Vec<u8>)>, ExitCode> {
    let given = args.manifest.clone();
    let path = given.unwrap_or_else(|| PathBuf::from(&rules.manifest));
    let mut files = vec![(rules.manifest.clone(), read(&path)?)];
    let beside = path.with_file_name(LOCK.1);
    if rules.manifest == LOCK.0 && beside.exists() {
        files.push((LOCK.1.to_owned(), read(&beside)?));
    }
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<u8>, ExitCode> {
    let mut content = Vec::new();
    // One byte more than is allowed tells "too large" from "just fits".
    let read = File::open(path)
        .and_then(|file| file.take(MOST_MANIFEST_BYTES + 1).read_to_end(&mut content));
    let problem = match read {
        Err(error) => error.to_string(),
        Ok(_) if content.len() as u64 > MOST_MANIFEST_BYTES => {
            format!("larger than {MOST_MANIFEST_BYTES} bytes")
        }
        Ok(_) => return Ok(content),
    };
    note(&format!(
        "reading {}: {problem}\n  mend: name the file of the packages with --manifest",
        path.display()
    ));
    Err(ExitCode::from(USAGE))
}

/// The manifest as it is shown to people later.
fn text_of(files: &[(String, Vec<u8>)]) -> String {
    let content = files.first().map_or(&[][..], |(_, content)| content);
    printable(content)
}

/// Text without anything that a terminal would obey: no escapes that retitle a window, type, or hide a line. A
/// character that two chunks share becomes the replacement character.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let plain = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    String::from_utf8_lossy(bytes)
        .chars()
        .filter(plain)
        .collect()
}

/// The installer's run. It has the powers of a job, and the network gate; what it prints is seen as it comes.
fn install_in_a_cell(
    args: &EnvBuildArgs,
    catalog: Catalog,
    language: String,
    files: Vec<(String, Vec<u8>)>,
    rules: &Environment,
    archive: &File,
) -> Result<(), ExitCode> {
    let wanted = Wanted::Install(&language);
    let (languages, config) = isolation::warden(catalog, &wanted, 1, &args.isolation)?;
    let archive = archive
        .try_clone()
        .map_err(|error| fail(HOST, &error, ""))?;
    let installation = Installation {
        language: language.clone(),
        files,
        archive,
        archive_bytes: rules.limits.disk.saturating_add(TAR_EXTRA_BYTES),
    };
    let code = supervise(&config, move |link| {
        match install(link, &languages, installation, Arc::new(installer_says)) {
            Ok(result) => i32::from(conclude(&result)),
            Err(error) => i32::from(isolation::fail_embedded(&error)),
        }
    })
    .map_err(|error| isolation::fail_supervise(&error))?;
    match u8::try_from(code) {
        Ok(0) => Ok(()),
        Ok(code) => Err(ExitCode::from(code)),
        Err(_) => Err(ExitCode::from(HOST)),
    }
}

/// What the installer prints, as it comes. It runs what strangers wrote, and whoever builds an environment looks
/// at it in a terminal: nothing that a terminal would obey gets there.
fn installer_says(stream: &'static str, chunk: &[u8]) {
    echo(stream, printable(chunk).as_bytes());
}

/// Says what the installer did not say itself; gives the exit code.
fn conclude(result: &JobResult) -> u8 {
    if result.status == Status::Succeeded {
        return 0;
    }
    explain(result);
    let how = match result.exit_code {
        Some(code) => format!("{} with exit code {code}", result.status),
        None => result.status.to_string(),
    };
    note(&format!("the installation {how}; nothing was kept"));
    match result.status {
        Status::Error => HOST,
        _ => NOT_SUCCEEDED,
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn a_terminal_has_nothing_to_obey() {
        let hostile = "a\x1b]52;c;cm0K\x07b\u{9b}2Jc\rd\x08\te\u{e9}\n".as_bytes();
        let plain = "a]52;c;cm0Kb2Jcd\te\u{e9}\n";
        assert_eq!(printable(hostile), plain);
        // The two halves of U+009B, which a terminal would put together again.
        for half in [&b"\xc2"[..], &b"\x9b"[..]] {
            assert_eq!(printable(half), "\u{fffd}");
        }
    }
}
