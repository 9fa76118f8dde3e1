//! How soon a job is over once its owner cancels it: RabbitMQ, Redis, a runner and a client, as in a fleet.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use glovebox_schemas::job::Job;
use glovebox_schemas::result::Status;
use glovebox_tests::Fleet;
use glovebox_tests::fleet::{PATIENCE, python};
use serde::Serialize;

use crate::statistics::Summary;
use crate::way::Way;
use crate::whole::Whole;

/// A waiter listens by then.
const LISTENING: Duration = Duration::from_millis(50);

/// From the owner's wish to the result, of a job that waits and of one that runs.
#[derive(Debug, Serialize)]
pub(crate) struct Cancel {
    pub(crate) queued: Option<Summary>,
    pub(crate) running: Option<Summary>,
}

/// Nobody consumes from it.
const NOBODYS_LANE: &str = "nobody";

/// Measures queued jobs, then running ones.
pub(crate) async fn measure(whole: &Whole, turns: usize) -> anyhow::Result<Cancel> {
    let fleet = &whole.fleet;
    glovebox_broker::declare(&fleet.channel, &[NOBODYS_LANE]).await?;
    let (mut queued, mut running) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        queued.push(cancel_queued(fleet).await?);
        running.push(cancel_running(fleet).await?);
    }
    Ok(Cancel {
        queued: Summary::of(queued),
        running: Summary::of(running),
    })
}

/// Until the result is there.
async fn cancel_queued(fleet: &Fleet) -> anyhow::Result<Duration> {
    let job = Job {
        lane: NOBODYS_LANE.to_owned(),
        ..python("")
    };
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
        lane: Way::QueueWarm.name().to_owned(),
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
