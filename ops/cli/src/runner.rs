//! `glovebox runner`: the worker.

use std::process::ExitCode;
use std::time::Duration;

use glovebox_cell::supervise;
use glovebox_runner::{RunnerConfig, RunnerError, Wanted, run as work};
use glovebox_schemas::names::is_lane;

use crate::args::RunnerArgs;
use crate::isolation;
use crate::queue::{amqp_url, redis_url};
use crate::report::{HOST, SERVICE, USAGE, fail, note};

/// Runs the command.
pub(crate) fn run(args: RunnerArgs) -> ExitCode {
    try_run(&args).unwrap_or_else(|code| code)
}

fn try_run(args: &RunnerArgs) -> Result<ExitCode, ExitCode> {
    if let Some(lane) = args.lanes.iter().find(|lane| !is_lane(lane)) {
        note(&format!(
            "--lane {lane:?} is not a lane: 1 to 32 small letters, digits and hyphens"
        ));
        return Err(ExitCode::from(USAGE));
    }
    let slots = args.slots.unwrap_or_else(processors);
    let catalog = isolation::catalog()?;
    let (languages, warden) =
        isolation::warden(catalog, &Wanted::Everything, slots, &args.isolation)?;
    let config = RunnerConfig {
        name: args.name.clone().unwrap_or_else(default_name),
        slots,
        lanes: args.lanes.clone(),
        amqp_url: amqp_url(),
        redis_url: redis_url(),
        drain: Duration::from_secs(args.drain),
        watch: |_| {},
    };
    let code = supervise(&warden, move |link| match work(link, languages, config) {
        Ok(()) => 0,
        Err(RunnerError::Broker(error)) => {
            fail(SERVICE, &error, &error.hint());
            i32::from(SERVICE)
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
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(HOST)))
}

fn processors() -> u16 {
    std::thread::available_parallelism()
        .ok()
        .and_then(|n| u16::try_from(n.get()).ok())
        .unwrap_or(1)
}

fn default_name() -> String {
    let host = nix::unistd::gethostname().map_or_else(
        |_| "runner".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    format!("{host}-{}", std::process::id())
}
