//! `glovebox runner`: the worker.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use glovebox_cell::{supervise, worker_id};
use glovebox_runner::{
    Durability, Lane, RunnerConfig, RunnerError, SpoolConfig, Stopped, Wanted, claim_spool,
    run as work,
};
use glovebox_schemas::names::{default_weight, is_lane, is_runner_name};

use crate::args::RunnerArgs;
use crate::queue::{amqp_url, redis_url, trust_authorities};
use crate::report::{HOST, LEFT, SERVICE, USAGE, fail, note};
use crate::{folders, isolation, warm};

/// Runs the command.
pub(crate) fn run(args: RunnerArgs) -> ExitCode {
    try_run(&args).unwrap_or_else(|code| code)
}

fn try_run(args: &RunnerArgs) -> Result<ExitCode, ExitCode> {
    let lanes = args.lanes.iter().map(|written| lane(written)).collect();
    let lanes: Vec<Lane> = Option::unwrap_or_default(lanes);
    if lanes.is_empty() {
        note(&format!(
            "--lane {:?}: a lane is 1 to 32 small letters, digits and hyphens, its weight 1 to 1000",
            args.lanes
        ));
        return Err(ExitCode::from(USAGE));
    }
    if let Some(name) = args.name.as_deref().filter(|name| !is_runner_name(name)) {
        note(&format!(
            "--name {name:?} can't name a runner: 1 to 100 letters, digits, '.', '_' and '-', not '.' first"
        ));
        return Err(ExitCode::from(USAGE));
    }
    trust_authorities()?;
    let slots = args.slots.unwrap_or_else(processors);
    let catalog = isolation::catalog()?;
    let (languages, mut warden) =
        isolation::warden(catalog, &Wanted::Everything, slots, &args.isolation)?;
    warden.warm = warm::config(args.warm_memory);
    let name = args.name.clone().unwrap_or_else(default_name);
    let Some(base) = args.spool.clone().or_else(folders::spool) else {
        note("there is no folder for the spool: give one with --spool");
        return Err(ExitCode::from(USAGE));
    };
    // Held until this process ends: others see by the lock that the folder is in use.
    let (folder, _lock) = claim_spool(&base, &name, worker_id(warden.uid_base))
        .map_err(|error| fail_spool(&base, &error))?;
    let config = RunnerConfig {
        name,
        slots,
        lanes,
        amqp_url: amqp_url(),
        redis_url: redis_url(),
        drain: Duration::from_secs(args.drain),
        spool: SpoolConfig {
            folder: folder.clone(),
            memory: args.spool_memory,
            disk: args.spool_disk,
        },
        durability: Durability {
            replicas: args.replicas,
            within_ms: args.replicas_within,
        },
        watch: |_| {},
    };
    let code = supervise(&warden, move |link| match work(link, languages, config) {
        Ok(Stopped::Settled) => 0,
        Ok(Stopped::Left(jobs)) => {
            note(&format!("{jobs} jobs are left to be delivered again"));
            i32::from(LEFT)
        }
        Err(RunnerError::Broker(error)) => {
            fail(SERVICE, &error, &error.hint());
            i32::from(SERVICE)
        }
        Err(error @ RunnerError::Namesake(_)) => {
            fail(USAGE, &error, "give each runner a --name of its own");
            i32::from(USAGE)
        }
        Err(error @ RunnerError::Spool(_)) => {
            let mend = "every folder above it must be passable for all (chmod o+x)";
            fail(HOST, &error, mend);
            i32::from(HOST)
        }
        Err(RunnerError::Launch(error)) => {
            isolation::fail_launch(&error);
            i32::from(HOST)
        }
        Err(error) => {
            fail(HOST, &error, "");
            i32::from(HOST)
        }
    })
    .map_err(|error| isolation::fail_supervise(&error))?;
    // One that still has results in it is the next runner's.
    std::fs::remove_dir(&folder).ok();
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(HOST)))
}

/// `LANE` or `LANE=WEIGHT`.
fn lane(written: &str) -> Option<Lane> {
    let (name, weight) = match written.split_once('=') {
        Some((name, weight)) => (name, weight.parse().ok()?),
        None => (written, default_weight(written)),
    };
    (is_lane(name) && (1..=1000).contains(&weight)).then(|| Lane {
        name: name.to_owned(),
        weight,
    })
}

fn fail_spool(base: &Path, error: &std::io::Error) -> ExitCode {
    let failed = io::Error::new(
        error.kind(),
        format!("the spool {}: {error}", base.display()),
    );
    let mend = match error.kind() {
        io::ErrorKind::WouldBlock => "another runner of this name is running: give another --name",
        _ => {
            "give a folder that can be written to with --spool (under systemd: StateDirectory=glovebox)"
        }
    };
    fail(HOST, &failed, mend)
}

pub(crate) fn processors() -> u16 {
    std::thread::available_parallelism()
        .ok()
        .and_then(|n| u16::try_from(n.get()).ok())
        .unwrap_or(1)
}

/// Host name and process id.
pub(crate) fn default_name() -> String {
    let host = nix::unistd::gethostname().map_or_else(
        |_| "runner".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let host = host.replace(|c| !plain(c), "-");
    let host = host.trim_start_matches('.');
    format!("{host:.80}-{}", std::process::id())
}
