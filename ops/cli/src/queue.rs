//! `glovebox submit`, `wait`, `result` and `cancel`: asynchronous use, through RabbitMQ and Redis.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use glovebox_broker::{trust, uses_tls};
use glovebox_scheduler::{Cancelled, Client, ClientError, Phase, SubmitError, Submitted};
use glovebox_schemas::job::JobId;
use glovebox_schemas::result::{JobResult, Status};

use crate::args::{IdArgs, SubmitArgs, WaitArgs};
use crate::report::{HOST, NOT_SUCCEEDED, SERVICE, USAGE, fail, note, print};
use crate::state::words;
use crate::{isolation, program};

/// Where RabbitMQ is. Only from the environment: it may hold a password.
pub(crate) fn amqp_url() -> String {
    std::env::var("GLOVEBOX_AMQP_URL")
        .unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".to_owned())
}

/// Where Redis is. Only from the environment: it may hold a password.
pub(crate) fn redis_url() -> String {
    std::env::var("GLOVEBOX_REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379/0".to_owned())
}

/// Reads which certificate authorities to trust, while there is the power to read them: a runner gives it up.
pub(crate) fn trust_authorities() -> Result<(), ExitCode> {
    let file = std::env::var_os("GLOVEBOX_TLS_CA").filter(|file| !file.is_empty());
    if file.is_none() && ![amqp_url(), redis_url()].iter().any(|url| uses_tls(url)) {
        return Ok(());
    }
    trust(file.as_deref().map(Path::new)).map_err(|error| fail(SERVICE, &error, &error.hint()))
}

/// Hands a job over and prints its id.
pub(crate) fn submit(args: SubmitArgs) -> ExitCode {
    let catalog = match isolation::catalog() {
        Ok(catalog) => catalog,
        Err(code) => return code,
    };
    let mut job = match program::job(&args.program, &catalog) {
        Ok(job) => job,
        Err(error) => return fail(USAGE, &error, &error.mend()),
    };
    if let Some(lane) = args.lane {
        job.lane = lane;
    }
    if let Some(tenant) = args.tenant {
        job.tenant = tenant;
    }
    block_on(async {
        match client().submit(&job).await {
            Ok(submitted) => {
                match submitted {
                    Submitted::Queued => {}
                    Submitted::QueuedAgain => note("this id was sent before; it is run once"),
                    Submitted::AlreadyDone => note("this id is done already; it is not run again"),
                }
                print(format!("{}\n", job.id).as_bytes());
                ExitCode::SUCCESS
            }
            Err(error @ SubmitError::Rejected(_)) => fail(USAGE, &error, &error.hint()),
            Err(error) => fail(SERVICE, &error, &error.hint()),
        }
    })
}

/// Waits for a result and prints it.
pub(crate) fn wait(args: WaitArgs) -> ExitCode {
    block_on(async {
        let client = client();
        let limit = Duration::from_secs(args.timeout);
        match client.wait(&args.id, limit).await {
            Ok(Some(result)) => conclude(&result),
            Ok(None) => {
                let what = format!("no result of {} within {} s", args.id, args.timeout);
                without_result(&client, &args.id, &what).await
            }
            Err(error) => client_failed(&error),
        }
    })
}

/// Prints a result if it is there.
pub(crate) fn result(args: IdArgs) -> ExitCode {
    block_on(async {
        let client = client();
        match client.result(&args.id).await {
            Ok(Some(result)) => conclude(&result),
            Ok(None) => {
                without_result(&client, &args.id, &format!("no result of {}", args.id)).await
            }
            Err(error) => client_failed(&error),
        }
    })
}

/// Cancels a job, wherever it is.
pub(crate) fn cancel(args: IdArgs) -> ExitCode {
    block_on(async {
        match client().cancel(&args.id).await {
            Ok(Cancelled { was, untold }) => {
                if let Some(error) = untold {
                    note(&format!(
                        "the runners could not be told, and find out within a second or so: {error}"
                    ));
                }
                let line = match was.map(|was| was.phase) {
                    Some(Phase::Done) => "not cancelled; it was done\n".to_owned(),
                    Some(phase) => format!("cancelled; it was {phase}\n"),
                    None => "cancelled; it was unknown\n".to_owned(),
                };
                print(line.as_bytes());
                ExitCode::SUCCESS
            }
            Err(error) => client_failed(&error),
        }
    })
}

/// A client of the servers that the environment names.
pub(crate) fn client() -> Client {
    Client::new(amqp_url(), redis_url())
}

/// Says of a job without a result how far it is.
async fn without_result(client: &Client, id: &JobId, what: &str) -> ExitCode {
    match client.state(id).await {
        Ok(state) => {
            note(&format!("{what}: {}", words(state.as_ref())));
            ExitCode::from(NOT_SUCCEEDED)
        }
        Err(error) => client_failed(&error),
    }
}

fn conclude(result: &JobResult) -> ExitCode {
    let mut document = result.to_json();
    document.push(b'\n');
    print(&document);
    match result.status {
        Status::Succeeded => ExitCode::SUCCESS,
        _ => ExitCode::from(NOT_SUCCEEDED),
    }
}

/// Says why a question or an order failed; gives the exit code.
pub(crate) fn client_failed(error: &ClientError) -> ExitCode {
    let code = match error {
        // The services are well; it is the job that will not have a result.
        ClientError::ResultExpired { .. } => NOT_SUCCEEDED,
        _ => SERVICE,
    };
    fail(code, error, &error.hint())
}

/// Runs a command that speaks to servers.
pub(crate) fn block_on(future: impl Future<Output = ExitCode>) -> ExitCode {
    if let Err(code) = trust_authorities() {
        return code;
    }
    match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => fail(HOST, &error, ""),
    }
}
