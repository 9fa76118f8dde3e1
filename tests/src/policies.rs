//! A policy directory of a test's own, laid over the built-in profiles by `GLOVEBOX_POLICIES`.
//!
//! It starts from what is shipped, so that a test tries that and not a copy of it. Must never be changed
//! while something reads it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

/// The variable of the command that names the directory.
pub const POLICIES: &str = "GLOVEBOX_POLICIES";

/// The directory; gone when dropped.
#[derive(Debug)]
pub struct Policies {
    folder: TempDir,
}

impl Policies {
    /// An empty one, open to every user of the host.
    #[must_use]
    pub fn new() -> Policies {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let open = || fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), open()).expect("it is ours");
        fs::create_dir(folder.path().join("profiles")).expect("it is empty");
        Policies { folder }
    }

    /// One with a shipped profile in which each first text is replaced by the second.
    #[must_use]
    pub fn changed(profile: &str, changes: &[(&str, &str)]) -> Policies {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../policies/profiles")
            .join(format!("{profile}.toml"));
        let mut text = fs::read_to_string(&shipped).expect("the profile is shipped");
        for (before, after) in changes {
            assert!(
                text.contains(before),
                "{profile} has no {before:?} any more"
            );
            text = text.replacen(before, after, 1);
        }
        Policies::new().profile(profile, &text)
    }

    /// A shipped profile whose proxy opens these ports, and these hosts even if they are private.
    #[must_use]
    pub fn opening(profile: &str, ports: &[u16], intranet: &[&str]) -> Policies {
        let open = match intranet {
            [] => format!("ports = {ports:?}"),
            _ => format!("ports = {ports:?}\nintranet = {intranet:?}"),
        };
        Policies::changed(profile, &[("ports = [80, 443]", &open)])
    }

    /// Adds a profile.
    #[must_use]
    pub fn profile(self, name: &str, text: &str) -> Policies {
        let file = self
            .folder
            .path()
            .join("profiles")
            .join(format!("{name}.toml"));
        fs::write(file, text).expect("it is ours");
        self
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &str {
        self.folder.path().to_str().expect("its name is plain")
    }
}

impl Default for Policies {
    fn default() -> Policies {
        Policies::new()
    }
}
