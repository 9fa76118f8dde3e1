//! Dead letters: messages that nobody can run, kept aside with the reason and the history of their attempts.
//!
//! Must never say that a letter is kept before the broker has said so.

use glovebox_broker::{Letter, Outlet};
use glovebox_schemas::job::caps::MAX_JOB_BYTES;
use glovebox_schemas::names::{ATTEMPTS_HEADER, DEAD, REASON_HEADER};
use glovebox_schemas::result::Attempt;
use glovebox_schemas::topology::Topology;
use lapin::BasicProperties;
use lapin::types::AMQPValue;
use tokio::sync::Mutex;

/// AMQP's delivery mode of a message that survives the broker's restart.
const PERSISTENT: u8 = 2;

/// The way to the dead letters.
pub(crate) struct DeadLetters {
    outlet: Mutex<Outlet>,
}

impl DeadLetters {
    pub(crate) fn new(url: String, runner: &str) -> DeadLetters {
        let name = format!("{runner} (dead letters)");
        let outlet = Outlet::new(url, name, Topology::for_lanes::<&str>(&[]));
        DeadLetters {
            outlet: Mutex::new(outlet),
        }
    }

    /// Keeps a message aside.
    ///
    /// # Errors
    /// Why it is not known to be kept; it may be. Then the broker dead-letters by itself.
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
        let letter = Letter {
            exchange: DEAD,
            routing_key: String::new(),
            body: body.to_owned(),
            properties: with_history(original, reason, earlier)?,
        };
        self.outlet.lock().await.send(&letter).await
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
