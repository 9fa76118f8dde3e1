//! `glovebox run` as a user types it, and how much CPU it takes, all of its processes together.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::bare;

/// CPU time of `argv` and of all that it waited for.
pub(crate) fn cpu(argv: &[&str]) -> anyhow::Result<Duration> {
    let before = children()?;
    bare::once(argv)?;
    Ok(children()?.saturating_sub(before))
}

/// CPU time of all children that this process has waited for.
pub(crate) fn children() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros)?))
}
