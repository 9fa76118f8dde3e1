//! `glovebox policy list`: every language, whether it is here, and what brings it.

use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table, presets};
use glovebox_policies::{Catalog, Profile};
use serde_json::{Value, json};

use crate::args::ListArgs;
use crate::isolation;
use crate::report::print;
use crate::version::versions;

/// Runs the command.
pub(crate) fn run(args: &ListArgs) -> ExitCode {
    let catalog = match isolation::catalog() {
        Ok(catalog) => catalog,
        Err(code) => return code,
    };
    let versions = versions(&catalog);
    let text = if args.json {
        document(&catalog, &versions).to_string()
    } else {
        table(&catalog, &versions).to_string()
    };
    print(format!("{text}\n").as_bytes());
    ExitCode::SUCCESS
}

fn table(catalog: &Catalog, versions: &[Option<String>]) -> Table {
    let mut table = Table::new();
    *table.style_mut() = presets::UTF8_HORIZONTAL_ONLY;
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header([
        "language",
        "also called",
        "here",
        "version",
        "network",
        "mend",
    ]);
    for (profile, version) in catalog.profiles().iter().zip(versions) {
        let absent = profile.absent();
        let mend = absent.as_ref().map_or(String::new(), |absent| {
            format!("apt-get install {}", absent.package)
        });
        table.add_row([
            profile.name.clone(),
            profile.aliases.join(", "),
            state(profile).to_owned(),
            version.clone().unwrap_or_default(),
            profile.network.join(", "),
            mend,
        ]);
    }
    table
}

fn document(catalog: &Catalog, versions: &[Option<String>]) -> Value {
    let language = |(profile, version): (&Profile, &Option<String>)| {
        json!({
            "name": profile.name,
            "aliases": profile.aliases,
            "description": profile.description,
            "here": state(profile),
            "missing": profile.absent().map(|absent| absent.path),
            "package": profile.package,
            "version": version,
            "network": profile.network,
            "compiled": profile.compile.is_some(),
            "environments": profile.environment.is_some(),
        })
    };
    catalog
        .profiles()
        .iter()
        .zip(versions)
        .map(language)
        .collect()
}

/// `present` or `absent`.
fn state(profile: &Profile) -> &'static str {
    match profile.absent() {
        None => "present",
        Some(_) => "absent",
    }
}
