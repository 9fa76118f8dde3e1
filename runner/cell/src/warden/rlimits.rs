//! Resource limits (setrlimit(2)): each is of one process only, so they stand behind the cgroup; where
//! there is none, they are all there is.

use nix::sys::resource::{Resource, getrlimit};

use crate::blueprint::Limits;

/// `RLIMIT_MEMLOCK` and `RLIMIT_MSGQUEUE` of every job, in bytes.
const SMALL: u64 = 64 * 1024;
/// The warden and the cell's init have the same uid as the job where there is no cgroup.
const OURS: u64 = 2;

/// One limit: which, soft, hard.
pub(crate) type Rlimit = (Resource, u64, u64);

/// The limits of a job's processes, none above what this process may set.
pub(crate) fn of(limits: &Limits, open_files: u64, cgroup: bool) -> Vec<Rlimit> {
    // In whole seconds: SIGXCPU at the first, SIGKILL a second later. Behind a cgroup's exact count it
    // must not strike first.
    let cpu = limits.cpu.as_millis().div_ceil(1000);
    let cpu = u64::try_from(cpu).unwrap_or(u64::MAX - OURS) + u64::from(cgroup);
    let same = |resource, limit| (resource, limit, limit);
    let mut wanted = vec![
        // 1 is the one value that stops a core dump to a pipe, too (fs/coredump.c, core(5)).
        same(Resource::RLIMIT_CORE, 1),
        same(Resource::RLIMIT_FSIZE, limits.disk),
        (Resource::RLIMIT_CPU, cpu, cpu + 1),
        same(Resource::RLIMIT_NOFILE, open_files),
        same(Resource::RLIMIT_MEMLOCK, SMALL),
        same(Resource::RLIMIT_MSGQUEUE, SMALL),
    ];
    if !cgroup {
        wanted.push(same(Resource::RLIMIT_DATA, limits.memory));
        wanted.push(same(Resource::RLIMIT_NPROC, limits.processes + OURS));
    }
    wanted
        .into_iter()
        .map(|(resource, soft, hard)| {
            let highest = getrlimit(resource).map_or(hard, |(_, highest)| highest);
            (resource, soft.min(highest), hard.min(highest))
        })
        .collect()
}
