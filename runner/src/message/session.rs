//! One connection to RabbitMQ and its consumers, from the declarations to the end.
//!
//! Must never outlive an error: whatever is wrong with a connection, the next one is made new.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, SelectAll};
use glovebox_broker::{BrokerError, connect_amqp, declare};
use glovebox_schemas::control::Control;
use glovebox_schemas::names::{CONTROL_EXCHANGE, queue};
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer};

use super::acks::Acks;
use super::intake::{Intake, Phase, Sink};
use super::parking::Parked;
use super::receipt::received;

/// A frozen peer is noticed after two to three of these.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// From the first packet to the registered consumer.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// How often the broker is asked whether it is there.
const PROBE_EVERY: Duration = Duration::from_secs(3);
/// How long it may take to answer.
const PROBE_WITHIN: Duration = Duration::from_secs(20);
/// The most places, in prefetches, that a queue gets for jobs that wait: their messages are held in memory.
const MOST_WAITING: usize = 4;

/// One connection's consumers.
pub(super) struct Session {
    connection: Connection,
    channel: Channel,
    acks: Arc<Acks>,
    control: Consumer,
    number: u64,
    jobs: SelectAll<BoxStream<'static, Item>>,
    consumers: Vec<Registered>,
    /// Consumers whose end was asked for: what they still deliver is taken.
    ending: HashSet<String>,
    count: u64,
}

/// What the consumers say, with the tag of the one that says it.
enum Item {
    Delivery(String, Box<lapin::message::Delivery>),
    Failed(lapin::Error),
    Ended(String),
}

/// A consumer that the broker knows.
struct Registered {
    route: String,
    tag: String,
    prefetch: usize,
    /// Whether it makes room for what is parked.
    is_extra: bool,
}

impl Session {
    /// A broker that was killed at the wrong moment answers every declare and then nothing: the whole
    /// of it has a time limit, not only its first step.
    pub(super) async fn connect(intake: &Intake) -> Result<Session, BrokerError> {
        match tokio::time::timeout(CONNECT_WITHIN, Session::connect_patiently(intake)).await {
            Ok(connected) => connected,
            Err(_) => Err(BrokerError::silent(&intake.url, CONNECT_WITHIN)),
        }
    }

    async fn connect_patiently(intake: &Intake) -> Result<Session, BrokerError> {
        let connection = connect_amqp(&intake.url, &intake.name, HEARTBEAT).await?;
        let lost = |doing| move |error| BrokerError::lost(&intake.url, doing, error);
        let channel = connection.create_channel().await;
        let channel = channel.map_err(lost("opening a channel"))?;
        declare(&channel, &intake.routes.all()).await?;
        // Cancellations are listened to before the first job is taken.
        let control = control(&channel).await;
        let mut session = Session {
            connection,
            acks: Arc::new(Acks::new(channel.clone())),
            channel,
            control: control.map_err(lost("listening to cancellations"))?,
            number: intake.lease.next_session(),
            jobs: SelectAll::new(),
            consumers: Vec::new(),
            ending: HashSet::new(),
            count: 0,
        };
        session.open(intake).await.map_err(lost("consuming"))?;
        Ok(session)
    }

    /// Registers the consumers of all queues, unless nothing is to be taken now.
    async fn open(&mut self, intake: &Intake) -> lapin::Result<()> {
        if intake.valve.reason().is_some() {
            intake.valve.obeyed();
            intake.is_now(Phase::Paused);
            return Ok(());
        }
        for route in intake.routes.all() {
            self.register(intake, &route, usize::from(intake.prefetch), false)
                .await?;
        }
        intake.is_now(Phase::Consuming);
        Ok(())
    }

