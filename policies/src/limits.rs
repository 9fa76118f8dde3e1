//! The sections of limits: every amount named, with its unit, and none above its ceiling.

use crate::document::{Item, Section};
use crate::error::PolicyError;
use crate::profile::Limits;
use crate::units;

/// Reads one set of limits.
pub(crate) fn read(
    section: &Section<'_>,
    ceilings: Option<&Limits>,
) -> Result<Limits, PolicyError> {
    section.only(&["wall", "cpu", "memory", "disk", "output", "processes"])?;
    let wall = section.need("wall", "\"10s\"")?;
    let cpu = section.need("cpu", "\"10s\"")?;
    let memory = section.need("memory", "\"256MiB\"")?;
    let disk = section.need("disk", "\"64MiB\"")?;
    let output = section.need("output", "\"1MiB\"")?;
    let processes = section.need("processes", "32")?;
    let amounts = Limits {
        wall: units::time(&wall)?,
        cpu: units::time(&cpu)?,
        memory: units::bytes(&memory)?,
        disk: units::bytes(&disk)?,
        output: units::bytes(&output)?,
        processes: count(&processes)?,
    };
    if let Some(most) = ceilings {
        let above = [
            (&wall, amounts.wall > most.wall),
            (&cpu, amounts.cpu > most.cpu),
            (&memory, amounts.memory > most.memory),
            (&disk, amounts.disk > most.disk),
            (&output, amounts.output > most.output),
            (&processes, amounts.processes > most.processes),
        ];
        if let Some((item, _)) = above.iter().find(|(_, above)| *above) {
            return Err(item.refuse(
                "is above the ceiling",
                "lower it, or raise the same key of [limits.ceiling]",
            ));
        }
    }
    Ok(amounts)
}

/// A number of things, more than none.
pub(crate) fn count(item: &Item<'_>) -> Result<u64, PolicyError> {
    match item.integer()? {
        0 => Err(item.refuse("nothing could run with zero", "write a number from 1 up")),
        number => Ok(number),
    }
}
