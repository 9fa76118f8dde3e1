//! `glovebox callbacks`: sends what jobs have asked to be told by a signed POST.
//!
//! Must never take a key as an argument: those are seen by every user of the host.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use glovebox_callbacks::{
    CallbacksConfig, CallbacksError, Keys, KeysError, Patience, Schedule, Shares,
};
use glovebox_gate::HostPattern;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::queue::{amqp_url, block_on};
use crate::report::{HOST, SERVICE, USAGE, fail, note};

const KEY: &str = "GLOVEBOX_CALLBACK_KEY";

#[derive(Debug, Args)]
pub(crate) struct CallbacksArgs {
    /// The TOML file of the tenants' keys: a table `tenants` with a list of one key or two, the new one first, for each
    /// name. GLOVEBOX_CALLBACK_KEY instead is one key for all tenants
    #[arg(long, value_name = "FILE", env = "GLOVEBOX_CALLBACK_KEYS")]
    callback_keys: Option<PathBuf>,
    /// A host that may be internal: a name, *.NAME, an address or a network; may be given several times
    #[arg(long = "intranet", value_name = "HOST", value_parser = intranet)]
    intranet: Vec<HostPattern>,
    /// A PEM file of certificate authorities to trust besides the system's
    #[arg(long, value_name = "FILE")]
    authorities: Option<PathBuf>,
    /// The name shown in histories; host name and process id if absent
    #[arg(long)]
    name: Option<String>,
    /// How often a callback is tried in all
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100))]
    attempts: u32,
    /// Milliseconds until the second attempt; three times as long each time after that
    #[arg(long, value_name = "MS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=86_400_000))]
    first_delay: u64,
    /// Milliseconds that no delay exceeds by more than a quarter, whatever a receiver asks for
    #[arg(long, value_name = "MS", default_value_t = 1_800_000, value_parser = clap::value_parser!(u64).range(1..=86_400_000))]
    longest_delay: u64,
    /// Milliseconds that a receiver may take to accept a connection
    #[arg(long, value_name = "MS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    connect_within: u64,
    /// Milliseconds that a receiver may take in all
    #[arg(long, value_name = "MS", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    answer_within: u64,
    /// Callbacks at one time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    concurrency: u16,
    /// Those of them to one host and port
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    per_host: u16,
    /// Those of them of one tenant
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    per_tenant: u16,
}

fn intranet(written: &str) -> Result<HostPattern, String> {
    let pattern: HostPattern = written.parse().map_err(|error| format!("{error}"))?;
    match pattern.is_any() {
        true => Err("`*` would open everything internal: name what is to be open".to_owned()),
        false => Ok(pattern),
    }
}

/// Runs the command.
pub(crate) fn run(args: CallbacksArgs) -> ExitCode {
    let keys = match keys(&args) {
        Ok(keys) => keys,
        Err(code) => return code,
    };
    let config = CallbacksConfig {
        amqp_url: amqp_url(),
        name: args.name.unwrap_or_else(crate::runner::default_name),
        keys,
        intranet: args.intranet,
        authorities: args.authorities,
        schedule: Schedule {
            attempts: args.attempts,
            first: Duration::from_millis(args.first_delay),
            longest: Duration::from_millis(args.longest_delay),
        },
        patience: Patience {
            connect: Duration::from_millis(args.connect_within),
            total: Duration::from_millis(args.answer_within),
        },
        shares: Shares {
            all: args.concurrency,
            host: args.per_host,
            tenant: args.per_tenant,
        },
    };
    block_on(async {
        let stop = match until_told() {
            Ok(stop) => stop,
            Err(error) => return fail(HOST, &error, ""),
        };
        match glovebox_callbacks::run(config, stop).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(CallbacksError::Broker(error)) => fail(SERVICE, &error, &error.hint()),
            Err(error) => fail(USAGE, &error, "give a readable PEM file with --authorities"),
        }
    })
}

fn keys(args: &CallbacksArgs) -> Result<Keys, ExitCode> {
    let one = std::env::var(KEY).ok().filter(|key| !key.is_empty());
    let keys = match (&args.callback_keys, one) {
        (Some(file), None) => Keys::read(file),
        (None, Some(key)) => Keys::one(&key),
        (Some(_), Some(_)) => {
            note(&format!(
                "there are both --callback-keys and {KEY}: choose one"
            ));
            return Err(ExitCode::from(USAGE));
        }
        (None, None) => {
            note(&format!(
                "there is no key to sign callbacks with\n  mend: name a file with --callback-keys, or set {KEY}"
            ));
            return Err(ExitCode::from(USAGE));
        }
    };
    keys.map_err(|error| fail(USAGE, &error, KeysError::hint()))
}

/// Is cancelled by SIGTERM and by SIGINT.
fn until_told() -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told.cancel();
    });
    Ok(stop)
}
