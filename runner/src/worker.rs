//! The runner as a process: connects, consumes, drains, stops.
//!
//! Must never start a job after it was told to stop, and never exit with one unsettled.

use std::sync::Arc;
use std::time::Duration;

use glovebox_broker::{BrokerError, connect_redis};
use glovebox_cell::Link;
use glovebox_schemas::control::{Cancel, Serve};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Languages;
use crate::cancel::Cancellations;
use crate::health::Health;
use crate::heartbeat::{self, Heartbeat};
use crate::launch::{Cells, LaunchError};
use crate::lease::{Lease, RENEW_EVERY, TTL};
use crate::message::intake::{Intake, Phase, Sink};
use crate::message::{Callbacks, DeadLetters, Delivery, Parking};
use crate::order::Lane;
use crate::pipeline::Pipeline;
use crate::result::{Durability, RedisStore, Store};
use crate::routes::Routes;
use crate::spool::{Spool, SpoolConfig};
use crate::stage::Watch;
use crate::valve::Valve;

/// How long giving back may take.
const GIVE_BACK_WITHIN: Duration = Duration::from_secs(5);

/// How a runner is run.
#[derive(Clone, Debug)]
pub struct RunnerConfig {
    /// Shown in results, heartbeats and RabbitMQ.
    pub name: String,
    /// Cells at one time, and messages taken at one time from each queue.
    pub slots: u16,
    /// The lanes to consume.
    pub lanes: Vec<Lane>,
    /// RabbitMQ.
    pub amqp_url: String,
    /// Redis.
    pub redis_url: String,
    /// How long running jobs may go on after the first signal to stop.
    pub drain: Duration,
    /// Where results wait while Redis is away.
    pub spool: SpoolConfig,
    /// When a result counts as stored.
    pub durability: Durability,
    /// Told of each stage of each delivery.
    pub watch: Watch,
}

/// How a runner stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// All that it had taken is done or given back.
    Settled,
    /// So many jobs were left: the broker delivers them again by itself.
    Left(usize),
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
    /// Another runner has this name, and lives.
    #[error("another runner is called {0}")]
    Namesake(String),
    /// The folder in which results wait can't be used.
    #[error("reading the spool")]
    Spool(#[source] std::io::Error),
    /// The runtime itself.
    #[error("starting the runner's runtime")]
    Runtime(#[source] std::io::Error),
}

/// Runs until SIGTERM or SIGINT, then drains. A second signal ends the wait.
///
/// # Errors
/// When it can't start; later failures are retried for as long as the runner lives.
pub fn run(link: Link, languages: Languages, config: RunnerConfig) -> Result<Stopped, RunnerError> {
    end_with_a_panic();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(RunnerError::Runtime)?
        .block_on(work(link, languages, config))
}

/// A task that panicked would leave its delivery unsettled, or the heartbeat silent, for as long as the runner lives.
/// When it dies instead, its jobs are begun by others, and one that was the reason is found out by its attempts.
fn end_with_a_panic() {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        say(panic);
        std::process::abort();
    }));
}

