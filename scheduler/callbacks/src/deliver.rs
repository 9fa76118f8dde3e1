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
use lapin::options::BasicAckOptions;
use url::{Position, Url};

use crate::answer::{Answer, Judgment};
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
        match delivery.acker.ack(BasicAckOptions::default()).await {
            Ok(true) => {}
            Ok(false) => tracing::warn!("the connection is gone: a callback will come again"),
            Err(error) => tracing::warn!(%error, "not acknowledged: a callback will come again"),
        }
    }

    /// What is to be published of it, if it is not delivered.
    async fn deliver(&self, delivery: &Delivery) -> Option<Letter> {
        let (body, history) = (&delivery.data, History::of(&delivery.properties));
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
        let keys = self.keys.of(tenant);
        if keys.is_empty() {
            let hint =
                "give it one in the file of --callback-keys, and publish the dead letter again";
            tracing::error!(
                job,
                tenant,
                hint,
                "no key to sign a callback with: dead-lettered"
            );
            return Some(self.give_up(job, body, &history, "no_key"));
        }
        // All of it that may be shown: its path may be a secret.
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let Some(place) = self.places.take(host, tenant) else {
            return Some(self.defer(job, body, history));
        };
        let started_at = Timestamp::now();
        let signed = signature(keys, started_at.as_second(), order.body());
        let answer = self.poster.post(&order, &url, &signed).await;
        drop(place);
        let attempt = Attempt {
            attempt: history.failures().saturating_add(1),
            runner: self.name.clone(),
            started_at,
            ended: answer.code(),
        };
        let (number, ended) = (attempt.attempt, &attempt.ended);
        tracing::info!(
            job,
            tenant,
            host,
            attempt = number,
            ended,
            "sent a callback"
        );
        self.conclude(job, body, history, attempt, &answer)
    }

    /// Nothing was tried: it waits for a place where it takes up none.
    fn defer(&self, job: &str, body: &[u8], mut history: History) -> Letter {
        count(&self.counts.deferred);
        history.deferrals = history.deferrals.saturating_add(1);
        let wait = self.schedule.wait(history.deferrals, None);
        let wait_ms = wait.ms;
        tracing::debug!(
            job,
            wait_ms,
            "its receiver, or its tenant, has too many callbacks at a time"
        );
        waiting(job, body, &history, wait)
    }

    fn conclude(
        &self,
        job: &str,
        body: &[u8],
        mut history: History,
        attempt: Attempt,
        answer: &Answer,
    ) -> Option<Letter> {
        let (number, ended) = (attempt.attempt, attempt.ended.clone());
        history.deferrals = 0;
        history.attempts.push(attempt);
        match answer.judge() {
            Judgment::Delivered => {
                count(&self.counts.delivered);
                None
            }
            Judgment::Later(asked) if number < self.schedule.attempts => {
                count(&self.counts.failed);
                let wait = self.schedule.wait(number, asked);
                tracing::warn!(job, ended, wait_ms = wait.ms, "to be called back again");
                Some(waiting(job, body, &history, wait))
            }
            Judgment::Later(_) | Judgment::Never => {
                count(&self.counts.failed);
                tracing::error!(
                    job,
                    ended,
                    attempts = number,
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
