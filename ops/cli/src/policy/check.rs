//! `glovebox policy check`: whether policies are right, before a runner is started with them.
//!
//! It must never say that something is right which a runner would refuse: it loads and compiles as a runner does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use glovebox_policies::{Arch, Catalog, PolicyError, filter};

use crate::args::CheckArgs;
use crate::report::{USAGE, fail, note, print};

/// Runs the command: 0 when everything is right, 2 otherwise.
pub(crate) fn run(args: &CheckArgs) -> ExitCode {
    let own = std::env::var_os("GLOVEBOX_POLICIES").map(PathBuf::from);
    let paths = if args.paths.is_empty() {
        own.into_iter().collect()
    } else {
        args.paths.clone()
    };
    let compiled = Catalog::load_all(&paths).and_then(|catalog| Ok((compile(&catalog)?, catalog)));
    let (cells, catalog) = match compiled {
        Ok(compiled) => compiled,
        Err(error) => return fail(USAGE, &error, ""),
    };
    let mut wrong = unreadable(&catalog);
    wrong.extend(missing(&catalog, &paths));
    for line in &wrong {
        note(line);
    }
    if !wrong.is_empty() {
        return ExitCode::from(USAGE);
    }
    for profile in catalog.profiles() {
        if let Some(absent) = profile.absent() {
            note(&format!(
                "{} is absent here: {} is missing; apt-get install {}",
                profile.name,
                absent.path.display(),
                absent.package
            ));
        }
    }
    let count = catalog.profiles().len();
    print(
        format!("{count} profiles with {cells} cells compile for both architectures.\n").as_bytes(),
    );
    ExitCode::SUCCESS
}

/// Compiles every cell of every profile for both architectures; tells how many there are.
fn compile(catalog: &Catalog) -> Result<usize, PolicyError> {
    let mut cells = 0;
    for profile in catalog.profiles() {
        for (_, syscalls) in profile.parts() {
            for arch in Arch::ALL {
                filter(&profile.name, syscalls, arch)?;
            }
            cells += 1;
        }
    }
    Ok(cells)
}

/// What the caller's own files want cells to see and this host does not have, although the language is here. A
/// path that a built-in profile wants is brought by the language's package.
fn missing(catalog: &Catalog, own: &[PathBuf]) -> BTreeSet<String> {
    let missing = catalog.profiles().iter().flat_map(|profile| {
        let absent = profile.absent();
        let roots = profile.roots().into_iter();
        roots.filter_map(move |(_, root)| root.missing(&absent.as_ref()?.path))
    });
    let is_own = |error: &PolicyError| match error {
        PolicyError::Refused { place, .. } => {
            let file = Path::new(&place.file);
            own.iter().any(|path| file.starts_with(path))
        }
        _ => false,
    };
    missing
        .filter(is_own)
        .map(|error| error.to_string())
        .collect()
}

/// What the cells shall see and this user can't read, each path once.
fn unreadable(catalog: &Catalog) -> BTreeSet<String> {
    let profiles = catalog.profiles().iter();
    let roots = profiles.flat_map(|profile| profile.roots());
    let errors = roots.flat_map(|(_, root)| root.unreadable());
    errors.map(|error| error.to_string()).collect()
}
