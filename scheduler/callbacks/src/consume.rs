//! The deliverer as a process: connects, consumes, connects again, stops.
//!
//! As with runners, lapin's own recovery is not used: a connection that is not quite right is given up and made anew.
//! Must never be alive and silently idle, nor take an order after it was told to stop.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt as _;
use glovebox_broker::{BrokerError, Outbox, Outlet, Retry, connect_amqp, declare_all};
use glovebox_gate::{HostPattern, WayOut};
use glovebox_schemas::names::CALLBACKS;
use glovebox_schemas::topology::Topology;
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::deliver::{Counts, Deliverer};
use crate::keys::Keys;
use crate::places::{Places, Shares};
use crate::post::{Patience, Poster};
use crate::schedule::Schedule;
use crate::tls::{self, AuthoritiesError};

const HEARTBEAT: Duration = Duration::from_secs(10);
/// From the first packet to the registered consumer.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// How often the broker is asked whether it is there, and how long it may take to answer.
const PROBE_EVERY: Duration = Duration::from_secs(3);
const PROBE_WITHIN: Duration = Duration::from_secs(20);
const TAG: &str = "callbacks";

/// How callbacks are sent.
#[derive(Debug)]
pub struct CallbacksConfig {
    /// RabbitMQ.
    pub amqp_url: String,
    /// Shown in histories and by RabbitMQ.
    pub name: String,
    /// Whose callbacks are signed with what.
    pub keys: Keys,
    /// What may be internal: a name here may resolve to any address, a network's addresses are open.
    pub intranet: Vec<HostPattern>,
    /// A PEM file of certificate authorities to trust besides the system's.
    pub authorities: Option<PathBuf>,
    /// When what fails is tried again.
    pub schedule: Schedule,
    /// How long receivers may take.
    pub patience: Patience,
    /// How many at a time.
    pub shares: Shares,
}

/// Why callbacks can't be sent.
#[derive(Debug, thiserror::Error)]
pub enum CallbacksError {
    /// RabbitMQ is out of reach.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The file of authorities can't be used.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
}

/// Sends callbacks until told to stop; then ends what is under way.
///
/// # Errors
/// When it can't start; later failures are retried for as long as it runs.
pub async fn run(config: CallbacksConfig, stop: CancellationToken) -> Result<(), CallbacksError> {
    let topology = Topology::for_callbacks(config.schedule.waits());
    let outlet = Outlet::new(
        config.amqp_url.clone(),
        format!("{} (waiting)", config.name),
        topology.clone(),
    );
    let desk = Desk {
        url: config.amqp_url,
        name: config.name.clone(),
        topology,
        prefetch: config.shares.all,
        give_up_after: config.patience.total + Duration::from_secs(5),
    };
    let deliverer = Arc::new(Deliverer {
        name: config.name,
        keys: config.keys,
        schedule: config.schedule,
        places: Places::new(config.shares),
        poster: Poster {
            way: WayOut::new(
                config.intranet,
                config.patience.connect,
                usize::from(config.shares.all),
            ),
            tls: tls::connector(config.authorities.as_deref())?,
            patience: config.patience,
        },
        outbox: Outbox::open(outlet),
        counts: Counts::default(),
    });
    let mut retry = Retry::for_servers();
    let mut session = desk.connect().await.map(Some)?;
    while !stop.is_cancelled() {
        match session.take() {
            Some(current) => {
                tracing::info!("sending callbacks");
                retry.reset();
                current.consume(&desk, &deliverer, &stop).await;
            }
            None => match stop.run_until_cancelled(desk.connect()).await {
                Some(Ok(next)) => session = Some(next),
                Some(Err(error)) => {
                    tracing::warn!(%error, hint = error.hint(), "no connection");
                    let pause = tokio::time::sleep(retry.next_delay());
                    stop.run_until_cancelled(pause).await;
                }
                None => {}
            },
        }
    }
    let Counts {
        delivered,
        failed,
        deferred,
        dead,
    } = &deliverer.counts;
    let [delivered, failed, deferred, dead] =
        [delivered, failed, deferred, dead].map(|count| count.load(Ordering::Relaxed));
    tracing::info!(delivered, failed, deferred, dead, "stopped");
    Ok(())
}

/// Where and how to consume.
struct Desk {
    url: String,
    name: String,
    topology: Topology,
    prefetch: u16,
    give_up_after: Duration,
}

/// One connection and its consumer.
struct Session {
    connection: Connection,
    channel: Channel,
    orders: Consumer,
}

impl Desk {
    async fn connect(&self) -> Result<Session, BrokerError> {
        match timeout(CONNECT_WITHIN, self.connect_patiently()).await {
            Ok(connected) => connected,
            Err(_) => Err(BrokerError::silent(&self.url, CONNECT_WITHIN)),
        }
    }

    async fn connect_patiently(&self) -> Result<Session, BrokerError> {
        let connection = connect_amqp(&self.url, &self.name, HEARTBEAT).await?;
        let lost = |doing| move |error| BrokerError::lost(&self.url, doing, error);
        let channel = connection.create_channel().await;
        let channel = channel.map_err(lost("opening a channel"))?;
        declare_all(&channel, &self.topology).await?;
        let qos = channel.basic_qos(self.prefetch, BasicQosOptions::default());
        qos.await.map_err(lost("setting the prefetch"))?;
        let options = BasicConsumeOptions::default();
        let orders = channel
            .basic_consume(CALLBACKS.into(), TAG.into(), options, FieldTable::default())
            .await
            .map_err(lost("consuming"))?;
        Ok(Session {
            connection,
            channel,
            orders,
        })
    }
}

impl Session {
    /// Returns when the session is over, whoever ended it. What is under way when the connection is lost goes on, and
    /// comes again all the same.
    async fn consume(mut self, desk: &Desk, deliverer: &Arc<Deliverer>, stop: &CancellationToken) {
        let tasks = TaskTracker::new();
        let probed = probe(self.channel.clone());
        tokio::pin!(probed);
        loop {
            tokio::select! {
                order = self.orders.next() => match order {
                    Some(Ok(order)) => {
                        let deliverer = Arc::clone(deliverer);
                        tasks.spawn(async move { deliverer.handle(order).await });
                    }
                    Some(Err(error)) => return tracing::warn!(%error, "the connection is given up"),
                    None => return tracing::warn!("the consumer has ended: the connection is given up"),
                },
                () = &mut probed => return tracing::warn!("the broker does not answer"),
                () = stop.cancelled() => break,
            }
        }
        // What is in the consumer's buffer goes back when the connection closes.
        let cancelled = self
            .channel
            .basic_cancel(TAG.into(), BasicCancelOptions::default());
        if let Err(error) = cancelled.await {
            tracing::warn!(%error, "the consumer could not be cancelled");
        }
        tasks.close();
        if timeout(desk.give_up_after, tasks.wait()).await.is_err() {
            tracing::warn!(
                left = tasks.len(),
                "callbacks are left to be delivered again"
            );
        }
        if let Err(error) = self
            .connection
            .close(200, "the deliverer stops".into())
            .await
        {
            tracing::warn!(%error, "the connection could not be closed in order");
        }
    }
}

/// Returns when the broker does not answer: a passive declare is exact and cheap, and a frozen broker is silent.
async fn probe(channel: Channel) {
    loop {
        tokio::time::sleep(PROBE_EVERY).await;
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let answer = channel.queue_declare(CALLBACKS.into(), options, FieldTable::default());
        if !matches!(timeout(PROBE_WITHIN, answer).await, Ok(Ok(_))) {
            return;
        }
    }
}
