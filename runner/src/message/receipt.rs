//! What lapin delivered, in our words, and the answer to it.
//!
//! A lost connection is no loss: the message is delivered again, and its result recognised. Must never take an answer
//! that could not be given for an error of the job's.

use std::sync::Arc;

use glovebox_schemas::names::{DELIVERY_COUNT_HEADER, ENQUEUED_AT_HEADER, FIRST_COPY_HEADER};
use glovebox_schemas::result::Attempt;
use jiff::Timestamp;
use lapin::options::{BasicNackOptions, BasicRejectOptions};
use lapin::types::AMQPValue;
use lapin::{Acker, BasicProperties};

use super::acks::Acks;
use super::{DeadLetters, Delivery};

/// Settles a delivery with the broker.
pub(super) struct Receipt {
    tag: u64,
    acker: Acker,
    acks: Arc<Acks>,
    properties: BasicProperties,
    dead: Arc<DeadLetters>,
}

impl Receipt {
    pub(super) async fn ack(self) {
        log("ack", self.acks.ack(self.tag).await.map(|()| true));
    }

    /// Keeps it aside with what is known about it. Where that fails the broker does it, without the history, and
    /// keeps the message in its queue for as long as it can't either.
    pub(super) async fn dead_letter(self, body: &[u8], reason: &str, earlier: &[Attempt]) {
        match self
            .dead
            .send(body, &self.properties, reason, earlier)
            .await
        {
            Ok(()) => self.ack().await,
            Err(why) => {
                tracing::warn!(why, "the broker is to dead-letter it by itself");
                let options = BasicRejectOptions { requeue: false };
                log("reject", self.acker.reject(options).await);
                self.acks.settled(self.tag);
            }
        }
    }

    pub(super) async fn give_back(self) {
        let options = BasicNackOptions {
            requeue: true,
            multiple: false,
        };
        log("nack", self.acker.nack(options).await);
        self.acks.settled(self.tag);
    }
}

fn log(what: &'static str, settled: lapin::Result<bool>) {
    match settled {
        Ok(true) => {}
        Ok(false) => tracing::warn!(what, "the connection is gone; the job will come again"),
        Err(error) => tracing::warn!(what, %error, "not settled; the job will come again"),
    }
}

/// Reads a message's envelope.
pub(super) fn received(
    delivery: lapin::message::Delivery,
    route: String,
    session: u64,
    acks: Arc<Acks>,
    dead: Arc<DeadLetters>,
) -> Delivery {
    let properties = delivery.properties;
    let headers = properties.headers().as_ref();
    let header = |name: &str| headers.and_then(|table| table.inner().get(name));
    let earlier = header(DELIVERY_COUNT_HEADER).and_then(integer).unwrap_or(0);
    let is_first_copy = matches!(header(FIRST_COPY_HEADER), Some(AMQPValue::Boolean(true)));
    let enqueued_at = header(ENQUEUED_AT_HEADER).and_then(integer);
    let message_id = properties.message_id().as_ref();
    Delivery {
        message_id: message_id.and_then(|id| id.as_str().parse().ok()),
        is_only_copy: is_first_copy && earlier == 0 && !delivery.redelivered,
        session,
        route,
        enqueued_at: enqueued_at.and_then(|ms| Timestamp::from_millisecond(ms).ok()),
        received_at: Timestamp::now(),
        body: delivery.data,
        receipt: Some(Receipt {
            tag: delivery.delivery_tag,
            acks,
            acker: delivery.acker,
            properties,
            dead,
        }),
    }
}

/// Clients of other languages choose the width of an integer as they like.
fn integer(value: &AMQPValue) -> Option<i64> {
    match value {
        AMQPValue::ShortShortInt(n) => Some(i64::from(*n)),
        AMQPValue::ShortShortUInt(n) => Some(i64::from(*n)),
        AMQPValue::ShortInt(n) => Some(i64::from(*n)),
        AMQPValue::ShortUInt(n) => Some(i64::from(*n)),
        AMQPValue::LongInt(n) => Some(i64::from(*n)),
        AMQPValue::LongUInt(n) => Some(i64::from(*n)),
        AMQPValue::LongLongInt(n) => Some(*n),
        AMQPValue::Timestamp(n) => i64::try_from(*n).ok(),
        _ => None,
    }
}
