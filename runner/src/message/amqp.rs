//! Consuming from RabbitMQ: plain connections, and a supervisor of our own that makes the next one.
//!
//! lapin's auto-recovery is not used: it can leave a consumer that is silent for ever. Here a stream
//! that ends or fails is followed by a new connection with backoff, for as long as the runner lives.
//! Must never let a runner be alive and silently idle.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use glovebox_broker::{BrokerError, Retry, connect_amqp, declare};
use glovebox_schemas::control::Cancel;
use glovebox_schemas::names::{CONTROL_EXCHANGE, DELIVERY_COUNT_HEADER, ENQUEUED_AT_HEADER, queue};
use jiff::Timestamp;
use lapin::Acker;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
    BasicRejectOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, Consumer};
use tokio_util::sync::CancellationToken;

use super::{Delivery, Receipt as AnyReceipt};

/// A frozen peer is noticed after two to three of these.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// From the first packet to the registered consumer.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// How often the broker is asked whether it is there.
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// How long it may take to answer.
const PROBE_WITHIN: Duration = Duration::from_secs(20);

/// Settles a delivery with the broker.
pub(crate) struct Receipt {
    acker: Acker,
}

impl Receipt {
    pub(super) async fn ack(self) {
        log("ack", self.acker.ack(BasicAckOptions::default()).await);
    }

    pub(super) async fn dead_letter(self) {
        let options = BasicRejectOptions { requeue: false };
        log("reject", self.acker.reject(options).await);
    }

    pub(super) async fn give_back(self) {
        let options = BasicNackOptions {
            requeue: true,
            multiple: false,
        };
        log("nack", self.acker.nack(options).await);
    }
}

/// A lost connection is no loss: the message is delivered again, and its result recognised.
fn log(what: &'static str, settled: lapin::Result<bool>) {
    match settled {
        Ok(true) => {}
        Ok(false) => tracing::warn!(what, "the connection is gone; the job will come again"),
        Err(error) => tracing::warn!(what, %error, "not settled; the job will come again"),
    }
}

/// What to consume and whom to tell.
pub(crate) struct Intake {
    pub(crate) url: String,
    pub(crate) name: String,
    pub(crate) lanes: Vec<String>,
    /// Deliveries at one time: the number of slots.
    pub(crate) prefetch: u16,
    /// Take nothing new from here on.
    pub(crate) stop: CancellationToken,
    /// Everything that was taken is settled: the connection is not needed any more.
    pub(crate) drained: CancellationToken,
}

/// What the intake hands over.
pub(crate) trait Sink: Send + Sync + 'static {
    /// Takes a delivery; must not block.
    fn take(&self, delivery: Delivery);
    /// Somebody cancelled this job.
    fn cancel(&self, cancel: Cancel);
}

/// One connection's consumers.
struct Session {
    connection: Connection,
    channel: Channel,
    jobs: Vec<Consumer>,
    control: Consumer,
}

impl Intake {
    /// Consumes until told to stop; returns early only when the first connection can't be had.
    pub(crate) async fn run(&self, sink: Arc<dyn Sink>) -> Result<(), BrokerError> {
        let mut retry = Retry::for_servers();
        let mut session = Some(self.connect().await?);
        while !self.stop.is_cancelled() {
            match session.take() {
                Some(current) => {
                    tracing::info!(lanes = ?self.lanes, "consuming");
                    retry.reset();
                    self.consume(current, &sink).await;
                }
                None => match self.connect().await {
                    Ok(next) => session = Some(next),
                    Err(error) => {
                        let delay = retry.next_delay();
                        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                        tracing::warn!(%error, hint = error.hint(), delay_ms, "no connection");
                        tokio::select! {
                            () = tokio::time::sleep(delay) => {}
                            () = self.stop.cancelled() => {}
                        }
                    }
                },
            }
        }
        Ok(())
    }

    /// A broker that was killed at the wrong moment answers every declare and then nothing: the whole
    /// of it has a time limit, not only its first step.
    async fn connect(&self) -> Result<Session, BrokerError> {
        match tokio::time::timeout(CONNECT_WITHIN, self.connect_patiently()).await {
            Ok(connected) => connected,
            Err(_) => Err(BrokerError::silent(&self.url, CONNECT_WITHIN)),
        }
    }

    async fn connect_patiently(&self) -> Result<Session, BrokerError> {
        let connection = connect_amqp(&self.url, &self.name, HEARTBEAT).await?;
        let lost = |doing| move |error| BrokerError::lost(&self.url, doing, error);
        let channel = connection
            .create_channel()
            .await
            .map_err(lost("opening a channel"))?;
        declare(&channel, &self.lanes).await?;
        channel
            .basic_qos(self.prefetch, BasicQosOptions::default())
            .await
            .map_err(lost("setting the prefetch"))?;
        // Cancellations are listened to before the first job is taken.
        let control = control(&channel)
            .await
            .map_err(lost("listening to cancellations"))?;
        let mut jobs = Vec::with_capacity(self.lanes.len());
        for lane in &self.lanes {
            let consumer = channel
                .basic_consume(
                    queue(lane).into(),
                    format!("{}-{lane}", self.name).into(),
                    BasicConsumeOptions::default(),
                    FieldTable::default(),
                )
                .await
                .map_err(lost("consuming"))?;
            jobs.push(consumer);
        }
        Ok(Session {
            connection,
            channel,
            jobs,
            control,
        })
    }

