//! A job's result: now, or when it is there.
//!
//! The order is what makes waiting safe: subscribe, then look, then listen, and
//! look again after every message, every lost connection and every two seconds.
//! A message that went by unheard costs time and never the result. It must never
//! wait with BLPOP: an abandoned one still takes what it waited for.

use std::time::Duration;

use glovebox_broker::{BrokerError, Retry, Service, without_password};
use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{result_key, state_key};
use glovebox_schemas::result::JobResult;
use tokio::time::{Instant, timeout};

use crate::client::Client;
use crate::error::ClientError;
use crate::store::Doing;

/// A listening connection whose peer froze says nothing at all: this finds out.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// A look that takes this long is not answered any more.
const SILENT: Duration = Duration::from_secs(1);

/// How a waiter's looks go, and its attempts to listen.
#[derive(Default)]
struct Look {
    /// When the one under way was begun.
    begun: Option<Instant>,
    /// Why Redis does not answer just now, if it does not.
    trouble: Option<ClientError>,
}

impl Client {
    /// The result of a job, if it is there.
    ///
    /// # Errors
    ///
    /// When Redis fails, when the result cannot be read, and when it was there and has expired.
    pub async fn result(&self, id: &JobId) -> Result<Option<JobResult>, ClientError> {
        let doing = Doing::of(id, "reading the result");
        let mut both = redis::pipe();
        both.get(result_key(id)).hget(state_key(id), "state");
        let (stored, state): (Option<Vec<u8>>, Option<String>) =
            self.store.ask(doing, &both).await?;
        let stored = match (stored, state.as_deref()) {
            (None, Some("done")) => {
                // A result is stored before its state says so: look once more.
                let mut again = redis::pipe();
                again.get(result_key(id));
                let (stored,): (Option<Vec<u8>>,) = self.store.ask(doing, &again).await?;
                Some(stored.ok_or_else(|| ClientError::ResultExpired { id: id.clone() })?)
            }
            (stored, _) => stored,
        };
        stored
            .map(|json| JobResult::from_json(&json))
            .transpose()
            .map_err(|source| ClientError::UnreadableResult {
                id: id.clone(),
                source,
            })
    }

    /// The results of many jobs as they are stored, in one packet; `None` where there is none now.
    pub(crate) async fn stored(&self, ids: &[&JobId]) -> Result<Vec<Option<Vec<u8>>>, ClientError> {
        let mut commands = redis::pipe();
        commands.mget(ids.iter().map(|id| result_key(id)).collect::<Vec<_>>());
        let doing = Doing::of_none("reading results");
        let (stored,) = self.store.ask(doing, &commands).await?;
        Ok(stored)
    }

    /// Waits for a job's result; `None` when it is not there within `limit`.
    ///
    /// Connections that are lost meanwhile are made again.
    ///
    /// # Errors
    ///
    /// As [`result`](Self::result), but Redis may fail in between: it is an
    /// error only at the first look and when time is up.
    pub async fn wait(
        &self,
        id: &JobId,
        limit: Duration,
    ) -> Result<Option<JobResult>, ClientError> {
        let mut look = Look::default();
        let outcome = timeout(limit, async {
            if let Some(result) = self.look(id, &mut look).await? {
                return Ok(result);
            }
            self.listen_until_done(id, &mut look).await
        })
        .await;
        match outcome {
            Ok(outcome) => outcome.map(Some),
            Err(_) => match look.trouble.or_else(|| self.silence(look.begun)) {
                Some(trouble) => Err(trouble),
                None => Ok(None),
            },
        }
    }

    async fn look(&self, id: &JobId, look: &mut Look) -> Result<Option<JobResult>, ClientError> {
        look.begun = Some(Instant::now());
        let found = self.result(id).await;
        look.begun = None;
        found
    }

    /// A look that has waited for its answer for too long is why there is no result.
    fn silence(&self, begun: Option<Instant>) -> Option<ClientError> {
        let waited = begun?.elapsed();
        (waited >= SILENT).then(|| self.silent(waited))
    }

    /// Redis has not answered for so long.
    pub(crate) fn silent(&self, waited: Duration) -> ClientError {
        ClientError::broker(BrokerError::Silent {
            service: Service::Redis,
            at: without_password(&self.store.url),
            seconds: waited.as_secs(),
        })
    }

    async fn listen_until_done(
        &self,
        id: &JobId,
        look: &mut Look,
    ) -> Result<JobResult, ClientError> {
        let mut retry = Retry::for_servers();
        loop {
            let error = match self.listen(id, &mut retry, look).await {
                Err(error) if error.is_temporary() => error,
                outcome => return outcome,
            };
            tracing::debug!(job = %id, %error, "a waiting client lost Redis and will connect again");
            look.trouble = Some(error);
            tokio::time::sleep(retry.next_delay()).await;
            if let Ok(Some(result)) = self.look(id, look).await {
                return Ok(result);
            }
        }
    }

    /// Listens on one connection until the result is there or the connection is not.
    async fn listen(
        &self,
        id: &JobId,
        retry: &mut Retry,
        look: &mut Look,
    ) -> Result<JobResult, ClientError> {
        look.begun = Some(Instant::now());
        let ear = self.listening.listen(id).await;
        look.begun = None;
        let mut ear = ear?;
        let mut heard = true;
        loop {
            if let Some(result) = self.look(id, look).await? {
                if !heard {
                    self.listening.is_deaf(&ear);
                }
                return Ok(result);
            }
            retry.reset();
            look.trouble = None;
            heard = match timeout(LOOK_AGAIN, ear.told()).await {
                Ok(true) => true,
                Ok(false) => return Err(self.listening.lost("the connection ended")),
                Err(_) => false,
            };
        }
    }
}
