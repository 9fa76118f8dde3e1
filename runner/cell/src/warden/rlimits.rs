//! Resource limits (setrlimit(2)): each is of one process only, so they stand behind the cgroup.

use nix::sys::resource::{Resource, getrlimit};

use crate::blueprint::{Blueprint, Limits};

/// `RLIMIT_MEMLOCK` and `RLIMIT_MSGQUEUE` of every job, in bytes.
const SMALL: u64 = 64 * 1024;

/// The second line behind the cgroup; without one, the only line.
pub(super) fn of(limits: &Limits, blueprint: &Blueprint, cgroup: bool) -> Vec<(Resource, u64)> {
    let cpu_seconds = limits.cpu.as_secs() + 2;
    let mut wanted = vec![
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_FSIZE, limits.disk),
        (Resource::RLIMIT_CPU, cpu_seconds),
        (Resource::RLIMIT_NOFILE, blueprint.open_files),
        (Resource::RLIMIT_MEMLOCK, SMALL),
        (Resource::RLIMIT_MSGQUEUE, SMALL),
    ];
    if !cgroup {
        wanted.push((Resource::RLIMIT_DATA, limits.memory));
        wanted.push((Resource::RLIMIT_NPROC, limits.processes));
    }
    wanted
        .into_iter()
        .map(|(resource, limit)| {
            let hard = getrlimit(resource).map_or(limit, |(_, hard)| hard);
            (resource, limit.min(hard))
        })
        .collect()
}
