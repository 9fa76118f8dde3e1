//! How soon a job is over once its owner cancels it: RabbitMQ, Redis, a runner and a client, as in a fleet.
//!
//! The servers are private ones, started for it.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use glovebox_schemas::job::Job;
use glovebox_schemas::result::Status;
use glovebox_tests::Fleet;
use glovebox_tests::fleet::{PATIENCE, python};

use crate::report::{Cancel, Summary};

/// A waiter listens by then.
const LISTENING: Duration = Duration::from_millis(50);

/// Measures queued jobs, then running ones.
pub(crate) fn measure(turns: usize) -> anyhow::Result<Cancel> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let fleet = Fleet::new().await?;
        let mut queued = Vec::new();
        for _ in 0..turns {
            queued.push(cancel_queued(&fleet).await?);
        }
        let mut runner = fleet.runner(1).await?;
        let mut running = Vec::new();
        for _ in 0..turns {
            running.push(cancel_running(&fleet).await?);
        }
        runner.stop().await?;
        Ok(Cancel {
            queued: Summary::of(queued),
            running: Summary::of(running),
        })
    })
}

/// Until the result is there.
async fn cancel_queued(fleet: &Fleet) -> anyhow::Result<Duration> {
    let job = python("");
    fleet.client.submit(&job).await?;
    let begun = Instant::now();
    fleet.client.cancel(&job.id).await?;
    let result = fleet.client.result(&job.id).await?;
    let took = begun.elapsed();
    ensure!(result.is_some(), "a cancelled job has no result");
    Ok(took)
}

/// Until whoever waits for the result has it; its processes are gone by then.
async fn cancel_running(fleet: &Fleet) -> anyhow::Result<Duration> {
    let job = Job {
        stream: true,
        ..python("print('ready')\nwhile True: pass")
    };
    fleet.client.submit(&job).await?;
    fleet.started(&job.id, 1).await?;
    let waiter = async {
        let result = fleet.client.wait(&job.id, PATIENCE).await?;
        let result = result.context("a cancelled job goes on")?;
        ensure!(result.status == Status::Cancelled, "{result:?}");
        Ok(Instant::now())
    };
    let owner = async {
        tokio::time::sleep(LISTENING).await;
        let begun = Instant::now();
        fleet.client.cancel(&job.id).await?;
        Ok(begun)
    };
    let (ended, begun) = tokio::try_join!(waiter, owner)?;
    Ok(ended - begun)
}
