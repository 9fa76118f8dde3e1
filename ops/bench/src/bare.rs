//! The baseline: the program started as any other, with a clean environment and its output read.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// Starts `argv`, reads its output, waits for its end; gives the time from first to last.
pub(crate) fn once(argv: &[&str]) -> anyhow::Result<Duration> {
    let start = Instant::now();
    let (program, args) = argv.split_first().context("an empty command")?;
    let output = Command::new(program)
        .args(args)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {program}"))?;
    let took = start.elapsed();
    ensure!(
        output.status.success(),
        "{program} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(took)
}
