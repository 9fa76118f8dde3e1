//! A way out for messages: a connection that only publishes, made when it is first needed, with confirms.
//!
//! Apart from any that consumes: a broker that is short of memory holds publishing connections up, and acks must go on.
//! It must never call a message sent before the broker has said so, nor publish one that no queue takes.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::future::join_all;
use glovebox_schemas::topology::Topology;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::amqp::connect_amqp;
use crate::error::BrokerError;
use crate::retry::Retry;
use crate::topology::declare_all;

const HEARTBEAT: Duration = Duration::from_secs(10);
/// From the connection to the confirmation.
const WITHIN: Duration = Duration::from_secs(10);
/// Bytes of messages that are not worth a connection kept: lapin keeps its buffers at the size of the largest.
const LARGE: usize = 1 << 20;
/// Messages on their way at one time.
const BATCH: usize = 64;
/// Messages that wait, besides those in the inbox.
const MOST_WAITING: usize = 4 * BATCH;

/// A message to be published.
#[derive(Debug)]
pub struct Letter {
    /// The exchange; empty for the one that leads to the queue that `routing_key` names.
    pub exchange: &'static str,
    /// Where to from there.
    pub routing_key: String,
    /// What is in it.
    pub body: Vec<u8>,
    /// What is said about it.
    pub properties: BasicProperties,
}

/// The way of one sender, who waits for each message.
#[derive(Debug)]
pub struct Outlet {
    url: String,
    name: String,
    topology: Topology,
    link: Option<Link>,
}

#[derive(Debug)]
struct Link {
    /// Closes when dropped.
    _connection: Connection,
    channel: Channel,
}

impl Outlet {
    /// One to the broker at `url`, whose tools call the connection `name`. What `topology` says is declared at each
    /// connect; nothing is connected yet.
    #[must_use]
    pub fn new(url: String, name: String, topology: Topology) -> Self {
        Self {
            url,
            name,
            topology,
            link: None,
        }
    }

    /// Publishes a message and waits, ten seconds at most, until the broker has it.
    ///
    /// # Errors
    ///
    /// Why it is not known to be there; it may be.
    pub async fn send(&mut self, letter: &Letter) -> Result<(), String> {
        let sent = self.send_all(&[letter]).await?;
        match sent.first() {
            Some(true) => Ok(()),
            _ => Err(refused(letter)),
        }
    }

    /// Publishes messages together and gives for each whether the broker has it.
    async fn send_all(&mut self, letters: &[&Letter]) -> Result<Vec<bool>, String> {
        let sent = match timeout(WITHIN, self.publish(letters)).await {
            Ok(sent) => sent,
            Err(_) => Err("the broker did not confirm in time".to_owned()),
        };
        let bytes: usize = letters.iter().map(|letter| letter.body.len()).sum();
        let all = sent
            .as_ref()
            .is_ok_and(|sent| sent.iter().all(|sent| *sent));
        if !all || bytes > LARGE {
            self.link = None;
        }
        sent
    }

    async fn publish(&mut self, letters: &[&Letter]) -> Result<Vec<bool>, String> {
        let link = match self
            .link
            .take()
            .filter(|link| link.channel.status().connected())
        {
            Some(link) => self.link.insert(link),
            None => {
                let link = self.connect().await.map_err(|error| error.to_string())?;
                self.link.insert(link)
            }
        };
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let failed = |error: lapin::Error| error.to_string();
        let mut confirms = Vec::with_capacity(letters.len());
        for letter in letters {
            let publish = link.channel.basic_publish(
                letter.exchange.into(),
                letter.routing_key.as_str().into(),
                options,
                &letter.body,
                letter.properties.clone(),
            );
            confirms.push(publish.await.map_err(failed)?);
        }
        let verdicts: Result<Vec<_>, _> = join_all(confirms).await.into_iter().collect();
        let verdicts = verdicts.map_err(failed)?;
        // lapin gives a message that came back to whichever confirm arrives next: then none of them is trusted.
        let came_back = |verdict: &Confirmation| {
            matches!(
                verdict,
                Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_))
            )
        };
        let trusted = !verdicts.iter().any(came_back);
        let sent = |verdict| trusted && matches!(verdict, Confirmation::Ack(None));
        Ok(verdicts.into_iter().map(sent).collect())
    }

    async fn connect(&self) -> Result<Link, BrokerError> {
        let connection = connect_amqp(&self.url, &self.name, HEARTBEAT).await?;
        let lost = |error| BrokerError::lost(&self.url, "opening a channel", error);
        let channel = connection.create_channel().await.map_err(lost)?;
        let confirm = ConfirmSelectOptions::default();
        channel.confirm_select(confirm).await.map_err(lost)?;
        declare_all(&channel, &self.topology).await?;
        Ok(Link {
            _connection: connection,
            channel,
        })
    }
}

fn refused(letter: &Letter) -> String {
    let Letter {
        exchange,
        routing_key,
        ..
    } = letter;
    format!(
        "no queue takes it from exchange {exchange:?} with key {routing_key:?}, or its queue is full"
    )
}

/// The way of many senders at once: what they have ready at the same time is published together.
#[derive(Clone, Debug)]
pub struct Outbox {
    inbox: mpsc::Sender<Pending>,
}

#[derive(Debug)]
struct Pending {
    letter: Letter,
    sent: oneshot::Sender<()>,
}

impl Outbox {
    /// Opens one, in a task that ends when the last clone of it is dropped.
    #[must_use]
    pub fn open(outlet: Outlet) -> Self {
        let (inbox, letters) = mpsc::channel(BATCH);
        tokio::spawn(carry(outlet, letters));
        Self { inbox }
    }

    /// Publishes a message. Returns when the broker has it, however long it is away or refuses it. What is dropped
    /// before may be published all the same.
    pub async fn send(&self, letter: Letter) {
        let (sent, confirmed) = oneshot::channel();
        let posted = self.inbox.send(Pending { letter, sent }).await;
        // The task ends after us.
        if posted.is_err() || confirmed.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn carry(mut outlet: Outlet, mut inbox: mpsc::Receiver<Pending>) {
    let mut retry = Retry::for_servers();
    let mut waiting: VecDeque<Pending> = VecDeque::new();
    loop {
        if waiting.is_empty() {
            match inbox.recv().await {
                Some(first) => waiting.push_back(first),
                None => return,
            }
        }
        while waiting.len() < MOST_WAITING
            && let Ok(more) = inbox.try_recv()
        {
            waiting.push_back(more);
        }
        // What failed is at the end: it does not hold up what would not fail.
        let turn: Vec<Pending> = waiting.drain(..waiting.len().min(BATCH)).collect();
        let letters: Vec<&Letter> = turn.iter().map(|one| &one.letter).collect();
        let (sent, why) = match outlet.send_all(&letters).await {
            Ok(sent) => (sent, None),
            Err(why) => (vec![false; turn.len()], Some(why)),
        };
        let (mut unsent, mut last) = (0_usize, None);
        for (pending, sent) in turn.into_iter().zip(sent) {
            if sent {
                // Nobody waits for it any more if its sender was given up.
                pending.sent.send(()).unwrap_or_default();
            } else {
                unsent += 1;
                last = Some(refused(&pending.letter));
                waiting.push_back(pending);
            }
        }
        match why.or(last) {
            None => retry.reset(),
            Some(why) => {
                tracing::warn!(
                    connection = outlet.name,
                    unsent,
                    why,
                    "messages wait to be published"
                );
                tokio::time::sleep(retry.next_delay()).await;
            }
        }
    }
}
