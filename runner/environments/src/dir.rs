//! Where environments are kept. Must never use a folder that somebody else could exchange under us.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::error::{At, StoreError};

/// The variable that names another folder.
const VARIABLE: &str = "GLOVEBOX_ENVIRONMENTS";

/// The folder of environments: what `GLOVEBOX_ENVIRONMENTS` names, else one for the whole host when root asks, else the
/// user's own. `None` for a user without a home.
#[must_use]
pub fn default_dir() -> Option<PathBuf> {
    let root = rustix::process::geteuid().is_root();
    choose(|name| std::env::var_os(name), root)
}

fn choose(variable: impl Fn(&str) -> Option<OsString>, root: bool) -> Option<PathBuf> {
    let path = |name| {
        let value = variable(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    if let Some(given) = path(VARIABLE) {
        return Some(given);
    }
    if root {
        return Some(PathBuf::from("/var/lib/glovebox/environments"));
    }
    let data = path("XDG_DATA_HOME").filter(|path| path.is_absolute());
    let data = data.or_else(|| Some(path("HOME")?.join(".local/share")));
    Some(data?.join("glovebox/environments"))
}

/// Makes the folder if need be, and makes sure that only its owner can write to it.
pub(crate) fn make(dir: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o755);
    builder.create(dir).at("making the folder", dir)?;
    let found = fs::symlink_metadata(dir).at("looking at", dir)?;
    let me = rustix::process::geteuid().as_raw();
    if !found.is_dir() || found.uid() != me || found.mode() & 0o022 != 0 {
        return Err(StoreError::Untrusted(dir.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn chosen(variables: &[(&str, &str)], root: bool) -> Option<String> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name);
        let dir = choose(|name| Some(find(name)?.1.into()), root)?;
        Some(dir.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_variable_wins_then_root_then_the_users_own() {
        let all = [
            (VARIABLE, "/e"),
            ("XDG_DATA_HOME", "/x"),
            ("HOME", "/home/u"),
        ];
        assert_eq!(chosen(&all, true).unwrap(), "/e");
        let host = "/var/lib/glovebox/environments";
        assert_eq!(chosen(&all[1..], true).unwrap(), host);
        assert_eq!(
            chosen(&all[1..], false).unwrap(),
            "/x/glovebox/environments"
        );
        let home = "/home/u/.local/share/glovebox/environments";
        assert_eq!(chosen(&all[2..], false).unwrap(), home);
        let relative = [("XDG_DATA_HOME", "x"), ("HOME", "/home/u")];
        assert_eq!(chosen(&relative, false).unwrap(), home);
        assert_eq!(chosen(&[], false), None);
        assert_eq!(chosen(&[(VARIABLE, "")], true).unwrap(), host);
    }
}
