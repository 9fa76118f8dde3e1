//! The command line, as written. Checked here as far as its form goes; what it means is decided where
//! it is used. Must never take a secret: arguments are seen by every user of the host.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use glovebox_schemas::job::JobId;

use crate::callbacks::CallbacksArgs;

const EXIT_CODES: &str = "\
Exit codes: 0 done · 2 usage · 3 the job was not `succeeded` · 4 a service is out of reach · 5 this host can't isolate ·
6 a runner left jobs to be delivered again (0: all that it had taken is done or given back).
`run` without --json exits as the program did: its exit code, or 128 + the number of its signal.
`batch`: 0 every job has its result, whatever its program did · 3 some are `error` or `rejected` · 128 + the number of the
signal that stopped it.

Environment: GLOVEBOX_AMQP_URL (amqp://guest:guest@127.0.0.1:5672/%2f) · GLOVEBOX_REDIS_URL (redis://127.0.0.1:6379/0,
or redis+sentinel://[USER:PASSWORD@]HOST:26379,HOST:26379/NAME-OF-THE-MASTER/0) · with TLS: amqps://, rediss:// and
rediss+sentinel:// · GLOVEBOX_TLS_CA (the PEM file of the authorities to trust, in place of the system's)
GLOVEBOX_POLICIES (a directory laid over the built-in profiles) · GLOVEBOX_UID_BASE (first of 1,024 unused uids)
GLOVEBOX_ENVIRONMENTS (the folder of environments: /var/lib/glovebox/environments for root, else
~/.local/share/glovebox/environments) · GLOVEBOX_API_KEY (a key of the gateway, for the default tenant) ·
GLOVEBOX_CALLBACK_KEY (signs callbacks) · GLOVEBOX_LOG (a filter such as `info` or `glovebox_runner=debug`)";

/// Runs code that nobody trusts.
#[derive(Debug, Parser)]
#[command(name = "glovebox", version, after_help = EXIT_CODES, propagate_version = true)]
pub(crate) enum Command {
    /// Run one job here, in full isolation, without any service
    Run(RunArgs),
    /// Work: take jobs from RabbitMQ, run them, put results into Redis
    Runner(RunnerArgs),
    /// Send the callbacks that jobs have asked for: a signed POST when one is done
    Callbacks(CallbacksArgs),
    /// List the runners: what each does, how busy it is, and which were lost within a day
    Runners(RunnersArgs),
    /// Look at tenants, limit them, see what they have used
    #[command(subcommand)]
    Tenants(TenantsCommand),
    /// Hand a job over and print its id
    Submit(SubmitArgs),
    /// Run many jobs, one document a line, and write their results in the same order
    Batch(BatchArgs),
    /// Wait for a job's result and print it
    Wait(WaitArgs),
    /// Print a job's result if it is there
    Result(IdArgs),
    /// Cancel a job, queued or running
    Cancel(IdArgs),
    /// Serve HTTP: take jobs, tell results; DifySandbox's endpoints as well
    Gateway(crate::gateway::GatewayArgs),
    /// Look at profiles, check them, learn what a program needs
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Make, list and remove environments: installed packages that jobs can use
    #[command(subcommand)]
    Env(EnvCommand),
    /// Tell what this host can and can't isolate, and how to mend it
    Doctor(DoctorArgs),
    /// Write the JSON Schemas of the documents
    Schemas(SchemasArgs),
}

/// What to run: a program, or a whole job document.
#[derive(Debug, Args)]
pub(crate) struct ProgramArgs {
    /// The program
    #[arg(required_unless_present = "job")]
    pub(crate) file: Option<PathBuf>,
    /// A job document instead; `-` reads it from stdin
    #[arg(long, value_name = "FILE.json", conflicts_with_all = ["file", "language", "profile", "stdin", "network", "limits", "args"])]
    pub(crate) job: Option<PathBuf>,
    /// The program's language; found from the file's name if absent
    #[arg(long, short)]
    pub(crate) language: Option<String>,
    /// A package environment of that language, as LANGUAGE:NAME (see `glovebox env list`)
    #[arg(long, value_name = "LANGUAGE:NAME")]
    pub(crate) profile: Option<String>,
    /// What the program reads on stdin; `-` is this command's own
    #[arg(long, value_name = "FILE")]
    pub(crate) stdin: Option<PathBuf>,
    /// What the program may reach
    #[arg(long, value_enum, default_value_t = NetworkArg::None)]
    pub(crate) network: NetworkArg,
    /// A limit: wall_ms, cpu_ms, memory_bytes, disk_bytes, output_bytes or processes
    #[arg(long = "limit", value_name = "NAME=VALUE")]
    pub(crate) limits: Vec<String>,
    /// The program's arguments
    #[arg(last = true)]
    pub(crate) args: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum NetworkArg {
    None,
    Proxy,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) program: ProgramArgs,
    /// Print the result document instead of the program's output
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) isolation: IsolationArgs,
}

