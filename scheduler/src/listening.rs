//! One connection on which all waiters of a client listen for their jobs.
//!
//! What it hears is a hint and never the result. It must never keep a waiter in the belief that it listens once the
//! connection is gone.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::StreamExt as _;
use glovebox_broker::{BrokerError, Service, subscribe, without_password};
use glovebox_schemas::job::JobId;
use glovebox_schemas::names::done_channel;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{ErrorKind, RedisError, RedisResult};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::attempt::Attempt;
use crate::error::ClientError;

/// Listened to for its own sake: a login that may not listen shows at once.
const NOBODYS_CHANNEL: &str = "glovebox:done";
/// For the answer that a channel is listened to.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// The place of the connection, made at first use and again when it was lost.
pub(crate) struct Listening {
    url: String,
    line: Attempt<Arc<Line>>,
}

/// The connection. Closed with its last waiter and the client.
struct Line {
    sink: PubSubSink,
    _hears: AbortOnDropHandle<()>,
    /// By channel. What is subscribed to and what is in here change together; nothing is, once the connection has ended.
    heard: Mutex<Option<HashMap<String, watch::Sender<()>>>>,
}

/// Hears of one job until it is dropped.
pub(crate) struct Ear {
    line: Arc<Line>,
    channel: String,
    told: watch::Receiver<()>,
}

impl Listening {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            line: Attempt::new(),
        }
    }

    /// Returns once a message about this job's end can't be missed any more.
    pub(crate) async fn listen(&self, id: &JobId) -> Result<Ear, ClientError> {
        self.listen_to(done_channel(id)).await
    }

    /// Returns once a message of this channel can't be missed any more.
    pub(crate) async fn listen_to(&self, channel: String) -> Result<Ear, ClientError> {
        let mut ears = self.listen_to_all(vec![channel]).await?;
        Ok(ears.pop().expect("one ear for one channel"))
    }

    /// The same for each of these channels, with one request. At least one.
    pub(crate) async fn listen_to_all(
        &self,
        channels: Vec<String>,
    ) -> Result<Vec<Ear>, ClientError> {
        let url = self.url.clone();
        let connect = || async move { Line::connect(&url).await };
        let line = self.line.get(|line| line.is_up(), connect).await;
        let line = line.map_err(ClientError::Broker)?;
        match timeout(ANSWER_WITHIN, Arc::clone(&line).listen(channels)).await {
            Ok(Ok(ears)) => Ok(ears),
            Ok(Err(error)) => Err(self.lost(error)),
            Err(elapsed) => {
                self.let_go(&line);
                Err(self.lost(elapsed))
            }
        }
    }

    /// It was silent where it should have spoken: whoever listens next gets another connection.
    pub(crate) fn is_deaf(&self, ear: &Ear) {
        self.let_go(&ear.line);
    }

    fn let_go(&self, line: &Arc<Line>) {
        self.line.forget(|current| Arc::ptr_eq(current, line));
    }

    pub(crate) fn lost(&self, why: impl Into<Box<dyn Error + Send + Sync>>) -> ClientError {
        ClientError::broker(BrokerError::Lost {
            service: Service::Redis,
            at: without_password(&self.url),
            doing: "listening for results",
            source: why.into(),
        })
    }
}

impl Line {
    async fn connect(url: &str) -> Result<Arc<Line>, BrokerError> {
        let (sink, stream) = subscribe(url, NOBODYS_CHANNEL).await?.split();
        Ok(Arc::new_cyclic(|line| Line {
            sink,
            _hears: AbortOnDropHandle::new(tokio::spawn(hear(line.clone(), stream))),
            heard: Mutex::new(Some(HashMap::new())),
        }))
    }

    fn is_up(&self) -> bool {
        self.heard().is_some()
    }

    async fn listen(self: Arc<Self>, channels: Vec<String>) -> Result<Vec<Ear>, RedisError> {
        let mut sink = self.sink.clone();
        let mut subscribing = pin!(sink.subscribe(&channels));
        let (told, sent) = {
            let mut heard = self.heard();
            let ended = || RedisError::from((ErrorKind::Io, "the connection has ended"));
            let heard = heard.as_mut().ok_or_else(ended)?;
            // Whoever is not the first asks as well: the answer says that nothing can be missed.
            let told = channels.iter().map(|channel| {
                let heard = heard.entry(channel.clone()).or_default();
                heard.subscribe()
            });
            let told: Vec<_> = told.collect();
            (told, send(subscribing.as_mut()))
        };
        let ears = channels.iter().zip(told).map(|(channel, told)| Ear {
            line: Arc::clone(&self),
            channel: channel.clone(),
            told,
        });
        let ears = ears.collect();
        // With several threads the answer may be here already.
        let answer = match sent {
            Poll::Ready(answer) => answer,
            Poll::Pending => subscribing.await,
        };
        answer.map(|()| ears)
    }

    fn heard(&self) -> MutexGuard<'_, Option<HashMap<String, watch::Sender<()>>>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request to Redis is sent with its first poll: here, so in the order in which the lock is taken.
fn send(request: Pin<&mut impl Future<Output = RedisResult<()>>>) -> Poll<RedisResult<()>> {
    request.poll(&mut Context::from_waker(Waker::noop()))
}

/// Wakes the waiters until the connection ends.
async fn hear(line: Weak<Line>, mut stream: PubSubStream) {
    while let Some(message) = stream.next().await {
        let Some(line) = line.upgrade() else { return };
        if let Some(heard) = line.heard().as_ref()
            && let Some(one) = heard.get(message.get_channel_name())
        {
            one.send_replace(());
        }
    }
    if let Some(line) = line.upgrade() {
        line.heard().take();
    }
}

impl Ear {
    /// Returns with the next message; false if the connection has ended.
    pub(crate) async fn told(&mut self) -> bool {
        self.told.changed().await.is_ok()
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        let mut heard = self.line.heard();
        let Some(channels) = heard.as_mut() else {
            return;
        };
        // Another one than this.
        let is_last = |one: &watch::Sender<()>| one.receiver_count() <= 1;
        if channels.get(&self.channel).is_some_and(is_last) {
            channels.remove(&self.channel);
            let mut sink = self.line.sink.clone();
            // Nobody waits for the answer.
            drop(send(pin!(sink.unsubscribe(&self.channel))));
        }
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listening")
            .field(&without_password(&self.url))
            .finish()
    }
}
