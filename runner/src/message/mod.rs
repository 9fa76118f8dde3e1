//! Messages: a delivery, whoever brought it, and what can be said back about it.
//!
//! [`amqp`] is the only room on the worker's side that knows lapin. Must never acknowledge anything
//! on its own account: the pipeline does, at its end.

pub(crate) mod amqp;

use std::time::Duration;

use glovebox_schemas::job::{Job, JobId, Rejection};
use glovebox_schemas::names::DELIVERY_LIMIT;
use glovebox_schemas::result::{JobResult, millis};
use jiff::Timestamp;

/// A delivery that failed here is held back this long, so that a runner that can't build cells does
/// not use up a job's attempts within a moment.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// One message, to be settled once.
pub(crate) struct Delivery {
    pub(crate) body: Vec<u8>,
    /// The property `message_id`, where it is an id.
    pub(crate) message_id: Option<JobId>,
    /// From 1.
    pub(crate) attempt: u32,
    pub(crate) enqueued_at: Option<Timestamp>,
    pub(crate) received_at: Timestamp,
    pub(crate) receipt: Receipt,
}

/// How a delivery is settled.
pub(crate) enum Receipt {
    /// With the broker.
    Amqp(amqp::Receipt),
    /// There is no queue: the job runs once, here and now.
    Embedded,
}

impl Delivery {
    /// The one delivery of a job that runs without a queue.
    pub(crate) fn embedded(body: Vec<u8>) -> Delivery {
        Delivery {
            body,
            message_id: None,
            attempt: 1,
            enqueued_at: None,
            received_at: Timestamp::now(),
            receipt: Receipt::Embedded,
        }
    }

    /// The job that the message carries.
    pub(crate) fn job(&self) -> Result<Job, Rejection> {
        Job::parse(&self.body).map_err(|mut rejection| {
            rejection.id = rejection.id.or_else(|| self.message_id.clone());
            rejection
        })
    }

    /// Whether nobody will try again when this attempt fails.
    pub(crate) fn is_last_attempt(&self) -> bool {
        match self.receipt {
            // A limit of three means four deliveries.
            Receipt::Amqp(_) => self.attempt > DELIVERY_LIMIT,
            Receipt::Embedded => true,
        }
    }

    /// Adds to a result what only the message knows.
    pub(crate) fn stamp(&self, mut result: JobResult) -> JobResult {
        result.attempt = self.attempt;
        result.times.enqueued_at = self.enqueued_at;
        result.times.finished_at = Some(Timestamp::now());
        if let Some(enqueued) = self.enqueued_at {
            let started = result.times.started_at.unwrap_or(self.received_at);
            // Two hosts' clocks may disagree by more than a job waits.
            let waited = Duration::try_from(started.duration_since(enqueued));
            result.times.queue_ms = Some(millis(waited.unwrap_or_default()));
        }
        result
    }

    /// Its result is durable.
    pub(crate) async fn ack(self) {
        if let Receipt::Amqp(receipt) = self.receipt {
            receipt.ack().await;
        }
    }

    /// It is no job, or nobody can run it: the broker keeps it aside.
    pub(crate) async fn dead_letter(self) {
        if let Receipt::Amqp(receipt) = self.receipt {
            receipt.dead_letter().await;
        }
    }

    /// Another runner is to run it, at once.
    pub(crate) async fn give_back(self) {
        if let Receipt::Amqp(receipt) = self.receipt {
            receipt.give_back().await;
        }
    }

    /// Another runner, or this one, is to try it a little later.
    pub(crate) async fn retry(self) {
        tokio::time::sleep(RETRY_DELAY).await;
        self.give_back().await;
    }
}