/// Which weaknesses are accepted.
#[derive(Debug, Args)]
pub(crate) struct IsolationArgs {
    /// Accept that a layer is missing on this host
    #[arg(long, value_enum, value_name = "LAYER")]
    pub(crate) allow_missing: Vec<LayerArg>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LayerArg {
    Cgroup,
    Landlock,
}

#[derive(Debug, Args)]
pub(crate) struct RunnerArgs {
    /// Jobs at one time; the number of processors if absent
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) slots: Option<u16>,
    /// A lane to take jobs from, and how many of it start for one of a lane of weight 1 while both wait (high 64, batch 1,
    /// any other 8, if not said); may be given several times
    #[arg(long = "lane", value_name = "LANE[=WEIGHT]", default_values = ["high", "default", "batch"])]
    pub(crate) lanes: Vec<String>,
    /// The runner's name; host name and process id if absent
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The folder in which results wait while Redis is away, each runner's in one of its own; /var/lib/glovebox/spool
    /// for root, else ~/.local/share/glovebox/spool, if absent
    #[arg(long, value_name = "DIR", env = "GLOVEBOX_SPOOL")]
    pub(crate) spool: Option<PathBuf>,
    /// How many bytes of results wait in memory before the folder is used
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    pub(crate) spool_memory: u64,
    /// How many bytes of results wait in the folder before nothing new is taken
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    pub(crate) spool_disk: u64,
    /// How many bytes interpreters that are kept warm may use, those that wait for a job included; 0 starts every job's
    /// anew. If absent 512 MiB, but no more than a quarter of the memory that is available at the start
    #[arg(long, value_name = "BYTES")]
    pub(crate) warm_memory: Option<u64>,
    /// How many replicas of Redis must have a result before its job is acknowledged
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) replicas: u32,
    /// How long to wait for them, in milliseconds, before asking again
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=4_000))]
    pub(crate) replicas_within: u32,
    /// How long running jobs may go on after SIGTERM, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) drain: u64,
    #[command(flatten)]
    pub(crate) isolation: IsolationArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RunnersArgs {
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to do with profiles.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// List the languages: which are here, in which version, and what brings the others
    List(ListArgs),
    /// Print what a language's programs need and may do, with everything that its profile includes
    Show(ShowArgs),
    /// Read policies, compile them for both architectures and look whether this host can serve them
    Check(CheckArgs),
    /// Run a program in isolation and print the lines that its profile lacks
    Learn(LearnArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The language's name or one of its aliases
    #[arg(value_name = "NAME")]
    pub(crate) language: String,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Directories with profiles/ or groups/, or single files; GLOVEBOX_POLICIES if absent
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct LearnArgs {
    #[command(flatten)]
    pub(crate) program: ProgramArgs,
    #[command(flatten)]
    pub(crate) isolation: IsolationArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    #[command(flatten)]
    pub(crate) program: ProgramArgs,
    /// The lane to send it to
    #[arg(long, conflicts_with = "job")]
    pub(crate) lane: Option<String>,
    /// Whom to count it against
    #[arg(long, conflicts_with = "job")]
    pub(crate) tenant: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct BatchArgs {
    /// The jobs, one document a line; `-` is stdin
    pub(crate) jobs: PathBuf,
    /// Where the results go, one a line, in the order of the jobs; `-` is stdout
    #[arg(long, short, value_name = "RESULTS.jsonl")]
    pub(crate) output: PathBuf,
    /// Go on where an earlier run ended: what has a result in the output is not run again
    #[arg(long)]
    pub(crate) resume: bool,
    /// How many jobs are in flight
    #[arg(long, value_name = "N", default_value_t = 256, conflicts_with = "local", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) concurrency: u32,
    /// Run them here, in full isolation, without any service
    #[arg(long)]
    pub(crate) local: bool,
    /// With --local: jobs at one time; the number of processors if absent
    #[arg(long, requires = "local", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) slots: Option<u16>,
    #[command(flatten)]
    pub(crate) isolation: IsolationArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// The job's id
    pub(crate) id: JobId,
    /// How long to wait, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) timeout: u64,
}

#[derive(Debug, Args)]
pub(crate) struct IdArgs {
    /// The job's id
    pub(crate) id: JobId,
}

/// What to do with tenants.
#[derive(Debug, Subcommand)]
pub(crate) enum TenantsCommand {
    /// List them: limits, running and waiting jobs
    List(TenantsListArgs),
    /// Print one
    Show(TenantArgs),
    /// Set limits, for the whole fleet and at once
    Set(TenantSetArgs),
    /// Forget its limits and take it off the list
    Remove(TenantArgs),
    /// Print what tenants have used, by day (UTC)
    Usage(TenantsUsageArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TenantsListArgs {
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TenantArgs {
    /// Which; `*` stands for all that have no limits of their own
    pub(crate) tenant: String,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TenantSetArgs {
    /// Which; `*` stands for all that have no limits of their own
    pub(crate) tenant: String,
    /// Jobs that run at one time: a number, `none`, or `default` for what holds for all
    #[arg(long, value_name = "N")]
    pub(crate) max_running: Option<String>,
    /// Jobs that wait in queues
    #[arg(long, value_name = "N")]
    pub(crate) max_queued: Option<String>,
    /// Submissions a second
    #[arg(long, value_name = "PER_SECOND")]
    pub(crate) rate: Option<String>,
    /// Submissions at once after a pause; a second's if not set
    #[arg(long, value_name = "N")]
    pub(crate) burst: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TenantsUsageArgs {
    /// Which; all if absent
    pub(crate) tenants: Vec<String>,
    /// How many days, today included
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=400))]
    pub(crate) days: u16,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to do with environments.
#[derive(Debug, Subcommand)]
pub(crate) enum EnvCommand {
    /// Install packages, in isolation, into an environment that jobs pick with "profile": "LANGUAGE:NAME"
    Build(EnvBuildArgs),
    /// List the environments that are here
    List(EnvListArgs),
    /// Print what is in one
    Show(EnvNameArgs),
    /// Remove one
    Remove(EnvNameArgs),
}

#[derive(Debug, Args)]
pub(crate) struct EnvBuildArgs {
    /// What to call it: a-z, 0-9, '.', '_' and '-'; one that has the name already is replaced
    pub(crate) name: String,
    /// The language whose packages they are
    #[arg(long, short)]
    pub(crate) language: String,
    /// The file that names the packages; what the language calls it (requirements.txt, package.json) if absent
    #[arg(long, visible_alias = "requirements", value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// Print what was made as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) isolation: IsolationArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EnvListArgs {
    /// Print them as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EnvNameArgs {
    /// Which one: LANGUAGE:NAME
    pub(crate) environment: String,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) isolation: IsolationArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SchemasArgs {
    /// The folder to write to
    #[arg(long, default_value = "schemas/json")]
    pub(crate) out: PathBuf,
}

/// Reads this process's command line; usage errors end it with exit code 2.
pub(crate) fn parse() -> Command {
    Command::parse()
}
