//! Dead letters: messages that nobody can run, kept aside with the reason and the history of their attempts.
//!
//! On a connection of its own, made when it is first needed: a broker that is short of memory holds publishing
//! connections up, and acks must go on. Must never say that a letter is kept before the broker has said so.

use std::time::Duration;

use glovebox_broker::{BrokerError, connect_amqp, declare};
use glovebox_schemas::job::caps::MAX_JOB_BYTES;
use glovebox_schemas::names::{ATTEMPTS_HEADER, DEAD, REASON_HEADER};
use glovebox_schemas::result::Attempt;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use tokio::sync::Mutex;

const HEARTBEAT: Duration = Duration::from_secs(10);
/// From the connection to the confirmation. Then the broker dead-letters by itself.
const WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a message that is not worth a connection kept.
const LARGE: usize = 1 << 20;
/// AMQP's delivery mode of a message that survives the broker's restart.
const PERSISTENT: u8 = 2;

/// The way to the dead letters.
pub(crate) struct DeadLetters {
    url: String,
    name: String,
    link: Mutex<Option<Link>>,
}

struct Link {
    /// Closes when dropped.
    _connection: Connection,
    channel: Channel,
}

impl DeadLetters {
    pub(crate) fn new(url: String, runner: &str) -> DeadLetters {
        DeadLetters {
            url,
            name: format!("{runner} (dead letters)"),
            link: Mutex::new(None),
        }
    }

    /// Keeps a message aside.
    ///
    /// # Errors
    /// Why it is not known to be kept; it may be.
    pub(super) async fn send(
        &self,
        body: &[u8],
        original: &BasicProperties,
        reason: &str,
        earlier: &[Attempt],
    ) -> Result<(), String> {
        if body.len() > MAX_JOB_BYTES {
            return Err("it is larger than any job".to_owned());
        }
        let properties = with_history(original, reason, earlier)?;
        let mut link = self.link.lock().await;
        let sent = tokio::time::timeout(WITHIN, self.publish(&mut link, body, properties)).await;
        let sent = sent.unwrap_or_else(|_| Err("the broker did not confirm in time".to_owned()));
        // lapin keeps its buffers at the size of the largest message.
        if sent.is_err() || body.len() > LARGE {
            *link = None;
        }
        sent
    }

    async fn publish(
        &self,
        slot: &mut Option<Link>,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), String> {
        let link = match slot.take().filter(|link| link.channel.status().connected()) {
            Some(link) => slot.insert(link),
            None => slot.insert(self.connect().await.map_err(|error| error.to_string())?),
        };
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let failed = |error: lapin::Error| error.to_string();
        let confirmation = link
            .channel
            .basic_publish(DEAD.into(), "".into(), options, body, properties)
            .await
            .map_err(failed)?
            .await
            .map_err(failed)?;
        match confirmation {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)) => {
                Err(format!("nothing is bound to the exchange {DEAD}"))
            }
            _ => Err(format!("the queue {DEAD} does not take it")),
        }
    }

    async fn connect(&self) -> Result<Link, BrokerError> {
        let connection = connect_amqp(&self.url, &self.name, HEARTBEAT).await?;
        let lost = |error| BrokerError::lost(&self.url, "opening a channel", error);
        let channel = connection.create_channel().await.map_err(lost)?;
        let confirm = ConfirmSelectOptions::default();
        channel.confirm_select(confirm).await.map_err(lost)?;
        declare::<&str>(&channel, &[]).await?;
        Ok(Link {
            _connection: connection,
            channel,
        })
    }
}

/// The message's own properties, with what is known about its end.
fn with_history(
    original: &BasicProperties,
    reason: &str,
    earlier: &[Attempt],
) -> Result<BasicProperties, String> {
    let history = serde_json::to_string(earlier).map_err(|error| error.to_string())?;
    let mut headers = original.headers().clone().unwrap_or_default();
    let text = |text: &str| AMQPValue::LongString(text.into());
    headers.insert(REASON_HEADER.into(), text(reason));
    headers.insert(ATTEMPTS_HEADER.into(), text(&history));
    Ok(only_known(original)
        .with_delivery_mode(PERSISTENT)
        .with_headers(headers))
}

/// What a stranger set besides could make the broker refuse the message (a user id) or drop it (an expiration).
fn only_known(original: &BasicProperties) -> BasicProperties {
    let mut properties = BasicProperties::default();
    if let Some(id) = original.message_id() {
        properties = properties.with_message_id(id.clone());
    }
    if let Some(kind) = original.content_type() {
        properties = properties.with_content_type(kind.clone());
    }
    if let Some(at) = original.timestamp() {
        properties = properties.with_timestamp(*at);
    }
    properties
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use lapin::types::FieldTable;

    use super::*;

    #[test]
    fn the_reason_and_the_history_are_added_and_nothing_harmful_is_kept() {
        let mut headers = FieldTable::default();
        headers.insert("x-own".into(), AMQPValue::Boolean(true));
        let original = BasicProperties::default()
            .with_message_id("a".into())
            .with_user_id("somebody".into())
            .with_expiration("1".into())
            .with_headers(headers);
        let earlier = [Attempt {
            attempt: 1,
            runner: "r".into(),
            started_at: jiff::Timestamp::UNIX_EPOCH,
            ended: "runner_lost".into(),
        }];
        let kept = with_history(&original, "runner_killed", &earlier).unwrap();
        let table = kept.headers().clone().unwrap();
        let text = |name: &str| match table.inner().get(name) {
            Some(AMQPValue::LongString(text)) => text.to_string(),
            other => format!("{other:?}"),
        };
        assert!(text(REASON_HEADER).contains("runner_killed"));
        assert!(text(ATTEMPTS_HEADER).contains("runner_lost"));
        assert_eq!(text("x-own"), "Some(Boolean(true))");
        assert_eq!(kept.message_id().as_ref().unwrap().as_str(), "a");
        assert!(kept.user_id().is_none() && kept.expiration().is_none());
    }
}
