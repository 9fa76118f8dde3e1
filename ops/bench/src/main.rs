//! `ops/bench/run`: what isolation and a queue cost, next to starting the same program without any, and next to what
//! other jails take.
//!
//! One session measures everything in turns, in one run on one machine: only the ratios mean anything.

mod agent;
mod besides;
mod cancel;
mod command;
mod cpu;
mod fair;
mod gate;
mod goals;
mod host;
mod idle;
mod jails;
mod load;
mod memory;
mod policies;
mod program;
mod report;
mod round_trip;
mod scale;
mod session;
mod settle;
mod statistics;
mod way;
mod whole;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::scale::{FULL, QUICK, SMALLEST, Scale};
use crate::session::Plan;
use crate::way::Way;

/// Package environments, kept from one session to the next.
const ENVIRONMENTS: &str = "target/bench/environments";

/// What isolation and a queue cost, measured in one session against bare starts and other jails
#[derive(Debug, Parser)]
struct Args {
    /// Three minutes instead of fifteen
    #[arg(long)]
    quick: bool,
    /// Each thing once: figures that mean nothing
    #[arg(long, conflicts_with = "quick", hide = true)]
    smallest: bool,
    /// For the order of the batches; printed, and another each time if absent
    #[arg(long)]
    seed: Option<u64>,
    /// Only these, of true, python, node, numpy and pandas
    #[arg(long, value_delimiter = ',')]
    programs: Vec<String>,
    /// Of each runner
    #[arg(long, default_value_t = 4)]
    slots: u16,
    /// Where the results go. If absent: ops/bench/results, and the README's figures with them, of a full session with all
    /// programs; target/bench/results otherwise
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What this program starts of itself.
#[derive(Debug, Subcommand)]
#[command(hide = true)]
enum Part {
    /// Runs batches of one way
    Agent { way: String },
    /// Answers messages
    Echo,
    /// What `ops/bench/fair` measures
    Fair { out: PathBuf },
    /// Jobs without end, for a profiler: says when they begin, and how many there were a second
    Burst {
        way: String,
        program: String,
        #[arg(default_value_t = 10)]
        seconds: u64,
    },
}

fn main() -> ExitCode {
    let done = match Args::parse() {
        Args {
            part: Some(Part::Agent { way }),
            ..
        } => Way::named(&way).context("no such way").and_then(agent::run),
        Args {
            part: Some(Part::Echo),
            ..
        } => block_on(round_trip::echo()).map(|()| ExitCode::SUCCESS),
        Args {
            part: Some(Part::Fair { out }),
            ..
        } => block_on(fair::measure(&out)).map(|()| ExitCode::SUCCESS),
        Args {
            part:
                Some(Part::Burst {
                    way,
                    program,
                    seconds,
                }),
            slots,
            ..
        } => burst(&way, program, Duration::from_secs(seconds), slots),
        args => session(&args),
    };
    done.unwrap_or_else(|error| {
        report::complain(&error);
        ExitCode::FAILURE
    })
}

fn burst(way: &str, program: String, lasts: Duration, slots: u16) -> anyhow::Result<ExitCode> {
    let way = Way::named(way).filter(|way| way.is_queued());
    let way = way.context("no such way through the queue")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let environments = root.canonicalize()?.join(ENVIRONMENTS);
    let glovebox = glovebox_tests::glovebox_bin()?;
    let (programs, _) = program::all(&glovebox, &environments, &[program])?;
    block_on(whole::burst(way, programs, lasts, slots, &environments))?;
    Ok(ExitCode::SUCCESS)
}

fn session(args: &Args) -> anyhow::Result<ExitCode> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.join("../..").canonicalize()?;
    let scale: Scale = match (args.quick, args.smallest) {
        (true, _) => QUICK,
        (_, true) => SMALLEST,
        _ => FULL,
    };
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..100_000));
    report::note(&format!("a {} session, --seed {seed}", scale.name));
    let glovebox = glovebox_tests::glovebox_bin()?;
    let plan = Plan {
        scale,
        seed,
        programs: &args.programs,
        slots: args.slots,
        glovebox: &glovebox,
        environments: &root.join(ENVIRONMENTS),
    };
    let report = block_on(session::run(&plan))?;
    let readme = root.join("README.md");
    let (out, readme) = match (&args.out, scale.name, args.programs.is_empty()) {
        (Some(out), ..) => (out.clone(), None),
        (None, "full", true) => (here.join("results"), Some(readme.as_path())),
        (None, ..) => (root.join("target/bench/results"), None),
    };
    report::write(&report, &out, readme)?;
    report::note(&format!("written to {}", out.display()));
    Ok(ExitCode::SUCCESS)
}

fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(future)
}
