//! The runner as a process: connects, consumes, drains, stops.
//!
//! Must never start a job after it was told to stop, and never exit with one unsettled.

use std::sync::Arc;
use std::time::Duration;

use glovebox_broker::{BrokerError, connect_redis};
use glovebox_cell::Link;
use glovebox_schemas::control::Cancel;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cancel::Cancellations;
use crate::launch::{Cells, LaunchError};
use crate::message::Delivery;
use crate::message::amqp::{Intake, Sink};
use crate::pipeline::Pipeline;
use crate::result::{RedisStore, Store};
use crate::stage::Watch;
use crate::{Languages, heartbeat};

/// How long giving back may take.
const GIVE_BACK_WITHIN: Duration = Duration::from_secs(5);

/// How a runner is run.
#[derive(Clone, Debug)]
pub struct RunnerConfig {
    /// Shown in results, heartbeats and RabbitMQ.
    pub name: String,
    /// Cells at one time, and messages taken at one time from each lane.
    pub slots: u16,
    /// The lanes to consume.
    pub lanes: Vec<String>,
    /// RabbitMQ.
    pub amqp_url: String,
    /// Redis.
    pub redis_url: String,
    /// How long running jobs may go on after the first signal to stop.
    pub drain: Duration,
    /// Told of each stage of each delivery.
    pub watch: Watch,
}

/// Why a runner did not start.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// This host can't isolate.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// A service is out of reach.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The runtime itself.
    #[error("starting the runner's runtime")]
    Runtime(#[source] std::io::Error),
}

/// Runs until SIGTERM or SIGINT, then drains. A second signal ends the wait.
///
/// # Errors
/// When it can't start; later failures are retried for as long as the runner lives.
pub fn run(link: Link, languages: Languages, config: RunnerConfig) -> Result<(), RunnerError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(RunnerError::Runtime)?
        .block_on(work(link, languages, config))
}

async fn work(link: Link, languages: Languages, config: RunnerConfig) -> Result<(), RunnerError> {
    let cells = Cells::open(link, config.slots, config.watch).await?;
    let store = Store::Redis(RedisStore::new(connect_redis(&config.redis_url).await?));
    let mut signals = Signals::new().map_err(RunnerError::Runtime)?;
    let pipeline = Arc::new(Pipeline {
        runner: config.name.clone(),
        languages,
        cells,
        store,
        cancellations: Cancellations::default(),
        watch: config.watch,
    });
    let (stop, drained) = (CancellationToken::new(), CancellationToken::new());
    let intake = Intake {
        url: config.amqp_url,
        name: config.name,
        lanes: config.lanes,
        prefetch: config.slots,
        stop: stop.clone(),
        drained: drained.clone(),
    };
    let tasks = TaskTracker::new();
    let sink = Arc::new(Handing {
        pipeline: Arc::clone(&pipeline),
        tasks: tasks.clone(),
    });
    let beating = tokio::spawn(heartbeat::beat(Arc::clone(&pipeline), drained.clone()));
    let consuming = tokio::spawn(async move { intake.run(sink).await });

    let stopping = async {
        signals.next().await;
        tracing::info!(
            drain_s = config.drain.as_secs(),
            "stopping: nothing new is taken"
        );
        stop.cancel();
        pipeline.cancellations.stop();
        tasks.close();
        tokio::select! {
            () = tasks.wait() => {}
            () = tokio::time::sleep(config.drain) => tracing::warn!("the drain's time is over"),
            () = signals.next() => tracing::warn!("the second signal: not waiting any longer"),
        }
        pipeline.cancellations.interrupt_all();
        // What waits for a store that is away is not waited for: nothing of it is acknowledged, and it
        // comes again when the connection closes.
        if tokio::time::timeout(GIVE_BACK_WITHIN, tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(jobs = tasks.len(), "left to be delivered again");
        }
        drained.cancel();
    };
    tokio::pin!(stopping);
    tokio::pin!(consuming);
    tokio::select! {
        // Only the very first connection can end it early.
        ended = &mut consuming => ended.unwrap_or(Ok(()))?,
        () = &mut stopping => {
            if let Ok(Err(error)) = consuming.await {
                tracing::warn!(%error, "stopped without a connection");
            }
        }
    }
    if tokio::time::timeout(GIVE_BACK_WITHIN, beating)
        .await
        .is_err()
    {
        tracing::warn!("the heartbeat is left to expire");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Hands deliveries to the pipeline, each as a task of its own.
struct Handing {
    pipeline: Arc<Pipeline>,
    tasks: TaskTracker,
}

impl Sink for Handing {
    fn take(&self, delivery: Delivery) {
        self.tasks
            .spawn(Arc::clone(&self.pipeline).handle(delivery));
    }

    fn cancel(&self, cancel: Cancel) {
        if self.pipeline.cancellations.cancel(&cancel.id) {
            tracing::info!(job = %cancel.id, "cancelled by its owner");
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
