//! Publishing with confirms: a message counts as sent when RabbitMQ says so.
//!
//! It must never connect for each caller: whoever publishes while there is no
//! connection shares one attempt, and its failure.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use glovebox_broker::{BrokerError, without_password};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::link::Link;
use crate::message::Message;

const IN_FLIGHT: usize = 64;
/// How long an attempt to connect that failed speaks for those who come after it.
const FAILURE_STANDS: Duration = Duration::from_millis(200);

/// What RabbitMQ said of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Stored,
    Unroutable,
    Refused,
    /// It takes nothing from anybody: an alarm.
    Blocked,
    /// Nothing in time: it may be stored or not.
    Unconfirmed,
}

pub(crate) struct Publisher {
    url: String,
    pub(crate) confirm_within: Duration,
    link: Mutex<Option<Connecting>>,
    in_flight: Semaphore,
}

/// A connection, or the attempt to make one, that all share.
type Connecting = Shared<BoxFuture<'static, Result<Arc<Link>, Failure>>>;

#[derive(Clone)]
struct Failure {
    error: Arc<BrokerError>,
    at: Instant,
}

impl Publisher {
    pub(crate) fn new(url: String, confirm_within: Duration) -> Self {
        Self {
            url,
            confirm_within,
            link: Mutex::default(),
            in_flight: Semaphore::new(IN_FLIGHT),
        }
    }

    /// Publishes one message and waits for the verdict. A connection that broke
    /// is made again once: what is published here may arrive twice.
    pub(crate) async fn publish(
        &self,
        message: &mut Message<'_>,
    ) -> Result<Verdict, Arc<BrokerError>> {
        // The semaphore is never closed; were it, going without a permit is no harm.
        let _permit = self.in_flight.acquire().await.ok();
        let deadline = Instant::now() + self.confirm_within;
        let mut is_second_attempt = false;
        loop {
            let link = self.link(deadline).await?;
            match timeout_at(deadline, link.publish(message)).await {
                Ok(Ok(verdict)) => return Ok(verdict),
                Ok(Err(error)) if is_second_attempt => {
                    return Err(Arc::new(BrokerError::lost(&self.url, "publishing", error)));
                }
                Ok(Err(error)) => {
                    tracing::debug!(%error, "publishing failed, connecting again");
                    self.forget(&link);
                    is_second_attempt = true;
                }
                Err(_) => {
                    self.forget(&link);
                    return Ok(Verdict::Unconfirmed);
                }
            }
        }
    }

    /// The connection in use, or a new one.
    async fn link(&self, deadline: Instant) -> Result<Arc<Link>, Arc<BrokerError>> {
        let connecting = {
            let mut slot = self.slot();
            match slot.as_ref().filter(|connecting| still_good(connecting)) {
                Some(connecting) => connecting.clone(),
                None => slot.insert(connecting(self.url.clone())).clone(),
            }
        };
        match timeout_at(deadline, connecting).await {
            Ok(outcome) => outcome.map_err(|failure| failure.error),
            Err(_) => Err(Arc::new(BrokerError::silent(
                &self.url,
                self.confirm_within,
            ))),
        }
    }

    /// Lets go of a connection that failed, unless another one has taken its place.
    fn forget(&self, broken: &Arc<Link>) {
        let mut slot = self.slot();
        let current = slot.as_ref().and_then(Shared::peek);
        if current.is_some_and(|link| link.as_ref().is_ok_and(|link| Arc::ptr_eq(link, broken))) {
            *slot = None;
        }
    }

    fn slot(&self) -> MutexGuard<'_, Option<Connecting>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connecting(url: String) -> Connecting {
    async move {
        let outcome = Link::connect(&url).await;
        outcome.map(Arc::new).map_err(|error| Failure {
            error: Arc::new(error),
            at: Instant::now(),
        })
    }
    .boxed()
    .shared()
}

fn still_good(connecting: &Connecting) -> bool {
    match connecting.peek() {
        None => true,
        Some(Ok(link)) => link.is_up(),
        Some(Err(failure)) => failure.at.elapsed() < FAILURE_STANDS,
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Publisher")
            .field(&without_password(&self.url))
            .finish()
    }
}
