//! Cancelling a job, wherever it is.
//!
//! Two ways at once, because a job is in one of two places. One that runs is
//! stopped by a message to every runner; one that still waits is stopped by a
//! mark that its runner finds. A runner listens first, then looks for the mark,
//! then starts: so no job slips between the two. Neither way may be left out.

use glovebox_schemas::control::Cancel;
use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{CONTROL_EXCHANGE, RESULT_TTL_SECONDS, cancel_key, result_key};

use crate::client::Client;
use crate::error::ClientError;
use crate::message::Message;
use crate::publisher::Verdict;
use crate::state::{JobState, Phase};
use crate::store::Doing;
use crate::submit::now_ms;

/// How long a cancellation is remembered for a job that still waits.
const CANCEL_SECONDS: u64 = RESULT_TTL_SECONDS;

impl Client {
    /// Cancels a job and returns how far it was. The result, `cancelled` or
    /// whatever came first, arrives as any other.
    ///
    /// A job that is done stays as it is. An id that is not known is cancelled
    /// as well, should it turn up.
    ///
    /// # Errors
    ///
    /// When a server fails. If only RabbitMQ does, the mark is set: a job that
    /// still waits will not be started.
    pub async fn cancel(&self, id: &JobId) -> Result<Option<JobState>, ClientError> {
        let was = self.state(id).await?;
        let mut exists = redis::pipe();
        exists.exists(result_key(id));
        let (is_done,): (bool,) = self
            .store
            .ask(Doing::of(id, "looking for a result"), &exists)
            .await?;
        if is_done {
            let (attempt, runner) = was.map_or((None, None), |was| (was.attempt, was.runner));
            return Ok(Some(JobState {
                phase: Phase::Done,
                attempt,
                runner,
            }));
        }
        let mut commands = redis::pipe();
        commands
            .set_ex(cancel_key(id), "1", CANCEL_SECONDS)
            .ignore();
        let doing = Doing::of(id, "marking the end");
        let () = self.store.ask(doing, &commands).await?;

        let mut message = Message {
            exchange: CONTROL_EXCHANGE,
            routing_key: "",
            // With no runner there, nobody runs it either.
            mandatory: false,
            body: &Cancel::new(id.clone()).to_wire_json(),
            id,
            sent_ms: now_ms(),
            is_first: false,
            may_have_arrived: false,
        };
        match self
            .publisher
            .publish(&mut message)
            .await
            .map_err(ClientError::Broker)?
        {
            Verdict::Stored | Verdict::Unroutable => Ok(was),
            Verdict::Blocked => Err(ClientError::Blocked { id: id.clone() }),
            Verdict::Refused | Verdict::Unconfirmed => Err(ClientError::Unconfirmed {
                id: id.clone(),
                seconds: self.publisher.confirm_within.as_secs(),
            }),
        }
    }
}
