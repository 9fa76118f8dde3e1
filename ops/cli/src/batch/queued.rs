//! A batch through RabbitMQ and Redis.
//!
//! Must never leave jobs in the queue whose results nobody can ask for: what can't be resumed is cancelled.

use std::process::ExitCode;
use std::sync::Arc;

use glovebox_scheduler::SubmitError;
use glovebox_scheduler::batch::{Batch, BatchError, Results, read_ahead};
use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::progress::several;
use super::{Input, Report};
use crate::args::BatchArgs;
use crate::queue;
use crate::report::{HOST, SERVICE, USAGE, fail, note};

pub(super) fn run(
    args: &BatchArgs,
    lines: Input,
    mut results: Results,
    report: Report,
) -> ExitCode {
    queue::block_on(async {
        let lines = match read_ahead(lines) {
            Ok(lines) => lines,
            Err(error) => return fail(HOST, &error, "free processes or memory on the host"),
        };
        let notes = report.progress.notes();
        let batch = Batch::new(Arc::new(queue::client()), args.concurrency, notes);
        let stop = CancellationToken::new();
        let stopped = tokio::spawn(stop_on_signal(stop.clone()));
        let watch = |results: &Results| report.progress.show(results);
        let outcome = batch.run(lines, &mut results, &stop, watch).await;
        let can_be_resumed = results.can_be_resumed();
        let is_complete = matches!(outcome, Ok(true));
        let code = report.conclude(results, is_complete);
        if !is_complete {
            settle(&batch, can_be_resumed).await;
            report.say_resume();
        }
        match outcome {
            Ok(true) => ExitCode::from(code),
            Ok(false) => ExitCode::from(stopped.await.unwrap_or(1)),
            Err(error) => fail(exit_code(&error), &error, &error.hint()),
        }
    })
}

/// Says what becomes of the jobs in flight, and sees to it.
async fn settle(batch: &Batch, can_be_resumed: bool) {
    let jobs = match batch.in_flight() {
        0 => return,
        jobs => several(jobs as u64, "job"),
    };
    if can_be_resumed {
        note(&format!(
            "{jobs} in flight: left in the queue, for whoever resumes the batch"
        ));
        return;
    }
    match batch.cancel().await {
        Ok(()) => note(&format!("{jobs} in flight: cancelled")),
        Err(error) => note(&format!(
            "{jobs} in flight: not all were cancelled: {error}"
        )),
    }
}

/// The first signal stops in order; the second ends this process. Gives the exit code.
async fn stop_on_signal(stop: CancellationToken) -> u8 {
    let codes = [
        (SignalKind::interrupt(), 128 + Signal::SIGINT as u8),
        (SignalKind::terminate(), 128 + Signal::SIGTERM as u8),
    ];
    let waits = codes.map(|(kind, code)| {
        let stop = stop.clone();
        Box::pin(async move {
            // Without a handler the signal ends this process as ever.
            let Ok(mut signals) = signal(kind) else {
                return std::future::pending().await;
            };
            signals.recv().await;
            stop.cancel();
            tokio::spawn(async move {
                signals.recv().await;
                std::process::exit(i32::from(code));
            });
            code
        })
    });
    let [interrupt, terminate] = waits;
    tokio::select! {
        code = interrupt => code,
        code = terminate => code,
    }
}

fn exit_code(error: &BatchError) -> u8 {
    match error {
        BatchError::Submit {
            source: SubmitError::Rejected(_),
            ..
        } => USAGE,
        BatchError::Submit { .. } | BatchError::Client(_) => SERVICE,
        BatchError::Read(_) | BatchError::Write(_) => HOST,
    }
}
