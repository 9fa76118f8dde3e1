//! This runner's sign of life in Redis, with a time to live: a lost runner disappears by itself.

use std::sync::Arc;
use std::time::Duration;

use glovebox_cell::LayerState;
use glovebox_schemas::names::runner_key;
use tokio_util::sync::CancellationToken;

use crate::pipeline::Pipeline;
use crate::result::Store;

const EVERY: Duration = Duration::from_secs(3);
/// Two beats may be lost before a runner counts as lost.
const TTL: Duration = Duration::from_secs(9);

/// Beats until everything is settled, then takes the sign away: a runner that drains is still there.
pub(crate) async fn beat(pipeline: Arc<Pipeline>, drained: CancellationToken) {
    let Store::Redis(store) = &pipeline.store else {
        return;
    };
    let key = runner_key(&pipeline.runner);
    let layers: Vec<String> = pipeline
        .cells
        .layers()
        .iter()
        .filter(|layer| layer.state != LayerState::Missing)
        .map(|layer| layer.name.clone())
        .collect();
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = drained.cancelled() => break,
        }
        let (slots, busy) = pipeline.cells.load();
        let fields = [
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("slots", slots.to_string()),
            ("busy", busy.to_string()),
            ("layers", layers.join(",")),
            ("seen_at", jiff::Timestamp::now().to_string()),
        ];
        if let Err(error) = store.heartbeat(&key, &fields, TTL).await {
            tracing::debug!(%error, "a heartbeat was lost");
        }
    }
    if let Err(error) = store.forget(&key).await {
        tracing::debug!(%error, "the heartbeat is left to expire");
    }
}
