//! A job onto its way: checked, marked as queued, published, confirmed.
//!
//! It must never say that a job was taken before RabbitMQ has said so.

use std::time::{SystemTime, UNIX_EPOCH};

use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::names::{CONTENT_TYPE, ENQUEUED_AT_HEADER, JOBS_EXCHANGE, result_key};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use crate::client::Client;
use crate::error::{ClientError, SubmitError};
use crate::publisher::{Message, Verdict};

/// AMQP's delivery mode of a message that survives the broker's restart.
const PERSISTENT: u8 = 2;

/// A job that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// It is in its queue. If its id was sent before, it still runs once.
    Queued,
    /// A job with this id has run and its result is there: nothing was sent.
    AlreadyDone,
}

impl Client {
    /// Sends a job to the queue of its lane.
    ///
    /// Sending an id twice runs it once, so after any error the same job may be sent again.
    ///
    /// # Errors
    ///
    /// A [`SubmitError`] that tells a wrong job, a lane that no runner serves, a
    /// full queue and a server's failure apart.
    pub async fn submit(&self, job: &Job) -> Result<Submitted, SubmitError> {
        let body = job.to_wire_json();
        Job::parse(&body).map_err(SubmitError::Rejected)?;
        if self
            .has_result(&job.id)
            .await
            .map_err(SubmitError::Client)?
        {
            return Ok(Submitted::AlreadyDone);
        }
        let now_ms = now_ms();
        let marked = self
            .mark_queued(&job.id, now_ms)
            .await
            .map_err(SubmitError::Client)?;
        let message = Message {
            exchange: JOBS_EXCHANGE,
            routing_key: &job.lane,
            mandatory: true,
            body: &body,
            properties: properties(&job.id, now_ms),
        };
        let verdict = self
            .publisher
            .publish(&message)
            .await
            .map_err(|error| SubmitError::Client(ClientError::Broker(error)))?;

        let id = job.id.clone();
        let lane = job.lane.clone();
        let refusal = match verdict {
            Verdict::Stored => return Ok(Submitted::Queued),
            // It may be in the queue, so it stays marked as being there.
            Verdict::Unconfirmed => {
                let seconds = self.publisher.confirm_within.as_secs();
                return Err(SubmitError::Client(ClientError::Unconfirmed {
                    id,
                    seconds,
                }));
            }
            Verdict::Unroutable => SubmitError::NoSuchLane { id, lane },
            Verdict::Refused => SubmitError::QueueFull { id, lane },
        };
        if marked && let Err(error) = self.unmark_queued(&job.id).await {
            tracing::debug!(job = %job.id, %error, "the state of a refused job stays until it expires");
        }
        Err(refusal)
    }

    pub(crate) async fn has_result(&self, id: &JobId) -> Result<bool, ClientError> {
        let mut commands = redis::pipe();
        commands.exists(result_key(id));
        let (exists,): (bool,) = self
            .store
            .ask(id, "looking for a result", &commands)
            .await?;
        Ok(exists)
    }
}

/// The properties of every message that concerns a job.
pub(crate) fn properties(id: &JobId, now_ms: u64) -> BasicProperties {
    let mut headers = FieldTable::default();
    // AMQP's own timestamp counts whole seconds.
    let header = i64::try_from(now_ms).unwrap_or(i64::MAX);
    headers.insert(ENQUEUED_AT_HEADER.into(), AMQPValue::LongLongInt(header));
    BasicProperties::default()
        .with_message_id(id.as_str().into())
        .with_content_type(CONTENT_TYPE.into())
        .with_delivery_mode(PERSISTENT)
        .with_timestamp(now_ms / 1000)
        .with_headers(headers)
}

/// A clock before 1970 counts as 1970.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}
