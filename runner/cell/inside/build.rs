//! Compiles `glovebox-cell` as a shared object, by a cargo of its own: cargo gives no crate another's `cdylib`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let workspace = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../..");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let built = out.join("built");
    for path in ["runner/cell/src", "runner/cell/Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }
    if env::var("CARGO_CFG_TARGET_ENV")? != "gnu" {
        // The interpreters that it is for are those of distributions with the GNU C library.
        fs::write(out.join("inside.so"), "")?;
        return Ok(());
    }
    let target = env::var("TARGET")?;
    let status = Command::new(env::var("CARGO")?)
        .current_dir(&workspace)
        .args([
            "rustc",
            "-p",
            "glovebox-cell",
            "--lib",
            "--features",
            "inside",
        ])
        .args(["--crate-type", "cdylib", "--profile", "inside", "--locked"])
        .args(["--target", &target, "--target-dir"])
        .arg(&built)
        // Those of the outer cargo are about another crate, or would have clippy look at this one again.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("CARGO_MAKEFLAGS")
        .status()?;
    if !status.success() {
        return Err(format!("compiling glovebox-cell as a library: {status}").into());
    }
    let made = built.join(&target).join("inside/libglovebox_cell.so");
    fs::copy(&made, out.join("inside.so"))?;
    Ok(())
}