async fn work(
    link: Link,
    languages: Languages,
    config: RunnerConfig,
) -> Result<Stopped, RunnerError> {
    let cells = Cells::open(link, config.slots, &config.lanes, config.watch).await?;
    let lease = Arc::new(Lease::new(uuid::Uuid::now_v7().to_string()));
    let store = RedisStore::new(
        connect_redis(&config.redis_url).await?,
        config.name.clone(),
        Arc::clone(&lease),
        config.durability,
    );
    wait_for_the_name(&store, &config.name).await?;
    let valve = Valve::new();
    let spool = Spool::open(config.spool.clone(), valve.clone()).map_err(RunnerError::Spool)?;
    let pipeline = Arc::new(Pipeline {
        runner: config.name.clone(),
        languages,
        cells,
        store: Store::Redis(store.clone(), spool.clone()),
        cancellations: Cancellations::under(Arc::clone(&lease)),
        health: Health::new(valve.clone()),
        parking: Parking::new(),
        callbacks: Some(Callbacks::open(config.amqp_url.clone(), &config.name)),
        quarantine: Semaphore::new(1),
        watch: config.watch,
    });
    let lanes = config.lanes.into_iter().map(|lane| lane.name);
    let routes = Routes::new(lanes.collect());
    let (stop, drained) = (CancellationToken::new(), CancellationToken::new());
    let phase = Arc::new(watch::Sender::new(Phase::Connecting));
    let tasks = TaskTracker::new();
    let intake = Intake {
        dead: Arc::new(DeadLetters::new(config.amqp_url.clone(), &config.name)),
        url: config.amqp_url,
        name: config.name,
        routes: routes.clone(),
        prefetch: config.slots,
        stop: stop.clone(),
        drained: drained.clone(),
        valve: valve.clone(),
        parking: pipeline.parking.clone(),
        lease,
        phase: Arc::clone(&phase),
    };
    let heartbeat = Heartbeat {
        pipeline: Arc::clone(&pipeline),
        store: store.clone(),
        spool: spool.clone(),
        valve,
        phase: phase.subscribe(),
    };
    let mut signals = Signals::new().map_err(RunnerError::Runtime)?;
    let beating = tokio::spawn(heartbeat.beat(drained.clone()));
    tokio::spawn(heartbeat::watch_over(Arc::clone(&pipeline)));
    tokio::spawn(spool.clone().deliver(store.clone()));
    tokio::spawn(routes.clone().look(store));
    let sink = Arc::new(Handing {
        pipeline: Arc::clone(&pipeline),
        tasks: tasks.clone(),
        routes,
    });
    let consuming = tokio::spawn(async move { intake.run(sink).await });
    let alive = Arc::clone(&pipeline);
    tokio::spawn(async move { alive.cells.stay_alive().await });

    let stopping = stop_in_order(&pipeline, &spool, &tasks, &mut signals, config.drain, &stop);
    tokio::pin!(consuming);
    let stopped = tokio::select! {
        // Only a failure of the very first connection ends it early.
        ended = &mut consuming => {
            drained.cancel();
            ended.unwrap_or(Ok(())).map(|()| Stopped::Settled)
        }
        stopped = stopping => {
            drained.cancel();
            if let Ok(Err(error)) = consuming.await {
                tracing::warn!(%error, "stopped without a connection");
            }
            Ok(stopped)
        }
    };
    // One that never began takes its sign of life away as well: it is not lost.
    if tokio::time::timeout(GIVE_BACK_WITHIN, beating)
        .await
        .is_err()
    {
        tracing::warn!("the heartbeat is left to expire");
    }
    let stopped = stopped?;
    let (warm, cold) = pipeline.cells.warmth();
    tracing::info!(warm, cold, "stopped");
    Ok(stopped)
}

/// A runner that was killed a moment ago may still have the name; one that lives keeps it.
async fn wait_for_the_name(store: &RedisStore, name: &str) -> Result<(), RunnerError> {
    let wait = async {
        loop {
            // If Redis fails now, the heartbeat will say so; nothing is begun without it.
            if !store.namesake().await.unwrap_or(false) {
                return;
            }
            tokio::time::sleep(RENEW_EVERY).await;
        }
    };
    tokio::time::timeout(TTL + RENEW_EVERY * 2, wait)
        .await
        .map_err(|_| RunnerError::Namesake(name.to_owned()))
}

/// Waits for the first signal, then for the end of what was taken; a second signal, or the deadline, ends that wait.
async fn stop_in_order(
    pipeline: &Pipeline,
    spool: &Spool,
    tasks: &TaskTracker,
    signals: &mut Signals,
    drain: Duration,
    stop: &CancellationToken,
) -> Stopped {
    signals.next().await;
    tracing::info!(drain_s = drain.as_secs(), "stopping: nothing new is taken");
    stop.cancel();
    pipeline.cancellations.stop();
    tasks.close();
    tokio::select! {
        () = tasks.wait() => {}
        () = tokio::time::sleep(drain) => tracing::warn!("the drain's time is over"),
        () = signals.next() => tracing::warn!("the second signal: not waiting any longer"),
    }
    pipeline.cancellations.interrupt_all();
    // What waits for a store that is away is not waited for: nothing of it is acknowledged, and it
    // comes again when the connection closes.
    let waited = tokio::time::timeout(GIVE_BACK_WITHIN, tasks.wait()).await;
    let stopped = waited.map_or_else(|_| Stopped::Left(tasks.len()), |()| Stopped::Settled);
    spool.leave().await;
    stopped
}

/// Hands deliveries to the pipeline, each as a task of its own.
struct Handing {
    pipeline: Arc<Pipeline>,
    tasks: TaskTracker,
    routes: Routes,
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

    fn serve(&self, serve: Serve) {
        self.routes.announce(&serve);
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
