//! This runner's sign of life in Redis, which is also its lease: with a time to live, so that a lost runner shows by
//! itself; and the look, with each beat, for jobs that their owners have cancelled or other runners taken over.
//!
//! Must never beat for a runner whose jobs are not looked after: it is the same runtime that runs them.

use std::sync::Arc;

use glovebox_cell::LayerState;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::lease::RENEW_EVERY;
use crate::message::intake::Phase;
use crate::pipeline::Pipeline;
use crate::process::Process;
use crate::result::RedisStore;
use crate::spool::Spool;
use crate::valve::{Reason, Valve};

/// How often it is looked whether what runs is still ours.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(200);

/// What the beat tells about.
pub(crate) struct Heartbeat {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) store: RedisStore,
    pub(crate) spool: Spool,
    pub(crate) valve: Valve,
    pub(crate) phase: watch::Receiver<Phase>,
}

impl Heartbeat {
    /// Beats until everything is settled, then takes the sign away: a runner that drains is still there.
    pub(crate) async fn beat(self, drained: CancellationToken) {
        let fixed = self.fixed();
        let mut ticks = tokio::time::interval(RENEW_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = drained.cancelled() => break,
            }
            let mut fields = fixed.clone();
            fields.extend(self.changing());
            let ids = self.pipeline.cancellations.ids();
            // A beat that fails is logged where it is noted that Redis is away; the next follows.
            let Ok(cancelled) = self.store.beat(&fields, &ids).await else {
                continue;
            };
            for id in cancelled {
                self.pipeline.cancellations.cancel(&id);
            }
            // The lease may have been over for a while without our clock telling: it stands still in a host that does.
            let running = self.pipeline.cancellations.written();
            for id in self.store.taken_over(running).await {
                self.pipeline.cancellations.lose(&id);
            }
        }
        if let Err(error) = self.store.forget().await {
            tracing::debug!(%error, "the heartbeat is left to expire");
        }
    }

    fn fixed(&self) -> Vec<(&'static str, String)> {
        let layers = self.pipeline.cells.layers().iter();
        let layers: Vec<String> = layers
            .filter(|layer| layer.state != LayerState::Missing)
            .map(|layer| layer.name.clone())
            .collect();
        let process = Process::own();
        let offered = self.pipeline.languages.offered();
        let languages = serde_json::to_string(&offered).unwrap_or_default();
        vec![
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("instance", self.store.instance().to_owned()),
            ("host", process.host),
            ("pid", process.pid.to_string()),
            ("layers", layers.join(",")),
            ("languages", languages),
        ]
    }

    fn changing(&self) -> [(&'static str, String); 8] {
        let (slots, busy) = self.pipeline.cells.load();
        let (state, reason) = self.state();
        let (warm, cold) = self.pipeline.cells.warmth();
        [
            ("slots", slots.to_string()),
            ("busy", busy.to_string()),
            ("warm", warm.to_string()),
            ("cold", cold.to_string()),
            ("spooled", self.spool.len().to_string()),
            ("state", state.to_owned()),
            ("reason", reason.to_owned()),
            ("seen_at", jiff::Timestamp::now().to_string()),
        ]
    }

    /// Alive is only what is `consuming`, `draining`, or says why it is not.
    fn state(&self) -> (&'static str, &'static str) {
        match (*self.phase.borrow(), self.valve.reason()) {
            (Phase::Draining, _) => ("draining", ""),
            (_, Some(Reason::SpoolFull)) => ("paused", "the spool is full"),
            (_, Some(Reason::Unhealthy)) => ("unhealthy", "a cell could not be built"),
            (Phase::Consuming, None) => ("consuming", ""),
            (Phase::Connecting | Phase::Paused, None) => ("connecting", ""),
        }
    }
}

/// Ends what is not surely ours any more, for as long as the runner lives.
pub(crate) async fn watch_over(pipeline: Arc<Pipeline>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        pipeline.cancellations.end_lost();
    }
}
