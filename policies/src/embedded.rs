//! The files of `profiles/` and `groups/` as they were when this program was built.
//!
//! Only the list of them is here: what they say is theirs.

macro_rules! files {
    ($folder:literal: $($stem:literal),+ $(,)?) => {
        &[$(($stem, concat!("policies/", $folder, "/", $stem, ".toml"), include_str!(concat!("../", $folder, "/", $stem, ".toml")))),+]
    };
}

/// Name without ending, path within the repository, text.
pub(crate) type File = (&'static str, &'static str, &'static str);

/// The profiles.
pub(crate) const PROFILES: &[File] = files!("profiles":
    "bash", "c", "cpp", "go", "java", "lua", "nodejs", "perl",
    "php", "python", "r", "ruby", "rust", "sqlite", "typescript",
);

/// The groups.
pub(crate) const GROUPS: &[File] = files!("groups":
    "base", "dangerous", "debian", "env", "events", "files", "jit", "libraries", "paths", "processes",
    "sockets_local", "sockets_probed",
    "sockets_proxy", "threads",
);
