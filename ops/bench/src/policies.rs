//! The profiles of a session: those that everybody has, one for `/usr/bin/true`, and that of Python with the modules that
//! the templates of the session's environments import.
//!
//! Must never allow a program more than its own profile does.

use std::path::Path;

use anyhow::Context;

const PYTHON: &str = include_str!("../../../policies/profiles/python.toml");
const WARM: &str = "[warm]\n";
const PRELOADED: &str = "[warm]\nenvironments = { numpy = [\"numpy\"], pandas = [\"pandas\"] }\n";

const TRUE: &str = r#"
name = "true"
description = "nothing, with success: what is left is the isolation"
package = "coreutils"
source = "main"
include = ["debian", "base", "files", "threads", "processes"]
run = ["/usr/bin/true", "{entrypoint}"]
version = ["/usr/bin/true", "--version"]
exec_workdir = false
network = ["none"]
open_files = 1024
cpus = 1.0

[limits.default]
wall = "10s"
cpu = "10s"
memory = "256MiB"
disk = "64MiB"
output = "1MiB"
processes = 32

[limits.ceiling]
wall = "10min"
cpu = "10min"
memory = "2GiB"
disk = "1GiB"
output = "16MiB"
processes = 256
"#;

/// Writes them to a new folder, as `GLOVEBOX_POLICIES` takes it.
pub(crate) fn write(folder: &Path) -> anyhow::Result<()> {
    let profiles = folder.join("profiles");
    std::fs::create_dir_all(&profiles)?;
    let (before, after) = PYTHON
        .split_once(WARM)
        .context("the profile python keeps nothing warm")?;
    std::fs::write(
        profiles.join("python.toml"),
        format!("{before}{PRELOADED}{after}"),
    )?;
    std::fs::write(profiles.join("true.toml"), TRUE)?;
    Ok(())
}
