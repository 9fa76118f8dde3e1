//! Publishing with confirms: a message counts as sent when RabbitMQ says so.
//!
//! The connection is for publishing only. It must never consume: under the
//! broker's memory alarm a publishing connection is held up whole.
//!
//! Each channel carries one message at a time. lapin gives a message that came
//! back to the confirm that arrives next, whosever it is; with one message in
//! flight there is no other.

use std::fmt;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use glovebox_broker::{BrokerError, connect_amqp, declare};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout_at};

const HEARTBEAT: Duration = Duration::from_secs(10);
const IN_FLIGHT: usize = 64;

/// A message on its way out.
pub(crate) struct Message<'a> {
    pub(crate) exchange: &'static str,
    pub(crate) routing_key: &'a str,
    /// Whether it is an error that no queue takes it.
    pub(crate) mandatory: bool,
    pub(crate) body: &'a [u8],
    pub(crate) properties: BasicProperties,
}

/// What RabbitMQ said of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Stored,
    Unroutable,
    Refused,
    /// Nothing in time: it may be stored or not.
    Unconfirmed,
}

pub(crate) struct Publisher {
    url: String,
    pub(crate) confirm_within: Duration,
    link: Mutex<Option<Arc<Link>>>,
    in_flight: Semaphore,
}

/// One connection and its channels that carry nothing now.
struct Link {
    connection: Connection,
    idle: SyncMutex<Vec<Channel>>,
}

impl Publisher {
    pub(crate) fn new(url: String, confirm_within: Duration) -> Self {
        Self {
            url,
            confirm_within,
            link: Mutex::new(None),
            in_flight: Semaphore::new(IN_FLIGHT),
        }
    }

    /// Publishes one message and waits for the verdict. A connection that broke
    /// is made again once: what is published here may arrive twice.
    pub(crate) async fn publish(&self, message: &Message<'_>) -> Result<Verdict, BrokerError> {
        // The semaphore is never closed; were it, going without a permit is no harm.
        let _permit = self.in_flight.acquire().await.ok();
        let mut is_second_attempt = false;
        loop {
            let link = self.link().await?;
            let deadline = Instant::now() + self.confirm_within;
            match timeout_at(deadline, link.publish(message)).await {
                Ok(Ok(verdict)) => return Ok(verdict),
                Ok(Err(error)) if is_second_attempt => {
                    return Err(BrokerError::lost(&self.url, "publishing", error));
                }
                Ok(Err(error)) => {
                    tracing::debug!(%error, "publishing failed, connecting again");
                    self.forget(&link).await;
                    is_second_attempt = true;
                }
                Err(_) => {
                    self.forget(&link).await;
                    return Ok(Verdict::Unconfirmed);
                }
            }
        }
    }

    /// The connection in use, or a new one with the exchanges declared on it.
    async fn link(&self) -> Result<Arc<Link>, BrokerError> {
        let mut slot = self.link.lock().await;
        if let Some(link) = slot
            .as_ref()
            .filter(|link| link.connection.status().connected())
        {
            return Ok(Arc::clone(link));
        }
        *slot = None;
        let connection = connect_amqp(&self.url, "glovebox client", HEARTBEAT).await?;
        let link = Arc::new(Link {
            connection,
            idle: SyncMutex::default(),
        });
        let channel = link
            .channel()
            .await
            .map_err(|error| BrokerError::lost(&self.url, "opening a channel", error))?;
        declare::<&str>(&channel, &[]).await?;
        link.put_back(channel);
        Ok(Arc::clone(slot.insert(link)))
    }

    /// Lets go of a connection that failed, unless another one has taken its place.
    async fn forget(&self, broken: &Arc<Link>) {
        let mut slot = self.link.lock().await;
        if slot.as_ref().is_some_and(|link| Arc::ptr_eq(link, broken)) {
            *slot = None;
        }
    }
}

impl Link {
    /// When this is not finished its channel is dropped with whatever is in flight on it.
    async fn publish(&self, message: &Message<'_>) -> lapin::Result<Verdict> {
        let channel = self.channel().await?;
        let options = BasicPublishOptions {
            mandatory: message.mandatory,
            ..BasicPublishOptions::default()
        };
        let verdict = channel
            .basic_publish(
                message.exchange.into(),
                message.routing_key.into(),
                options,
                message.body,
                message.properties.clone(),
            )
            .await?
            .await?;
        self.put_back(channel);
        Ok(match verdict {
            Confirmation::Ack(None) => Verdict::Stored,
            Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_)) => Verdict::Unroutable,
            Confirmation::Nack(None) => Verdict::Refused,
            // Only on a channel without confirms: then nothing is known.
            Confirmation::NotRequested => Verdict::Unconfirmed,
        })
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

    fn put_back(&self, channel: Channel) {
        self.idle().push(channel);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Channel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Publisher")
            .field(&glovebox_broker::without_password(&self.url))
            .finish()
    }
}
