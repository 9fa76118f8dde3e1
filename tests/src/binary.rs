//! Where the built `glovebox` is. It must never build it: cargo would wait for
//! the lock that the running tests hold.

use std::path::PathBuf;

use anyhow::Context as _;

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
    // …/target/debug/deps/test-0123 or …/target/debug/soak → …/target/debug/glovebox
    let folders = test.ancestors().skip(1).take(2);
    let mut paths = folders.map(|folder| folder.join("glovebox"));
    paths.find(|path| path.is_file()).with_context(|| {
        let test = test.display();
        format!("no glovebox is built for {test}: run `cargo build` first, or all of `ops/test`")
    })
}