    async fn register(
        &mut self,
        intake: &Intake,
        route: &str,
        prefetch: usize,
        is_extra: bool,
    ) -> lapin::Result<()> {
        // For the consumers that come after it on this channel.
        let most = u16::try_from(prefetch).unwrap_or(u16::MAX);
        self.channel
            .basic_qos(most, BasicQosOptions::default())
            .await?;
        self.count += 1;
        let tag = format!("{}-{route}-{}", intake.name, self.count);
        let consumer = self
            .channel
            .basic_consume(
                queue(route).into(),
                tag.as_str().into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await?;
        self.jobs
            .push(items(consumer, route.to_owned(), tag.clone()));
        self.consumers.push(Registered {
            route: route.to_owned(),
            tag,
            prefetch,
            is_extra,
        });
        Ok(())
    }

    /// Ends those consumers; what they were sent before still arrives.
    async fn cancel(&mut self, which: impl Fn(&Registered) -> bool) -> lapin::Result<()> {
        let (cancelled, kept) = self.consumers.drain(..).partition(which);
        self.consumers = kept;
        for consumer in cancelled {
            self.ending.insert(consumer.tag.clone());
            let options = BasicCancelOptions::default();
            self.channel
                .basic_cancel(consumer.tag.as_str().into(), options)
                .await?;
        }
        Ok(())
    }

    /// Returns when the session is over, whoever ended it.
    pub(super) async fn consume(mut self, intake: &Intake, sink: &Arc<dyn Sink>) {
        match self.consume_until_told(intake, sink).await {
            Ok(()) => self.drain(intake).await,
            Err(why) => tracing::warn!(why, "the connection to RabbitMQ is given up"),
        }
    }

    async fn consume_until_told(
        &mut self,
        intake: &Intake,
        sink: &Arc<dyn Sink>,
    ) -> Result<(), String> {
        let probed = probe(self.channel.clone(), intake);
        tokio::pin!(probed);
        let (mut valve, mut parked) = (intake.valve.watch(), intake.parking.watch());
        let mut routes = intake.routes.watch();
        // What changed while this session was made is looked at as well.
        valve.mark_changed();
        parked.mark_changed();
        routes.mark_changed();
        let failed = |doing: &'static str| move |error: lapin::Error| format!("{doing}: {error}");
        loop {
            tokio::select! {
                Some(item) = self.jobs.next() => self.take(item, intake, sink)?,
                cancel = self.control.next() => match cancel {
                    Some(Ok(message)) => {
                        self.acks.settled(message.delivery_tag);
                        match Control::parse(&message.data) {
                            Ok(Control::Cancel(cancel)) => sink.cancel(cancel),
                            Ok(Control::Serve(serve)) => sink.serve(serve),
                            Err(error) => tracing::warn!(%error, "ignored what is no control message"),
                        }
                    }
                    Some(Err(error)) => return Err(failed("listening to cancellations")(error)),
                    None => return Err("the broker ended the control consumer".to_owned()),
                },
                () = &mut probed => return Err("the broker does not answer".to_owned()),
                _ = valve.changed() => {
                    self.obey(intake).await.map_err(failed("pausing"))?;
                }
                _ = parked.changed() => {
                    let wanted = parked.borrow_and_update().clone();
                    self.make_room(intake, &wanted).await.map_err(failed("making room"))?;
                }
                _ = routes.changed() => {
                    routes.mark_unchanged();
                    self.follow(intake).await?;
                }
                () = intake.stop.cancelled() => return Ok(()),
            }
        }
    }

    /// Consumes from the queues of tenants that are new, and no longer from those that are idle.
    async fn follow(&mut self, intake: &Intake) -> Result<(), String> {
        if intake.valve.reason().is_some() {
            return Ok(());
        }
        let wanted = intake.routes.all();
        let idle = |one: &Registered| !wanted.contains(&one.route);
        if self.consumers.iter().any(idle) {
            let ended = self.cancel(idle).await;
            ended.map_err(|error| format!("leaving a queue: {error}"))?;
        }
        let is_new = |route: &&String| !self.consumers.iter().any(|one| one.route == **route);
        let new: Vec<String> = wanted.iter().filter(is_new).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        tracing::info!(routes = ?new, "consuming from the queues of tenants");
        let declared = declare(&self.channel, &new).await;
        declared.map_err(|error| format!("declaring the queue of a tenant: {error}"))?;
        for route in new {
            let prefetch = usize::from(intake.prefetch);
            let registered = self.register(intake, &route, prefetch, false).await;
            registered.map_err(|error| format!("consuming from {route}: {error}"))?;
        }
        Ok(())
    }

    fn take(&mut self, item: Item, intake: &Intake, sink: &Arc<dyn Sink>) -> Result<(), String> {
        match item {
            Item::Delivery(route, delivery) => {
                let dead = Arc::clone(&intake.dead);
                let acks = Arc::clone(&self.acks);
                sink.take(received(*delivery, route, self.number, acks, dead));
                Ok(())
            }
            Item::Failed(error) => Err(format!("the consumer failed: {error}")),
            Item::Ended(tag) if self.ending.remove(&tag) => Ok(()),
            Item::Ended(_) => Err("the broker ended the consumer".to_owned()),
        }
    }

    /// Takes nothing while the valve is closed.
    async fn obey(&mut self, intake: &Intake) -> lapin::Result<()> {
        let Some(reason) = intake.valve.reason() else {
            if self.consumers.is_empty() {
                tracing::info!("taking jobs again");
                self.open(intake).await?;
                let parked = intake.parking.watch().borrow().clone();
                self.make_room(intake, &parked).await?;
            }
            return Ok(());
        };
        if !self.consumers.is_empty() {
            tracing::warn!(?reason, "nothing new is taken");
            self.cancel(|_| true).await?;
        }
        intake.is_now(Phase::Paused);
        intake.valve.obeyed();
        Ok(())
    }

    /// Gives each queue about as many places besides its prefetch as it has parked deliveries: by consumers of which
    /// each has as many as all before it together, so that there are few, however many places.
    async fn make_room(&mut self, intake: &Intake, parked: &Parked) -> lapin::Result<()> {
        if intake.valve.reason().is_some() {
            return Ok(());
        }
        for route in &intake.routes.all() {
            let parked = parked.get(route).copied().unwrap_or_default();
            let most = MOST_WAITING * usize::from(intake.prefetch);
            let wanted = parked.waiting.min(most) + parked.done;
            let mut have = self.extra_places(route);
            while wanted * 4 < have {
                let mut extras = self.consumers.iter().rev();
                let last = extras.find(|one| one.is_extra && one.route == *route);
                let last = last.map(|one| one.tag.clone());
                self.cancel(|one| Some(&one.tag) == last.as_ref()).await?;
                have = self.extra_places(route);
            }
            while wanted > have {
                let more = have.max(1);
                self.register(intake, route, more, true).await?;
                have += more;
            }
        }
        Ok(())
    }

    fn extra_places(&self, route: &str) -> usize {
        let extras = self.consumers.iter();
        let extras = extras.filter(|one| one.is_extra && one.route == *route);
        extras.map(|one| one.prefetch).sum()
    }

    /// Ends the intake, and keeps the connection for the acks of what is still running. What was
    /// prefetched but not handed over goes back when the connection closes.
    async fn drain(mut self, intake: &Intake) {
        intake.is_now(Phase::Draining);
        if let Err(error) = self.cancel(|_| true).await {
            tracing::warn!(%error, "the consumers could not be cancelled");
        }
        // The broker is still asked whether it is there: what runs is ours for as long as it is.
        tokio::select! {
            () = intake.drained.cancelled() => {}
            () = probe(self.channel.clone(), intake) => {
                tracing::warn!("the broker does not answer");
                return intake.drained.cancelled().await;
            }
        }
        let closed = self.connection.close(200, "the runner stops".into());
        if let Err(error) = closed.await {
            tracing::warn!(%error, "the connection could not be closed in order");
        }
    }
}

/// Asks the broker whether it is there, again and again; returns when it does not answer. A passive declare is exact
/// and cheap, and a frozen broker does not answer it.
async fn probe(channel: Channel, intake: &Intake) {
    let Some(lane) = intake.routes.lanes().first() else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(PROBE_EVERY).await;
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let asked = Instant::now();
        let answer = channel.queue_declare(queue(lane).into(), options, FieldTable::default());
        match tokio::time::timeout(PROBE_WITHIN, answer).await {
            Ok(Ok(_)) => intake.lease.broker_answered(asked),
            _ => return,
        }
    }
}

/// The end of a consumer's stream is seen as an item.
fn items(consumer: Consumer, route: String, tag: String) -> BoxStream<'static, Item> {
    let ended = futures_util::stream::once(async move { Item::Ended(tag) });
    consumer
        .map(move |item| match item {
            Ok(delivery) => Item::Delivery(route.clone(), Box::new(delivery)),
            Err(error) => Item::Failed(error),
        })
        .chain(ended)
        .boxed()
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
