//! One connection to RabbitMQ and its channels that carry nothing now.
//!
//! The connection is for publishing only. It must never consume: under the
//! broker's memory alarm a publishing connection is held up whole.
//!
//! Each channel carries one message at a time. lapin gives a message that came
//! back to the confirm that arrives next, whosever it is; with one message in
//! flight there is no other.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use glovebox_broker::{BrokerError, connect_amqp, declare};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, Connection};
use tokio::time::{Instant, sleep, timeout};

use crate::message::Message;
use crate::publisher::Verdict;

const HEARTBEAT: Duration = Duration::from_secs(10);
/// For the connection, a channel and the exchanges. A broker that was killed
/// at the wrong moment answers the first of these and then nothing.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// An alarm that is over by then was none.
const BLOCKED_FOR: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(crate) struct Link {
    connection: Connection,
    idle: Mutex<Vec<Channel>>,
}

impl Link {
    /// A new connection, with the exchanges declared on it.
    pub(crate) async fn connect(url: &str) -> Result<Self, BrokerError> {
        let connecting = async {
            let connection = connect_amqp(url, "glovebox client", HEARTBEAT).await?;
            let link = Self {
                connection,
                idle: Mutex::default(),
            };
            let channel = link
                .channel()
                .await
                .map_err(|error| BrokerError::lost(url, "opening a channel", error))?;
            declare::<&str>(&channel, &[]).await?;
            link.idle().push(channel);
            Ok(link)
        };
        match timeout(CONNECT_WITHIN, connecting).await {
            Ok(outcome) => outcome,
            Err(_) => Err(BrokerError::silent(url, CONNECT_WITHIN)),
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.connection.status().connected()
    }

    /// Publishes and waits for the verdict, however long it takes, unless the
    /// broker says that it takes nothing.
    pub(crate) async fn publish(&self, message: &mut Message<'_>) -> lapin::Result<Verdict> {
        tokio::select! {
            biased;
            verdict = self.publish_patiently(message) => verdict,
            () = self.blocked() => Ok(Verdict::Blocked),
        }
    }

    /// When this is not finished its channel is dropped with whatever is in flight on it.
    async fn publish_patiently(&self, message: &mut Message<'_>) -> lapin::Result<Verdict> {
        // lapin would send it when the alarm is over, long after it was given up.
        while self.is_blocked() {
            sleep(LOOK_EVERY).await;
        }
        let channel = self.channel().await?;
        let options = BasicPublishOptions {
            mandatory: message.mandatory,
            ..BasicPublishOptions::default()
        };
        let properties = message.properties();
        message.may_have_arrived = true;
        let verdict = channel
            .basic_publish(
                message.exchange.into(),
                message.routing_key.into(),
                options,
                message.body,
                properties,
            )
            .await?
            .await?;
        self.idle().push(channel);
        Ok(match verdict {
            Confirmation::Ack(None) => Verdict::Stored,
            Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)) => Verdict::Unroutable,
            Confirmation::Nack(None) => Verdict::Refused,
            // Only on a channel without confirms: then nothing is known.
            Confirmation::NotRequested => Verdict::Unconfirmed,
        })
    }

    /// Returns once the broker has taken nothing for a while: it has an alarm,
    /// and reads no more from a connection that publishes.
    async fn blocked(&self) {
        let mut free_at = Instant::now();
        while free_at.elapsed() < BLOCKED_FOR {
            sleep(LOOK_EVERY).await;
            if !self.is_blocked() {
                free_at = Instant::now();
            }
        }
    }

    fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    async fn channel(&self) -> lapin::Result<Channel> {
        let idle = self.idle().pop();
        if let Some(channel) = idle.filter(|channel| channel.status().connected()) {
            return Ok(channel);
        }
        let channel = self.connection.create_channel().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        Ok(channel)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Channel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
