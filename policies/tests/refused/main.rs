//! A bad profile is refused when it is read, with file, line, key and mend.

mod basics;
mod sections;

use std::fs;

use glovebox_policies::{Catalog, PolicyError};

/// A profile that is right; each test spoils one thing.
const GOOD: &str = include_str!("good.toml");

fn load(files: &[(&str, &str)]) -> Result<Catalog, PolicyError> {
    let dir = tempfile::tempdir().expect("a directory");
    for folder in ["profiles", "groups"] {
        fs::create_dir(dir.path().join(folder)).expect("a folder");
    }
    for (name, text) in files {
        fs::write(dir.path().join(name), text).expect("written");
    }
    Catalog::load(Some(dir.path()))
}

/// What is said about a policy, from the file's name on.
fn message(loaded: Result<Catalog, PolicyError>) -> String {
    let message = loaded.expect_err("a bad policy was taken").to_string();
    let start = message
        .find("profiles/")
        .or_else(|| message.find("groups/"))
        .unwrap_or(0);
    message[start..].to_owned()
}

/// Each case: what to replace in the good profile, by what, and what has to be said.
fn check(good: &str, cases: &[(&str, &str, &str)]) {
    load(&[("profiles/lua.toml", good)]).expect("the good profile");
    for (old, new, wanted) in cases {
        assert!(good.contains(old), "{old} is not in the good profile");
        let said = message(load(&[("profiles/lua.toml", &good.replacen(old, new, 1))]));
        assert!(
            said.contains(wanted),
            "{new}\n said: {said}\nwanted: {wanted}"
        );
        assert!(said.contains(';'), "no mend in: {said}");
    }
}
