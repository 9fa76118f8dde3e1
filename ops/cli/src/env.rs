//! `glovebox env`: the environments that are here. Making one is [`crate::env_build`]'s.

use std::process::ExitCode;

use glovebox_environments::{Installed, Store, StoreError, default_dir};

use crate::args::{EnvCommand, EnvListArgs, EnvNameArgs};
use crate::report::{HOST, NOT_SUCCEEDED, USAGE, fail, note, print, table};
use crate::{env_build, isolation};

/// How much of an id people are shown.
const SHORT_ID: usize = 12;

/// Runs the command.
pub(crate) fn run(command: EnvCommand) -> ExitCode {
    let done = match command {
        EnvCommand::Build(args) => env_build::build(&args),
        EnvCommand::List(args) => list(&args),
        EnvCommand::Show(args) => show(&args),
        EnvCommand::Remove(args) => remove(&args),
    };
    done.map_or_else(|code| code, |()| ExitCode::SUCCESS)
}

fn list(args: &EnvListArgs) -> Result<(), ExitCode> {
    let all = open()?.list().map_err(|error| fail_store(&error))?;
    if args.json {
        return print_json(&all);
    }
    if all.is_empty() {
        print(b"No environments. Make one: glovebox env build NAME --language python\n");
        return Ok(());
    }
    let mut table = table(["environment", "packages", "size", "built", "id"]);
    for one in &all {
        table.add_row([
            format!("{}:{}", one.language, one.name),
            one.packages.len().to_string(),
            size(one.size_bytes),
            built(one),
            short_id(one).to_owned(),
        ]);
    }
    print(format!("{table}\n").as_bytes());
    Ok(())
}

fn show(args: &EnvNameArgs) -> Result<(), ExitCode> {
    let (language, name) = named(&args.environment)?;
    let found = open()?.find(&language, &name);
    let found = found.map_err(|error| fail_store(&error))?;
    let mut table = table(["package", "version"]);
    for package in &found.packages {
        table.add_row([&package.name, &package.version]);
    }
    print(
        format!(
            "{language}:{name}\nbuilt   {}\nsize    {} in {} files\nid      {}\nfolder  {}\n\n{}\n\n{table}\n",
            built(&found),
            size(found.size_bytes),
            found.files,
            found.id,
            found.folder.display(),
            found.manifest.trim_end(),
        )
        .as_bytes(),
    );
    Ok(())
}

fn remove(args: &EnvNameArgs) -> Result<(), ExitCode> {
    let (language, name) = named(&args.environment)?;
    let store = open()?;
    let removed = store
        .find(&language, &name)
        .and_then(|found| store.remove(&language, &name).map(|()| found))
        .and_then(|found| store.sweep().map(|_| found))
        .map_err(|error| fail_store(&error))?;
    print(format!("removed {language}:{name}\n").as_bytes());
    if removed.folder.exists() {
        note("its files stay for now: another environment or a running runner uses them");
    }
    Ok(())
}

/// The store of this user.
pub(crate) fn open() -> Result<Store, ExitCode> {
    let Some(dir) = default_dir() else {
        note("there is no folder for environments\n  mend: set GLOVEBOX_ENVIRONMENTS or HOME");
        return Err(ExitCode::from(USAGE));
    };
    Store::open(&dir).map_err(|error| fail_store(&error))
}

/// `LANGUAGE:NAME`, the language by its profile's own name.
fn named(text: &str) -> Result<(String, String), ExitCode> {
    let Some((language, name)) = text.split_once(':') else {
        note(&format!(
            "{text:?} names no environment\n  mend: write LANGUAGE:NAME, such as python:data"
        ));
        return Err(ExitCode::from(USAGE));
    };
    let catalog = isolation::catalog()?;
    let profile = catalog.find(language);
    let language = profile.map_or(language, |profile| profile.name.as_str());
    Ok((language.to_owned(), name.to_owned()))
}

/// Says what the store did not do; gives the exit code.
pub(crate) fn fail_store(error: &StoreError) -> ExitCode {
    use StoreError::{Missing, Name, Read, Refused, TooLarge, TooMany, Truncated};
    let code = match error {
        Name(_) | Missing { .. } => USAGE,
        Refused { .. } | TooLarge(_) | TooMany(_) | Truncated | Read(_) => NOT_SUCCEEDED,
        _ => HOST,
    };
    fail(code, error, &error.mend())
}

/// Prints a document and a line's end.
pub(crate) fn print_json(document: &impl serde::Serialize) -> Result<(), ExitCode> {
    let mut text = serde_json::to_vec_pretty(document).map_err(|error| fail(HOST, &error, ""))?;
    text.push(b'\n');
    print(&text);
    Ok(())
}

/// The start of the id: enough to tell one from another.
pub(crate) fn short_id(installed: &Installed) -> &str {
    installed.id.get(..SHORT_ID).unwrap_or(&installed.id)
}

/// Bytes as people say them.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

fn built(installed: &Installed) -> String {
    installed
        .built_at
        .strftime("%Y-%m-%d %H:%M UTC")
        .to_string()
}
