//! One connection to RabbitMQ and its channels that carry nothing now.
//!
//! The connection is for publishing only. It must never consume: under the
//! broker's memory alarm a publishing connection is held up whole.
//!
//! Each channel carries the messages of one batch at a time. lapin gives a message that came back to the confirm that
//! arrives next, whosever it is; so what came back is known by its id, once the whole batch has been answered.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use glovebox_broker::{BrokerError, connect_amqp, declare};
use glovebox_schemas::names::{queue, route};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::FieldTable;
use lapin::{Channel, Confirmation, Connection, ErrorKind};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::answers::judge;
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

    /// Publishes the messages that have no verdict yet and waits for one on each, until `deadline`, or until the broker
    /// says that it takes nothing. With an error, what has none is to be published on another connection.
    pub(crate) async fn publish(
        &self,
        messages: &mut [Message<'_>],
        deadline: Instant,
    ) -> lapin::Result<()> {
        let waiting = messages.iter_mut().filter(|one| one.verdict.is_none());
        let mut waiting: Vec<_> = waiting.collect();
        let mut answers: Vec<Option<Confirmation>> = waiting.iter().map(|_| None).collect();
        let given_up = tokio::select! {
            biased;
            outcome = self.publish_patiently(&mut waiting, &mut answers) => outcome.map(|()| None),
            () = sleep_until(deadline) => Ok(Some(Verdict::Unconfirmed)),
            () = self.blocked() => Ok(Some(Verdict::Blocked)),
        };
        judge(waiting, &answers);
        if let Some(verdict) = given_up? {
            let unanswered = messages.iter_mut().filter(|one| one.verdict.is_none());
            unanswered.for_each(|one| one.verdict = Some(verdict));
        }
        Ok(())
    }

    /// When this is not finished its channel is dropped with whatever is in flight on it.
    async fn publish_patiently(
        &self,
        messages: &mut [&mut Message<'_>],
        answers: &mut [Option<Confirmation>],
    ) -> lapin::Result<()> {
        // lapin would send it when the alarm is over, long after it was given up.
        while self.is_blocked() {
            sleep(LOOK_EVERY).await;
        }
        let channel = self.channel().await?;
        // Sent in this order: each when it is first polled.
        let mut in_flight: FuturesUnordered<_> = messages
            .iter_mut()
            .zip(answers)
            .map(|(message, answer)| async {
                *answer = Some(send(&channel, message).await?);
                Ok(())
            })
            .collect();
        let mut outcome = Ok(());
        while let Some(sent) = in_flight.next().await {
            outcome = outcome.and(sent);
        }
        drop(in_flight);
        if outcome.is_ok() {
            self.idle().push(channel);
        }
        outcome
    }

    /// Makes the queue of a tenant in a lane, unless there is no such lane: its queue is a runner's to make.
    pub(crate) async fn open(
        &self,
        url: &str,
        lane: &str,
        tenant: &str,
    ) -> Result<bool, BrokerError> {
        let lost = |doing| move |error| BrokerError::lost(url, doing, error);
        let channel = self.connection.create_channel().await;
        let channel = channel.map_err(lost("opening a channel"))?;
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let asked = channel.queue_declare(queue(lane).into(), options, FieldTable::default());
        match asked.await {
            Ok(_) => {}
            Err(error) if is_not_found(&error) => return Ok(false),
            Err(error) => return Err(lost("looking for a lane")(error)),
        }
        declare(&channel, &[route(lane, tenant)]).await?;
        let closed = channel.close(200, "done".into()).await;
        closed.map_err(lost("closing a channel"))?;
        Ok(true)
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

async fn send(channel: &Channel, message: &mut Message<'_>) -> lapin::Result<Confirmation> {
    let options = BasicPublishOptions {
        mandatory: message.mandatory,
        ..BasicPublishOptions::default()
    };
    let properties = message.properties();
    message.may_have_arrived = true;
    let (exchange, key) = (message.exchange.into(), message.routing_key.into());
    let sending = channel.basic_publish(exchange, key, options, message.body, properties);
    sending.await?.await
}

fn is_not_found(error: &lapin::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ProtocolError(protocol)
            if *protocol.kind() == AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND)
    )
}
