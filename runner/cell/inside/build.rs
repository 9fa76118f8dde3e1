//! Compiles `glovebox-cell` as shared objects, by a cargo of its own: cargo gives no crate another's `cdylib`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The features of `glovebox-cell` that make a library each.
const LIBRARIES: [&str; 2] = ["inside", "ahead"];

fn main() -> Result<(), Box<dyn Error>> {
    let workspace = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../..");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for path in ["runner/cell/src", "runner/cell/Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }
    for feature in LIBRARIES {
        let library = out.join(feature).with_extension("so");
        if env::var("CARGO_CFG_TARGET_ENV")? == "gnu" {
            fs::copy(compile(&workspace, &out.join("built"), feature)?, library)?;
        } else {
            // The interpreters that they are for are those of distributions with the GNU C library.
            fs::write(library, "")?;
        }
    }
    Ok(())
}

/// Gives where the library is, until the next is made.
fn compile(workspace: &Path, built: &Path, feature: &str) -> Result<PathBuf, Box<dyn Error>> {
    let target = env::var("TARGET")?;
    let status = Command::new(env::var("CARGO")?)
        .current_dir(workspace)
        .args(["rustc", "-p", "glovebox-cell", "--lib", "--features"])
        .args([feature, "--crate-type", "cdylib", "--profile", "inside"])
        .args(["--locked", "--target", &target, "--target-dir"])
        .arg(built)
        // Those of the outer cargo are about another crate, or would have clippy look at this one again.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("CARGO_MAKEFLAGS")
        .status()?;
    if !status.success() {
        return Err(format!("compiling glovebox-cell as a library: {status}").into());
    }
    Ok(built.join(target).join("inside/libglovebox_cell.so"))
}
