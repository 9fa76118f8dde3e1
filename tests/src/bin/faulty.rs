//! `faulty`: takes the arguments of `glovebox runner`, and dies at a stage of a delivery's way.
//!
//! `FAULTY_STAGE` names the stage, `FAULTY_AT` which time it is reached (1 if absent), `FAULTY_WHAT` what happens
//! then: `kill` (the worker kills itself), `panic` (so it does, in the task that is there) or `freeze` (it stops, and whoever started it goes on from there). Before
//! it happens, `faulty: STAGE` is logged.
//!
//! Must never be shipped, and must be a runner like any other until that moment.

use std::process::ExitCode;
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use glovebox_cell::{AllowMissing, WardenConfig, WarmConfig, supervise, worker_id};
use glovebox_policies::Catalog;
use glovebox_runner::{
    Durability, Lane, RunnerConfig, SpoolConfig, Stage, Wanted, claim_spool, prepare, run,
};
use nix::sys::signal::{Signal, raise};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// What happens where and when.
struct Fault {
    stage: Stage,
    at: u32,
    /// None for a panic.
    signal: Option<Signal>,
}

static FAULT: OnceLock<Fault> = OnceLock::new();
static REACHED: AtomicU32 = AtomicU32::new(0);

fn main() -> anyhow::Result<ExitCode> {
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr))
        .with(Targets::from_str("info,lapin=off")?)
        .init();
    FAULT
        .set(fault()?)
        .map_err(|_| anyhow!("there is one fault"))?;
    let mut config = config()?;
    let owner = worker_id(None);
    let (folder, _lock) = claim_spool(&config.spool.folder, &config.name, owner)?;
    config.spool.folder = folder;
    let (languages, blueprints) = prepare(Catalog::load(None)?, Vec::new(), &Wanted::Everything)?;
    let warden = WardenConfig {
        blueprints,
        slots: config.slots,
        uid_base: None,
        allow_missing: AllowMissing::default(),
        warm: WarmConfig::default(),
    };
    let code = supervise(&warden, move |link| match run(link, languages, config) {
        Ok(_) => 0,
        Err(error) => {
            tracing::error!(%error, "ended");
            1
        }
    })?;
    Ok(ExitCode::from(u8::try_from(code)?))
}

fn fault() -> anyhow::Result<Fault> {
    let stage = std::env::var("FAULTY_STAGE").context("FAULTY_STAGE names the stage")?;
    let at = std::env::var("FAULTY_AT").map_or(Ok(1), |at| at.parse());
    Ok(Fault {
        stage: Stage::ALL
            .into_iter()
            .find(|known| format!("{known:?}") == stage)
            .with_context(|| format!("there is no stage {stage:?}"))?,
        at: at.context("FAULTY_AT is no number")?,
        signal: match std::env::var("FAULTY_WHAT").as_deref() {
            Ok("freeze") => Some(Signal::SIGSTOP),
            Ok("panic") => None,
            _ => Some(Signal::SIGKILL),
        },
    })
}

/// As `glovebox runner` reads it, but of what a test passes only.
fn config() -> anyhow::Result<RunnerConfig> {
    let mut config = RunnerConfig {
        name: String::new(),
        slots: 1,
        lanes: Vec::new(),
        amqp_url: std::env::var("GLOVEBOX_AMQP_URL")?,
        redis_url: std::env::var("GLOVEBOX_REDIS_URL")?,
        drain: Duration::from_secs(30),
        spool: SpoolConfig {
            folder: std::env::var_os("GLOVEBOX_SPOOL")
                .context("GLOVEBOX_SPOOL")?
                .into(),
            memory: 64 << 20,
            disk: 1 << 30,
        },
        durability: Durability::default(),
        watch: fail_at,
    };
    let mut arguments = std::env::args().skip_while(|argument| !argument.starts_with("--"));
    while let Some(name) = arguments.next() {
        let value = arguments
            .next()
            .with_context(|| format!("{name} has no value"))?;
        match name.as_str() {
            "--name" => config.name = value,
            "--slots" => config.slots = value.parse()?,
            "--lane" => config.lanes.push(lane(value)),
            "--drain" => config.drain = Duration::from_secs(value.parse()?),
            _ => return Err(anyhow!("{name} is not known here")),
        }
    }
    if config.lanes.is_empty() {
        config
            .lanes
            .push(lane(glovebox_schemas::names::DEFAULT_LANE.to_owned()));
    }
    Ok(config)
}

fn lane(name: String) -> Lane {
    Lane { name, weight: 1 }
}

fn fail_at(stage: Stage) {
    let Some(fault) = FAULT.get().filter(|fault| fault.stage == stage) else {
        return;
    };
    if REACHED.fetch_add(1, Ordering::Relaxed) + 1 == fault.at {
        tracing::info!("faulty: {stage:?}");
        let Some(signal) = fault.signal else {
            panic!("as was asked for");
        };
        raise(signal).unwrap_or_else(|error| tracing::error!(%error, "not even that"));
    }
}
