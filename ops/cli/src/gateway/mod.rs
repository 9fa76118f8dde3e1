//! `glovebox gateway`: HTTP, before a fleet or before slots of its own.
//!
//! What it is given to read (keys, certificates, its port) it takes before it gives up power. It must never listen
//! beyond this host without asking for keys.

mod args;
mod embedded;
mod table;

use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use glovebox_gateway::{
    App, Backend, Config, DifyConfig, Keys, Listen, Queue, acceptor, new_key, serve,
};
use glovebox_schemas::names::{is_environment, is_lane, is_tenant};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

pub(crate) use self::args::GatewayArgs;
use self::args::{GatewayCommand, KeyCommand, NewKeyArgs, ServeArgs};
use crate::queue::{client, trust_authorities};
use crate::report::{HOST, USAGE, fail, note, print};

/// Runs the command.
pub(crate) fn run(args: GatewayArgs) -> ExitCode {
    match args.command {
        Some(GatewayCommand::Key(KeyCommand::New(args))) => key(&args),
        None => start(&args.serve).unwrap_or_else(|code| code),
    }
}

/// The key goes to the terminal and the lines into the file: `… key new --tenant T >> keys.toml`.
fn key(args: &NewKeyArgs) -> ExitCode {
    if !is_tenant(&args.tenant) {
        note("--tenant is 1 to 64 letters, digits, '.', '_' and '-'");
        return ExitCode::from(USAGE);
    }
    let name = args.name.as_ref().unwrap_or(&args.tenant);
    match new_key(name, &args.tenant) {
        Ok((key, lines)) => {
            note(&format!("the key, which is shown this once: {key}"));
            print(lines.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => fail(HOST, &error, ""),
    }
}

/// What is read before power is given up.
struct Prepared {
    listener: TcpListener,
    listen: Listen,
    config: Config,
}

fn start(args: &ServeArgs) -> Result<ExitCode, ExitCode> {
    let prepared = prepare(args)?;
    if args.embedded {
        return embedded::start(args, prepared);
    }
    trust_authorities()?;
    raise_open_files()?;
    let runtime = runtime()?;
    Ok(runtime.block_on(answer(prepared, Arc::new(Queue::new(client())))))
}

fn prepare(args: &ServeArgs) -> Result<Prepared, ExitCode> {
    let keys = keys(args)?;
    if keys.is_empty() && !args.listen.ip().is_loopback() {
        note(&format!(
            "--listen {}: without keys this listens on loopback only\n  mend: give a file of keys with --keys (`glovebox gateway key new`), or one key in GLOVEBOX_API_KEY",
            args.listen
        ));
        return Err(ExitCode::from(USAGE));
    }
    if !is_lane(&args.dify_lane) || !is_environment(&args.dify_environment) {
        note(
            "--dify-lane or --dify-environment is no such name: small letters, digits and hyphens",
        );
        return Err(ExitCode::from(USAGE));
    }
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificates), Some(key)) => {
            let acceptor = acceptor(certificates, key);
            let mend = "give PEM files that this user may read, made for each other";
            Some(acceptor.map_err(|error| fail(USAGE, &error, mend))?)
        }
        _ => None,
    };
    let bound = TcpListener::bind(args.listen).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok((listener.local_addr()?, listener))
    });
    let (address, listener) = bound.map_err(|error| {
        let mend = "give another --listen, or end what listens there";
        fail(
            HOST,
            &std::io::Error::new(
                error.kind(),
                format!("listening on {}: {error}", args.listen),
            ),
            mend,
        )
    })?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    print(format!("listening on {scheme}://{address}\n").as_bytes());
    Ok(Prepared {
        listener,
        listen: Listen {
            tls,
            ..Listen::default()
        },
        config: Config {
            keys,
            max_waiters: args.max_waiters,
            dify: DifyConfig {
                environment: args.dify_environment.clone(),
                network: !args.dify_no_network,
                timeout: args.dify_timeout.map(Duration::from_secs),
                lane: args.dify_lane.clone(),
                ..DifyConfig::default()
            },
            ..Config::default()
        },
    })
}

fn keys(args: &ServeArgs) -> Result<Keys, ExitCode> {
    let from_file = match &args.keys {
        None => Keys::default(),
        Some(file) => {
            let mend = "write it with `glovebox gateway key new --tenant T >> FILE`";
            Keys::from_file(file).map_err(|error| fail(USAGE, &error, mend))?
        }
    };
    let single = std::env::var("GLOVEBOX_API_KEY").unwrap_or_default();
    Ok(match single.is_empty() {
        true => from_file,
        false => from_file.and(Keys::single(&single)),
    })
}

/// Each client takes a descriptor, and the usual limit is 1,024. With --embedded it has been raised already.
fn raise_open_files() -> Result<(), ExitCode> {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    raised.map_err(|error| fail(HOST, &error, "raise the limit of open files (ulimit -n)"))
}

fn runtime() -> Result<Runtime, ExitCode> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| fail(HOST, &error, "free processes or memory on the host"))
}

/// Answers until SIGTERM or SIGINT.
async fn answer(prepared: Prepared, backend: Arc<dyn Backend>) -> ExitCode {
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        note("signals can't be listened to");
        return ExitCode::from(HOST);
    };
    let stop = async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    };
    let listener = match tokio::net::TcpListener::from_std(prepared.listener) {
        Ok(listener) => listener,
        Err(error) => return fail(HOST, &error, ""),
    };
    let app = App::new(backend, prepared.config);
    match serve(listener, prepared.listen, app, stop).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(HOST, &error, ""),
    }
}
