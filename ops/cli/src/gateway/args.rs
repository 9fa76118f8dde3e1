//! The command line of `glovebox gateway`. Keys never come by it: arguments are seen by every user of the host.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::IsolationArgs;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct GatewayArgs {
    #[command(subcommand)]
    pub(crate) command: Option<GatewayCommand>,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GatewayCommand {
    /// Make API keys
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Print a new key, once, to stderr; and the lines for the file of --keys to stdout
    New(NewKeyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct NewKeyArgs {
    /// Whom the key's jobs are counted against
    #[arg(long)]
    pub(crate) tenant: String,
    /// What to call it in the file; the tenant's name if absent
    #[arg(long)]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where to listen. The port is DifySandbox's; without any key only on loopback
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8194")]
    pub(crate) listen: SocketAddr,
    /// The file of hashed API keys (see `glovebox gateway key new`); besides it, GLOVEBOX_API_KEY is the default tenant's key
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,
    /// The server's certificates, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key that goes with them, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Requests that may wait for a job at one time
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) max_waiters: usize,
    /// The package environment of what comes by DifySandbox's endpoints, where all runners have it
    #[arg(long, value_name = "NAME", default_value = "dify")]
    pub(crate) dify_environment: String,
    /// Give those programs no network, although Dify always asks for it
    #[arg(long)]
    pub(crate) dify_no_network: bool,
    /// How long those programs may run, in seconds; the profile's default if absent
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) dify_timeout: Option<u64>,
    /// The lane of those programs
    #[arg(long, value_name = "LANE", default_value = "default")]
    pub(crate) dify_lane: String,
    /// Run the jobs in this process, without RabbitMQ and Redis; results are in memory only
    #[arg(long)]
    pub(crate) embedded: bool,
    /// With --embedded: jobs at one time; the number of processors if absent
    #[arg(long, requires = "embedded", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) slots: Option<u16>,
    /// With --embedded: how many bytes interpreters that are kept warm may use; 0 starts every job's anew. If absent
    /// 512 MiB, but no more than a quarter of the memory that is available at the start
    #[arg(long, value_name = "BYTES", requires = "embedded")]
    pub(crate) warm_memory: Option<u64>,
    #[command(flatten)]
    pub(crate) isolation: IsolationArgs,
}
