//! Where the built `glovebox` is. It must never build it: cargo would wait for
//! the lock that the running tests hold.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};

/// The binary of the same build as the running test, or what `GLOVEBOX_BIN` names.
///
/// # Errors
///
/// When it has not been built: `cargo test -p` builds only what the test
/// itself depends on, and nothing depends on a binary.
pub fn glovebox_bin() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("GLOVEBOX_BIN") {
        return Ok(path.into());
    }
    let test = std::env::current_exe().context("the running test has no path")?;
    // …/target/debug/deps/test-0123 → …/target/debug/glovebox
    let path = test
        .ancestors()
        .nth(2)
        .context("the running test is not in a target directory")?
        .join("glovebox");
    ensure!(
        path.is_file(),
        "{} is not built: run `cargo build` first, or all of `ops/test`",
        path.display()
    );
    Ok(path)
}
