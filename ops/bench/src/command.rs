//! How much CPU a command takes, with all the processes that it waits for.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// CPU time of `argv` and of all that it waited for.
pub(crate) fn cpu(argv: &[&str]) -> anyhow::Result<Duration> {
    let (first, rest) = argv.split_first().context("an empty command")?;
    let before = children()?;
    let output = Command::new(first)
        .args(rest)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {first}"))?;
    ensure!(output.status.success(), "{argv:?} failed: {output:?}");
    Ok(children()?.saturating_sub(before))
}

/// CPU time of all children that this process has waited for.
pub(crate) fn children() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros)?))
}
