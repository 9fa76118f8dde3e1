//! `glovebox policy check`: whether policies are right, before a runner is started with them.
//!
//! It must never say that something is right which a runner would refuse: it loads and compiles as a runner does.

use std::collections::BTreeSet;
use std::path::PathBuf;
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
    let unreadable = unreadable(&catalog);
    for line in &unreadable {
        note(line);
    }
    if !unreadable.is_empty() {
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

/// What the cells shall see and this user can't read, each path once.
fn unreadable(catalog: &Catalog) -> BTreeSet<String> {
    let profiles = catalog.profiles().iter();
    let roots = profiles.flat_map(|profile| profile.roots());
    let errors = roots.flat_map(|(_, root)| root.unreadable());
    errors.map(|error| error.to_string()).collect()
}
