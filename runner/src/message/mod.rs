//! Messages: a delivery, whoever brought it, and what can be said back about it.
//!
//! [`intake`] and its neighbours are the only rooms on the worker's side that know lapin. Must never acknowledge
//! anything on its own account: the pipeline does, at its end.

mod acks;
mod callbacks;
mod dead;
pub(crate) mod intake;
mod parking;
mod receipt;
mod session;

use std::time::Duration;

use glovebox_schemas::job::{Job, JobId, Rejection};
use glovebox_schemas::names::route;
use glovebox_schemas::result::{JobResult, millis};
use jiff::Timestamp;

pub(crate) use self::callbacks::Callbacks;
pub(crate) use self::dead::DeadLetters;
pub(crate) use self::parking::Parking;
use self::receipt::Receipt;
use crate::pipeline::Settlement;

/// One message, to be settled once.
pub(crate) struct Delivery {
    pub(crate) body: Vec<u8>,
    /// The property `message_id`, where it is an id.
    pub(crate) message_id: Option<JobId>,
    /// Whether no other message of this id was sent before, and this one was delivered to nobody before.
    pub(crate) is_only_copy: bool,
    /// The connection that it came by, counted from 1.
    pub(crate) session: u64,
    /// What its queue is for: a lane, or a tenant in a lane.
    pub(crate) route: String,
    pub(crate) enqueued_at: Option<Timestamp>,
    pub(crate) received_at: Timestamp,
    /// How it is settled with the broker; `None` if there is none, and the job runs once, here and now.
    receipt: Option<Receipt>,
}

impl Delivery {
    /// The one delivery of a job that runs without a queue.
    pub(crate) fn embedded(body: Vec<u8>) -> Delivery {
        Delivery {
            body,
            message_id: None,
            is_only_copy: true,
            session: 0,
            route: String::new(),
            enqueued_at: None,
            received_at: Timestamp::now(),
            receipt: None,
        }
    }

    /// The lane that it came by.
    pub(crate) fn lane(&self) -> &str {
        self.route
            .split_once('.')
            .map_or(&self.route, |(lane, _)| lane)
    }

    /// Whether it came by a queue that others share with its tenant: that of the whole lane, where foreign clients may
    /// send anything.
    pub(crate) fn is_among_others(&self, tenant: &str) -> bool {
        self.route != route(self.lane(), tenant)
    }

    /// Whether there is nobody else to run it.
    pub(crate) fn is_embedded(&self) -> bool {
        self.receipt.is_none()
    }

    /// The job that the message carries.
    pub(crate) fn job(&self) -> Result<Job, Rejection> {
        Job::parse(&self.body).map_err(|mut rejection| {
            rejection.id = rejection.id.or_else(|| self.message_id.clone());
            rejection
        })
    }

    /// What it and its job take in memory until it is settled, roughly.
    pub(crate) fn bytes_held(&self) -> u64 {
        self.body.len() as u64 * 2 + 4096
    }

    /// Adds to a result what only the message knows.
    pub(crate) fn stamp(&self, mut result: JobResult) -> JobResult {
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

    /// Tells the broker what became of it.
    pub(crate) async fn settle(self, settlement: Settlement) {
        let Some(receipt) = self.receipt else { return };
        match settlement {
            Settlement::Ack => receipt.ack().await,
            Settlement::GiveBack => receipt.give_back().await,
            Settlement::DeadLetter(reason, begun) => {
                receipt
                    .dead_letter(&self.body, &reason, &begun.earlier)
                    .await;
            }
        }
    }
}
