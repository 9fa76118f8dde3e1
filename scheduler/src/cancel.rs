//! Cancelling a job, wherever it is.
//!
//! A job that waits has its result at once, and whoever is delivered it finds
//! that. One that runs is stopped by a message to every runner, and by a mark
//! that its runner looks for: before it starts a job, and once a second while it
//! runs one. It must never end with neither mark nor result, nor with a result
//! over another.

use std::slice;
use std::sync::LazyLock;
use std::time::Duration;

use glovebox_schemas::control::Cancel;
use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{
    CONTROL_EXCHANGE, QUEUED, RESULT_TTL_SECONDS, STATE_TTL_SECONDS, cancel_key, done_channel,
    result_key, state_key, tenant_key,
};
use glovebox_schemas::result::{JobResult, Status, millis};
use jiff::Timestamp;
use redis::Script;
use tokio::time::timeout;

use crate::client::Client;
use crate::error::ClientError;
use crate::message::Message;
use crate::publisher::Verdict;
use crate::state::{JobState, Phase, Record};
use crate::store::Doing;
use crate::submit::now_ms;

/// The runner finds the mark before this is over.
const TELL_WITHIN: Duration = Duration::from_secs(5);

static CANCEL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("cancel.lua")));

/// A job that was cancelled, or was done before.
#[derive(Debug)]
pub struct Cancelled {
    /// How far it was; `None` when the id is not known.
    pub was: Option<JobState>,
    /// Why the runners could not be told, if they could not. Whichever runs the
    /// job looks for the mark once a second and stops it then.
    pub untold: Option<ClientError>,
}

impl Client {
    /// Cancels a job. The result, `cancelled` or whatever came first, arrives as
    /// any other; that of a job that waited in its queue is there already.
    ///
    /// A job that is done stays as it is. An id that is not known is cancelled
    /// as well, should it turn up.
    ///
    /// # Errors
    ///
    /// When Redis fails. Without RabbitMQ it is done all the same, a little later.
    pub async fn cancel(&self, id: &JobId) -> Result<Cancelled, ClientError> {
        let record = self.record(id).await?;
        let result = result_of_cancelled(id, &record);
        let mut cancel = CANCEL.prepare_invoke();
        cancel
            .key(result_key(id))
            .key(cancel_key(id))
            .key(state_key(id))
            .key(done_channel(id))
            .arg(result.to_json())
            .arg(RESULT_TTL_SECONDS)
            .arg(STATE_TTL_SECONDS)
            .arg(Status::Cancelled.as_str())
            .arg(tenant_key(""))
            .arg(QUEUED)
            .arg(id.as_str());
        let doing = Doing::of(id, "marking the end");
        let word: String = self.store.run(doing, &cancel).await?;
        let phase = (!word.is_empty()).then(|| Phase::from_word(&word));
        let untold = match phase {
            Some(Phase::Queued | Phase::Done) => None,
            _ => self.tell(id).await.err(),
        };
        let was = match phase {
            Some(phase) => Some(self.judge(id, &record, phase).await?),
            None => None,
        };
        Ok(Cancelled { was, untold })
    }

    async fn tell(&self, id: &JobId) -> Result<(), ClientError> {
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
            verdict: None,
        };
        let published = self.publisher.publish(slice::from_mut(&mut message));
        if let Ok(Err(error)) = timeout(TELL_WITHIN, published).await {
            return Err(ClientError::Broker(error));
        }
        let id = id.clone();
        match message.verdict {
            Some(Verdict::Stored | Verdict::Unroutable) => Ok(()),
            Some(Verdict::Blocked) => Err(ClientError::Blocked { id }),
            Some(Verdict::Refused | Verdict::Unconfirmed) | None => {
                let seconds = TELL_WITHIN.min(self.publisher.confirm_within).as_secs();
                Err(ClientError::Unconfirmed { id, seconds })
            }
        }
    }
}

/// What a runner would write that is delivered the job now.
fn result_of_cancelled(id: &JobId, record: &Record) -> JobResult {
    let now = Timestamp::now();
    let mut result = JobResult::new(id.clone(), Status::Cancelled, "");
    result.attempt = record.attempt().unwrap_or(0).saturating_add(1);
    result.earlier_attempts = record.history();
    result.metadata = record.metadata();
    result.times.enqueued_at = record.enqueued_at();
    result.times.finished_at = Some(now);
    // Two hosts' clocks may disagree by more than the job waited.
    result.times.queue_ms = record.enqueued_at().map(|enqueued| {
        let waited = Duration::try_from(now.duration_since(enqueued));
        millis(waited.unwrap_or_default())
    });
    result
}
