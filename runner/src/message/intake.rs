//! Consuming from RabbitMQ: plain connections, and a supervisor of our own that makes the next one.
//!
//! lapin's auto-recovery is not used: it can leave a consumer that is silent for ever. Here a stream
//! that ends or fails is followed by a new connection with backoff, for as long as the runner lives.
//! Must never let a runner be alive and silently idle.

use std::sync::Arc;

use glovebox_broker::{BrokerError, Retry};
use glovebox_schemas::control::{Cancel, Serve};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::session::Session;
use super::{DeadLetters, Delivery, Parking};
use crate::lease::Lease;
use crate::routes::Routes;
use crate::valve::Valve;

/// What to consume and whom to tell.
pub(crate) struct Intake {
    pub(crate) url: String,
    pub(crate) name: String,
    pub(crate) routes: Routes,
    /// Deliveries at one time from each queue: the number of slots.
    pub(crate) prefetch: u16,
    /// Take nothing new from here on.
    pub(crate) stop: CancellationToken,
    /// Everything that was taken is settled: the connection is not needed any more.
    pub(crate) drained: CancellationToken,
    /// Take nothing new while it is closed.
    pub(crate) valve: Valve,
    pub(crate) parking: Parking,
    pub(crate) lease: Arc<Lease>,
    pub(crate) dead: Arc<DeadLetters>,
    pub(crate) phase: Arc<watch::Sender<Phase>>,
}

/// What the intake is doing, for whoever looks after the runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// There is no connection, or no consumer on it yet.
    Connecting,
    /// Its consumers are registered.
    Consuming,
    /// Nothing new is taken for a reason of this runner's.
    Paused,
    /// The runner stops.
    Draining,
}

/// What the intake hands over.
pub(crate) trait Sink: Send + Sync + 'static {
    /// Takes a delivery; must not block.
    fn take(&self, delivery: Delivery);
    /// Somebody cancelled this job.
    fn cancel(&self, cancel: Cancel);
    /// There are jobs in this queue.
    fn serve(&self, serve: Serve);
}

impl Intake {
    /// Consumes until told to stop, and returns when everything is settled, with a connection or without; early only
    /// when the first one can't be had.
    pub(crate) async fn run(&self, sink: Arc<dyn Sink>) -> Result<(), BrokerError> {
        let mut retry = Retry::for_servers();
        // Nobody who stops waits for a server that does not answer.
        let connect = || self.stop.run_until_cancelled(Session::connect(self));
        let mut session = connect().await.transpose()?;
        while !self.stop.is_cancelled() {
            match session.take() {
                Some(current) => {
                    tracing::info!(lanes = ?self.routes.lanes(), "consuming");
                    retry.reset();
                    current.consume(self, &sink).await;
                    self.lease.session_lost();
                    self.is_now(Phase::Connecting);
                }
                None => match connect().await {
                    Some(Ok(next)) => session = Some(next),
                    Some(Err(error)) => self.pause(&error, &mut retry).await,
                    None => {}
                },
            }
        }
        // What still runs when there is no connection has a result all the same.
        self.is_now(Phase::Draining);
        self.drained.cancelled().await;
        Ok(())
    }

    async fn pause(&self, error: &BrokerError, retry: &mut Retry) {
        let delay = retry.next_delay();
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(%error, hint = error.hint(), delay_ms, "no connection");
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = self.stop.cancelled() => {}
        }
    }

    pub(super) fn is_now(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }
}
