//! What a deliverer sends back to the broker: an order that waits, with its history, and one that is a dead letter.
//!
//! The history is all that is known of earlier attempts, so it travels with the order. Must never carry on what the
//! broker or a stranger has put beside it.

use glovebox_broker::Letter;
use glovebox_schemas::names::{
    ATTEMPTS_HEADER, CONTENT_TYPE, DEAD, DEFERRALS_HEADER, REASON_HEADER, waiting_callbacks,
};
use glovebox_schemas::result::Attempt;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use crate::schedule::Wait;

/// AMQP's delivery mode of a message that survives the broker's restart.
const PERSISTENT: u8 = 2;

/// What has become of an order so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// The attempts to deliver it.
    pub(crate) attempts: Vec<Attempt>,
    /// How often it had to wait for a place since the last of them.
    pub(crate) deferrals: u32,
}

impl History {
    /// As the headers have it. What can't be read is forgotten: it is tried anew.
    pub(crate) fn of(properties: &BasicProperties) -> History {
        let headers = properties.headers().as_ref();
        let header = |name: &str| headers.and_then(|table| table.inner().get(name));
        let attempts = match header(ATTEMPTS_HEADER) {
            Some(AMQPValue::LongString(text)) => serde_json::from_slice(text.as_bytes()).ok(),
            _ => None,
        };
        let deferrals = match header(DEFERRALS_HEADER) {
            Some(AMQPValue::LongUInt(count)) => *count,
            _ => 0,
        };
        History {
            attempts: attempts.unwrap_or_default(),
            deferrals,
        }
    }

    /// How many attempts there were.
    pub(crate) fn failures(&self) -> u32 {
        u32::try_from(self.attempts.len()).unwrap_or(u32::MAX)
    }

    fn headers(&self) -> FieldTable {
        let mut headers = FieldTable::default();
        let attempts = serde_json::to_string(&self.attempts).unwrap_or_default();
        headers.insert(
            ATTEMPTS_HEADER.into(),
            AMQPValue::LongString(attempts.into()),
        );
        headers.insert(DEFERRALS_HEADER.into(), AMQPValue::LongUInt(self.deferrals));
        headers
    }
}

/// The order, to come again later.
pub(crate) fn waiting(id: &str, body: &[u8], history: &History, wait: Wait) -> Letter {
    Letter {
        exchange: "",
        routing_key: waiting_callbacks(wait.queue),
        body: body.to_owned(),
        properties: properties(id, history.headers()).with_expiration(wait.ms.to_string().into()),
    }
}

/// The order, kept aside.
pub(crate) fn dead(id: &str, body: &[u8], history: &History, reason: &str) -> Letter {
    let mut headers = history.headers();
    headers.insert(REASON_HEADER.into(), AMQPValue::LongString(reason.into()));
    Letter {
        exchange: DEAD,
        routing_key: String::new(),
        body: body.to_owned(),
        properties: properties(id, headers),
    }
}

fn properties(id: &str, headers: FieldTable) -> BasicProperties {
    BasicProperties::default()
        .with_message_id(id.into())
        .with_content_type(CONTENT_TYPE.into())
        .with_delivery_mode(PERSISTENT)
        .with_headers(headers)
}