    /// Returns when the session is over, whoever ended it.
    async fn consume(&self, session: Session, sink: &Arc<dyn Sink>) {
        let Session {
            connection,
            channel,
            jobs,
            mut control,
        } = session;
        let tags: Vec<_> = jobs.iter().map(Consumer::tag).collect();
        let mut jobs = futures_util::stream::select_all(jobs.into_iter().map(until_its_end));
        let mut probe = tokio::time::interval(PROBE_EVERY);
        loop {
            tokio::select! {
                job = jobs.next() => match job.flatten() {
                    Some(Ok(delivery)) => sink.take(received(delivery)),
                    Some(Err(error)) => return lost("the consumer failed", &error),
                    None => return tracing::warn!("the broker ended the consumer"),
                },
                cancel = control.next() => match cancel {
                    Some(Ok(message)) => match Cancel::parse(&message.data) {
                        Ok(cancel) => sink.cancel(cancel),
                        Err(error) => tracing::warn!(%error, "ignored what is no cancellation"),
                    },
                    Some(Err(error)) => return lost("the control consumer failed", &error),
                    None => return tracing::warn!("the broker ended the control consumer"),
                },
                _ = probe.tick() => {
                    if !self.answers(&channel).await {
                        return tracing::warn!("the broker does not answer; connecting anew");
                    }
                }
                () = self.stop.cancelled() => break,
            }
        }
        self.drain(&connection, &channel, tags).await;
    }

    /// Ends the intake, and keeps the connection for the acks of what is still running. What was
    /// prefetched but not handed over goes back when the connection closes.
    async fn drain(&self, connection: &Connection, channel: &Channel, tags: Vec<ShortString>) {
        for tag in tags {
            let options = BasicCancelOptions::default();
            if let Err(error) = channel.basic_cancel(tag, options).await {
                lost("the consumer could not be cancelled", &error);
            }
        }
        self.drained.cancelled().await;
        if let Err(error) = connection.close(200, "the runner stops".into()).await {
            lost("the connection could not be closed in order", &error);
        }
    }

    /// A passive declare is exact and cheap, and a frozen broker does not answer it.
    async fn answers(&self, channel: &Channel) -> bool {
        let Some(lane) = self.lanes.first() else {
            return true;
        };
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let asked = channel.queue_declare(queue(lane).into(), options, FieldTable::default());
        matches!(tokio::time::timeout(PROBE_WITHIN, asked).await, Ok(Ok(_)))
    }
}

/// The end of any lane's stream is the end of the session, and so is seen as an item.
fn until_its_end(
    consumer: Consumer,
) -> futures_util::stream::BoxStream<'static, Option<lapin::Result<lapin::message::Delivery>>> {
    let end = futures_util::stream::once(async { None });
    consumer.map(Some).chain(end).boxed()
}

fn lost(what: &'static str, error: &lapin::Error) {
    tracing::warn!(%error, "{what}");
}

/// A queue of this runner's own, bound to the fanout of cancellations.
async fn control(channel: &Channel) -> lapin::Result<Consumer> {
    let options = QueueDeclareOptions {
        exclusive: true,
        auto_delete: true,
        ..QueueDeclareOptions::default()
    };
    let queue = channel
        .queue_declare("".into(), options, FieldTable::default())
        .await?;
    channel
        .queue_bind(
            queue.name().clone(),
            CONTROL_EXCHANGE.into(),
            "".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await?;
    let options = BasicConsumeOptions {
        no_ack: true,
        ..BasicConsumeOptions::default()
    };
    channel
        .basic_consume(
            queue.name().clone(),
            "".into(),
            options,
            FieldTable::default(),
        )
        .await
}

/// What lapin delivered, in our words.
fn received(delivery: lapin::message::Delivery) -> Delivery {
    let headers = delivery.properties.headers().as_ref();
    let integer = |name: &str| headers.and_then(|table| integer(table.inner().get(name)?));
    let earlier = integer(DELIVERY_COUNT_HEADER)
        .and_then(|count| u32::try_from(count).ok())
        .unwrap_or(0);
    let message_id = delivery.properties.message_id().as_ref();
    Delivery {
        message_id: message_id.and_then(|id| id.as_str().parse().ok()),
        attempt: earlier.saturating_add(1),
        enqueued_at: integer(ENQUEUED_AT_HEADER)
            .and_then(|ms| Timestamp::from_millisecond(ms).ok()),
        received_at: Timestamp::now(),
        body: delivery.data,
        receipt: AnyReceipt::Amqp(Receipt {
            acker: delivery.acker,
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
