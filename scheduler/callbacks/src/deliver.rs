//! What becomes of one order: delivered, waiting for its next attempt, or a dead letter.
//!
//! The ack is last: a deliverer that dies before it has the order delivered again, under the same id. Must never try
//! without a key: an unsigned callback teaches receivers to believe anybody.

use std::sync::atomic::{AtomicU64, Ordering};

use glovebox_broker::{Letter, Outbox};
use glovebox_schemas::callback::Order;
use glovebox_schemas::result::Attempt;
use jiff::Timestamp;
use lapin::message::Delivery;
use url::{Position, Url};

use crate::answer::Judgment;
use crate::keys::{Keys, signature};
use crate::letters::{History, dead, waiting};
use crate::places::Places;
use crate::post::Poster;
use crate::schedule::Schedule;

/// Everything that an order is handled with.
pub(crate) struct Deliverer {
    pub(crate) name: String,
    pub(crate) keys: Keys,
    pub(crate) schedule: Schedule,
    pub(crate) places: Places,
    pub(crate) poster: Poster,
    pub(crate) outbox: Outbox,
    pub(crate) counts: Counts,
}

/// What became of orders since the start.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) delivered: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) deferred: AtomicU64,
    pub(crate) dead: AtomicU64,
}

impl Deliverer {
    /// Handles one order to its end.
    pub(crate) async fn handle(&self, delivery: Delivery) {
        if let Some(letter) = self.deliver(&delivery).await {
            self.outbox.send(letter).await;
        }
        match delivery
            .acker
            .ack(lapin::options::BasicAckOptions::default())
            .await
        {
            Ok(true) => {}
            Ok(false) => tracing::warn!("the connection is gone: a callback will come again"),
            Err(error) => tracing::warn!(%error, "not acknowledged: a callback will come again"),
        }
    }

    /// What is to be published of it, if it is not delivered.
    async fn deliver(&self, delivery: &Delivery) -> Option<Letter> {
        let (body, mut history) = (&delivery.data, History::of(&delivery.properties));
        let order = match Order::parse(body) {
            Ok(order) => order,
            Err(rejection) => {
                let id = delivery.properties.message_id().as_ref();
                let id = id.map_or("", |id| id.as_str());
                tracing::error!(id, why = %rejection, "dead-lettered what is no callback");
                return Some(self.give_up(id, body, &history, "unreadable"));
            }
        };
        let (job, tenant) = (order.id.as_str(), order.tenant.as_str());
        let Ok(url) = Url::parse(&order.url) else {
            return Some(self.give_up(job, body, &history, "invalid_url"));
        };
        // All of it that may be shown: its path may be a secret.
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let keys = self.keys.of(tenant);
        if keys.is_empty() {
            tracing::error!(
                job,
                tenant,
                "this tenant has no key to sign callbacks with: dead-lettered"
            );
            return Some(self.give_up(job, body, &history, "no_key"));
        }
        let Some(place) = self.places.take(host, tenant) else {
            count(&self.counts.deferred);
            history.deferrals = history.deferrals.saturating_add(1);
            let wait = self.schedule.wait(history.deferrals, None);
            tracing::debug!(
                job,
                tenant,
                host,
                wait_ms = wait.ms,
                "too many callbacks at a time"
            );
            return Some(waiting(job, body, &history, wait));
        };
        let started_at = Timestamp::now();
        let signed = signature(keys, started_at.as_second(), order.body());
        let answer = self.poster.post(&order, &url, &signed).await;
        drop(place);
        let (attempt, ended) = (history.failures().saturating_add(1), answer.code());
        let judgment = answer.judge();
        if judgment == Judgment::Delivered {
            count(&self.counts.delivered);
            tracing::info!(job, tenant, host, attempt, "called back");
            return None;
        }
        count(&self.counts.failed);
        history.deferrals = 0;
        history.attempts.push(Attempt {
            attempt,
            runner: self.name.clone(),
            started_at,
            ended: ended.clone(),
        });
        match judgment {
            Judgment::Later(asked) if attempt < self.schedule.attempts => {
                let wait = self.schedule.wait(attempt, asked);
                tracing::warn!(
                    job,
                    tenant,
                    host,
                    attempt,
                    ended,
                    wait_ms = wait.ms,
                    "not called back yet"
                );
                Some(waiting(job, body, &history, wait))
            }
            _ => {
                tracing::error!(
                    job,
                    tenant,
                    host,
                    attempt,
                    ended,
                    "not called back: dead-lettered"
                );
                Some(self.give_up(job, body, &history, &ended))
            }
        }
    }

    fn give_up(&self, id: &str, body: &[u8], history: &History, why: &str) -> Letter {
        count(&self.counts.dead);
        dead(id, body, history, &format!("callback_{why}"))
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
