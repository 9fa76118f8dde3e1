//! What a job may use: the profile's defaults with what the job asks for, below the profile's ceilings.
//!
//! Must never be more than a ceiling, and never round a wish up.

use std::time::Duration;

use glovebox_cell::Limits;
use glovebox_policies::Profile;
use glovebox_schemas::job::{LimitsRequest, Rejection};

use crate::blueprints::limits;

/// The cell's limits, and how much output is kept.
pub(super) fn decide(asked: &LimitsRequest, profile: &Profile) -> Result<(Limits, u64), Rejection> {
    let mut chosen = profile.defaults;
    let ceiling = &profile.ceilings;
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let within = |name: &str, value: Option<u64>, ceiling: u64| match value {
        Some(value) if value > ceiling => Err(Rejection::new(
            "limit_above_ceiling",
            format!(
                "limits.{name}: {value} is above the ceiling of the profile {:?}",
                profile.name
            ),
            format!("ask for at most {ceiling}"),
        )),
        value => Ok(value),
    };
    if let Some(wall) = within("wall_ms", asked.wall_ms, millis(ceiling.wall))? {
        chosen.wall = Duration::from_millis(wall);
    }
    if let Some(cpu) = within("cpu_ms", asked.cpu_ms, millis(ceiling.cpu))? {
        chosen.cpu = Duration::from_millis(cpu);
    }
    for (name, value, ceiling, target) in [
        (
            "memory_bytes",
            asked.memory_bytes,
            ceiling.memory,
            &mut chosen.memory,
        ),
        (
            "disk_bytes",
            asked.disk_bytes,
            ceiling.disk,
            &mut chosen.disk,
        ),
        (
            "output_bytes",
            asked.output_bytes,
            ceiling.output,
            &mut chosen.output,
        ),
        (
            "processes",
            asked.processes,
            ceiling.processes,
            &mut chosen.processes,
        ),
    ] {
        if let Some(value) = within(name, value, ceiling)? {
            *target = value;
        }
    }
    Ok((limits(&chosen), chosen.output))
}
