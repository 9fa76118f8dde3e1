//! A message on its way out: persistent, with its job's id, and marked as the
//! first copy where it is one.
//!
//! It must never bear that mark once an earlier try may have arrived: a runner
//! that cannot ask Redis starts a first copy and nothing else.

use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{CONTENT_TYPE, ENQUEUED_AT_HEADER, FIRST_COPY_HEADER};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use crate::publisher::Verdict;

/// AMQP's delivery mode of a message that survives the broker's restart.
const PERSISTENT: u8 = 2;

pub(crate) struct Message<'a> {
    pub(crate) exchange: &'static str,
    pub(crate) routing_key: &'a str,
    /// Whether it is an error that no queue takes it.
    pub(crate) mandatory: bool,
    pub(crate) body: &'a [u8],
    pub(crate) id: &'a JobId,
    /// In milliseconds since 1970.
    pub(crate) sent_ms: u64,
    /// Whether nobody has sent this id before.
    pub(crate) is_first: bool,
    /// Whether a try that failed may have reached the broker nevertheless.
    pub(crate) may_have_arrived: bool,
    /// What RabbitMQ said of it, once it has.
    pub(crate) verdict: Option<Verdict>,
}

impl Message<'_> {
    pub(crate) fn properties(&self) -> BasicProperties {
        let mut headers = FieldTable::default();
        // AMQP's own timestamp counts whole seconds.
        let sent_ms = i64::try_from(self.sent_ms).unwrap_or(i64::MAX);
        headers.insert(ENQUEUED_AT_HEADER.into(), AMQPValue::LongLongInt(sent_ms));
        if self.is_first && !self.may_have_arrived {
            headers.insert(FIRST_COPY_HEADER.into(), AMQPValue::Boolean(true));
        }
        BasicProperties::default()
            .with_message_id(self.id.as_str().into())
            .with_content_type(CONTENT_TYPE.into())
            .with_delivery_mode(PERSISTENT)
            .with_timestamp(self.sent_ms / 1000)
            .with_headers(headers)
    }
}
