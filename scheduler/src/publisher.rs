//! Publishing with confirms: a message counts as sent when RabbitMQ says so.
//!
//! It must never take silence for consent, nor wait for it without a limit.

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, slice};

use glovebox_broker::{BrokerError, without_password};
use glovebox_schemas::control::Serve;
use glovebox_schemas::job::JobId;
use glovebox_schemas::names::CONTROL_EXCHANGE;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::attempt::Attempt;
use crate::link::Link;
use crate::message::Message;
use crate::submit::now_ms;

const IN_FLIGHT: usize = 64;

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
    link: Attempt<Arc<Link>>,
    in_flight: Semaphore,
}

impl Publisher {
    pub(crate) fn new(url: String, confirm_within: Duration) -> Self {
        Self {
            url,
            confirm_within,
            link: Attempt::new(),
            in_flight: Semaphore::new(IN_FLIGHT),
        }
    }

    /// Publishes messages, all at once, and waits for the verdict on each. A connection that broke is made again once
    /// for those that have none by then: what is published here may arrive twice.
    ///
    /// After an error the verdicts that were given stand.
    pub(crate) async fn publish(
        &self,
        messages: &mut [Message<'_>],
    ) -> Result<(), Arc<BrokerError>> {
        // The semaphore is never closed; were it, going without a permit is no harm.
        let _permit = self.in_flight.acquire().await.ok();
        let deadline = Instant::now() + self.confirm_within;
        let mut is_second_attempt = false;
        loop {
            let link = self.link(deadline).await?;
            let outcome = link.publish(messages, deadline).await;
            let is_silent = |message: &Message<'_>| message.verdict == Some(Verdict::Unconfirmed);
            if outcome.is_err() || messages.iter().any(is_silent) {
                self.link.forget(|current| Arc::ptr_eq(current, &link));
            }
            let Err(error) = outcome else {
                return Ok(());
            };
            if is_second_attempt {
                return Err(Arc::new(BrokerError::lost(&self.url, "publishing", error)));
            }
            tracing::debug!(%error, "publishing failed, connecting again");
            is_second_attempt = true;
        }
    }

    /// Returns once there is a connection that can be used.
    pub(crate) async fn connected(&self, deadline: Instant) -> Result<(), Arc<BrokerError>> {
        self.link(deadline).await.map(drop)
    }

    /// Makes the queue of a tenant in a lane and tells the runners, all of this for a job; false if no runner has ever
    /// served the lane.
    pub(crate) async fn open(
        &self,
        lane: &str,
        tenant: &str,
        id: &JobId,
    ) -> Result<bool, Arc<BrokerError>> {
        let deadline = Instant::now() + self.confirm_within;
        let silent = |_| Arc::new(BrokerError::silent(&self.url, self.confirm_within));
        let link = self.link(deadline).await?;
        let opened = timeout_at(deadline, link.open(&self.url, lane, tenant)).await;
        if !opened.map_err(silent)?.map_err(Arc::new)? {
            return Ok(false);
        }
        let mut message = Message {
            exchange: CONTROL_EXCHANGE,
            routing_key: "",
            mandatory: false,
            body: &Serve::new(lane, tenant).to_wire_json(),
            id,
            sent_ms: now_ms(),
            is_first: false,
            may_have_arrived: false,
            verdict: None,
        };
        // Runners that do not hear it look for themselves now and then.
        self.publish(slice::from_mut(&mut message)).await?;
        Ok(true)
    }

    /// The connection in use, or a new one.
    async fn link(&self, deadline: Instant) -> Result<Arc<Link>, Arc<BrokerError>> {
        let url = self.url.clone();
        let connect = || async move { Link::connect(&url).await.map(Arc::new) };
        let link = self.link.get(|link| link.is_up(), connect);
        match timeout_at(deadline, link).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Arc::new(BrokerError::silent(
                &self.url,
                self.confirm_within,
            ))),
        }
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Publisher")
            .field(&without_password(&self.url))
            .finish()
    }
}
