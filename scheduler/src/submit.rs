//! A job onto its way: checked, marked as queued, published, confirmed.
//!
//! It must never say that a job was taken before RabbitMQ has said so.

use std::time::{SystemTime, UNIX_EPOCH};

use glovebox_schemas::job::Job;
use glovebox_schemas::names::JOBS_EXCHANGE;

use crate::client::Client;
use crate::error::{ClientError, SubmitError};
use crate::mark::Known;
use crate::message::Message;
use crate::publisher::Verdict;

/// A job that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// It is in its queue.
    Queued,
    /// It is in its queue, and its id was sent before: that copy may be queued,
    /// running or lost. It still runs once.
    QueuedAgain,
    /// The job with this id has run, or was cancelled, and nothing was sent. Its
    /// result may have expired; to run it again, give it another id.
    AlreadyDone,
}

impl Client {
    /// Sends a job to the queue of its lane.
    ///
    /// Sending an id twice runs it once, so after any error the same job may be
    /// sent again. A second copy is sent as long as the job has no result: nobody
    /// can tell whether the first one has arrived.
    ///
    /// # Errors
    ///
    /// A [`SubmitError`] that tells a wrong job, a lane that no runner serves, a
    /// full queue, a broker that takes nothing and a server's failure apart.
    pub async fn submit(&self, job: &Job) -> Result<Submitted, SubmitError> {
        let body = job.to_wire_json();
        Job::parse(&body).map_err(SubmitError::Rejected)?;
        let sent_ms = now_ms();
        let known = self
            .mark_queued(job, sent_ms)
            .await
            .map_err(SubmitError::Client)?;
        let submitted = match known {
            Known::New => Submitted::Queued,
            Known::Sent => Submitted::QueuedAgain,
            Known::Done => return Ok(Submitted::AlreadyDone),
        };
        let mut message = Message {
            exchange: JOBS_EXCHANGE,
            routing_key: &job.lane,
            mandatory: true,
            body: &body,
            id: &job.id,
            sent_ms,
            is_first: known == Known::New,
            may_have_arrived: false,
        };
        let (id, lane) = (job.id.clone(), job.lane.clone());
        let refusal = match self.publisher.publish(&mut message).await {
            Ok(Verdict::Stored) => return Ok(submitted),
            Ok(Verdict::Unroutable) => SubmitError::NoSuchLane { id, lane },
            Ok(Verdict::Refused) => SubmitError::QueueFull { id, lane },
            Ok(Verdict::Blocked) => SubmitError::Client(ClientError::Blocked { id }),
            Ok(Verdict::Unconfirmed) => {
                let seconds = self.publisher.confirm_within.as_secs();
                SubmitError::Client(ClientError::Unconfirmed { id, seconds })
            }
            Err(error) => SubmitError::Client(ClientError::Broker(error)),
        };
        // What may be in the queue stays marked as being there.
        let is_refused = !matches!(refusal, SubmitError::Client(_));
        if (is_refused || !message.may_have_arrived)
            && let Err(error) = self.unmark_queued(&job.id, sent_ms).await
        {
            tracing::debug!(job = %job.id, %error, "the state of a refused job stays until it expires");
        }
        Err(refusal)
    }
}

/// A clock before 1970 counts as 1970.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}
