//! Jobs onto their way: checked, marked as queued, published, confirmed. One job goes as a batch of one.
//!
//! It must never say that a job was taken before RabbitMQ has said so.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use glovebox_broker::BrokerError;
use glovebox_schemas::job::{Job, JobId, Rejection};
use glovebox_schemas::names::{DEFAULT_TENANT, JOBS_EXCHANGE, lane_and_tenant, route};
use tokio::time::sleep;

use crate::client::Client;
use crate::error::{ClientError, SubmitError};
use crate::mark::{Known, Marked};
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

/// What one job's submission came to.
type Outcome = Result<Submitted, SubmitError>;

/// Jobs that share their round trips. More would not go faster: the broker is busy with these.
const BATCH: usize = 256;
/// Bytes after which a batch takes no further job.
const BATCH_BYTES: usize = 1 << 20;
/// While one is published the next is marked.
const BATCHES_IN_FLIGHT: usize = 2;

impl Client {
    /// Sends a job to the queue of its lane, or of its tenant there.
    ///
    /// Sending an id twice runs it once, so after any error the same job may be
    /// sent again. A second copy is sent as long as the job has no result: nobody
    /// can tell whether the first one has arrived.
    ///
    /// # Errors
    ///
    /// A [`SubmitError`] that tells a wrong job, a lane that no runner serves, a
    /// full queue, a tenant at its limit, a broker that takes nothing and a server's failure apart.
    pub async fn submit(&self, job: &Job) -> Result<Submitted, SubmitError> {
        let mut outcomes = self.submit_batch(vec![Outgoing::new(job)]).await;
        outcomes.pop().expect("one job has one outcome")
    }

    /// Sends many jobs, each with all that [`submit`](Self::submit) promises, and tells in their order what came of
    /// each: one that fails does not keep the others from their queues. They arrive in about this order.
    ///
    /// Up to 256 jobs share a round trip to Redis and one to RabbitMQ, so this takes a fraction of the time of as many
    /// single ones. Whoever has more than fits into memory hands over some hundreds at a time.
    pub async fn submit_all<'a>(
        &self,
        jobs: impl IntoIterator<Item = &'a Job>,
    ) -> Vec<Result<Submitted, SubmitError>> {
        let mut outcomes = Vec::new();
        let (mut batches, mut in_flight) = (batches(jobs.into_iter()), FuturesOrdered::new());
        loop {
            while in_flight.len() < BATCHES_IN_FLIGHT
                && let Some(batch) = batches.next()
            {
                in_flight.push_back(self.submit_batch(batch));
            }
            match in_flight.next().await {
                Some(done) => outcomes.extend(done),
                None => return outcomes,
            }
        }
    }

    async fn submit_batch(&self, batch: Vec<Outgoing<'_>>) -> Vec<Outcome> {
        let sent_ms = now_ms();
        let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(batch.len());
        let mut marked = self.mark_valid(&batch, sent_ms).await.into_iter();
        let mut messages = Vec::with_capacity(batch.len());
        let mut unserved = BTreeMap::new();
        for outgoing in &batch {
            let marked = match &outgoing.rejection {
                Some(rejection) => Err(SubmitError::Rejected(rejection.clone())),
                None => marked.next().expect("each valid job was marked"),
            };
            outcomes.push(match marked.map(|one| (outgoing.decided(&one), one)) {
                Ok((None, marked)) => {
                    if !marked.is_served {
                        unserved.insert(outgoing.route.as_str(), &outgoing.job.id);
                    }
                    messages.push(outgoing.message(&marked, sent_ms));
                    None
                }
                Ok((decided, _)) => decided,
                Err(error) => Some(Err(error)),
            });
        }
        let error = self.send(&mut messages, unserved).await.err();
        self.unmark_refused(&messages, sent_ms).await;
        let mut published = messages.iter().map(|one| self.judge_sent(one, &error));
        let outcomes = outcomes.into_iter();
        let mut outcome = |known: Option<Outcome>| known.or_else(|| published.next());
        outcomes
            .map(|known| outcome(known).expect("each job without an outcome was published"))
            .collect()
    }

    /// Publishes jobs. The queue of a tenant is made first where no runner may know of it, and where it turns out not to
    /// be there.
    async fn send<'a>(
        &self,
        messages: &mut [Message<'a>],
        unserved: BTreeMap<&'a str, &'a JobId>,
    ) -> Result<(), Arc<BrokerError>> {
        let mut opened: BTreeSet<&str> = unserved.keys().copied().collect();
        self.open(messages, unserved).await?;
        if messages.is_empty() {
            return Ok(());
        }
        let published = self.publisher.publish(messages).await;
        let absent = take_back(messages, &opened);
        // What came back has no verdict then: it may be sent again.
        published?;
        if !absent.is_empty() {
            opened.extend(absent.keys());
            self.open(messages, absent).await?;
            self.publisher.publish(messages).await?;
        }
        self.send_again(messages, &opened).await
    }

    /// A quorum queue of a tenant that somebody is making at this moment exists, and refuses everything until it has a
    /// leader. One that was there before is full rather, and is not pressed.
    async fn send_again(
        &self,
        messages: &mut [Message<'_>],
        opened: &BTreeSet<&str>,
    ) -> Result<(), Arc<BrokerError>> {
        for (at, pause_ms) in [20, 50, 100, 200, 400, 800].into_iter().enumerate() {
            let mut is_any = false;
            for message in messages.iter_mut() {
                let route = message.routing_key;
                let may_be_new =
                    opened.contains(route) || at < 3 && tenant_of(route) != DEFAULT_TENANT;
                if message.verdict == Some(Verdict::Refused) && may_be_new {
                    message.verdict = None;
                    is_any = true;
                }
            }
            if !is_any {
                break;
            }
            sleep(Duration::from_millis(pause_ms)).await;
            self.publisher.publish(messages).await?;
        }
        Ok(())
    }

    /// Makes the queues of these routes, each for the sake of a job. What is for one of a lane that nobody has ever
    /// served has its verdict then.
    async fn open<'a>(
        &self,
        messages: &mut [Message<'a>],
        routes: BTreeMap<&'a str, &'a JobId>,
    ) -> Result<(), Arc<BrokerError>> {
        for (route, id) in routes {
            let Some((lane, tenant)) = lane_and_tenant(route) else {
                continue;
            };
            if self.publisher.open(lane, tenant, id).await? {
                continue;
            }
            self.forget_route(route, id).await;
            let stranded = messages
                .iter_mut()
                .filter(|one| one.routing_key == route && one.verdict.is_none());
            stranded.for_each(|one| one.verdict = Some(Verdict::Unroutable));
        }
        Ok(())
    }

    async fn mark_valid(
        &self,
        batch: &[Outgoing<'_>],
        sent_ms: u64,
    ) -> Vec<Result<Marked, SubmitError>> {
        let valid = batch.iter().filter(|one| one.rejection.is_none());
        let valid: Vec<&Job> = valid.map(|one| one.job).collect();
        if valid.is_empty() {
            return Vec::new();
        }
        let marked = self.mark_queued(&valid, sent_ms).await.into_iter();
        marked
            .map(|known| known.map_err(SubmitError::Client))
            .collect()
    }

    /// What may be in the queue stays marked as being there.
    async fn unmark_refused(&self, messages: &[Message<'_>], sent_ms: u64) {
        // Of two copies of one id in a batch the other may be there.
        let kept: BTreeSet<&str> = messages
            .iter()
            .filter(|one| !is_nowhere(one))
            .map(|one| one.id.as_str())
            .collect();
        let refused: Vec<(&JobId, &str)> = messages
            .iter()
            .filter(|one| is_nowhere(one) && !kept.contains(one.id.as_str()))
            .map(|one| (one.id, tenant_of(one.routing_key)))
            .collect();
        if !refused.is_empty()
            && let Err(error) = self.unmark_queued(&refused, sent_ms).await
        {
            tracing::debug!(%error, "the states of refused jobs stay until they expire");
        }
    }

    fn judge_sent(&self, message: &Message<'_>, error: &Option<Arc<BrokerError>>) -> Outcome {
        let id = message.id.clone();
        let lane = lane_and_tenant(message.routing_key).map_or("", |(lane, _)| lane);
        let lane = lane.to_owned();
        let failed = match (message.verdict, error) {
            (Some(Verdict::Stored), _) if message.is_first => return Ok(Submitted::Queued),
            (Some(Verdict::Stored), _) => return Ok(Submitted::QueuedAgain),
            (Some(Verdict::Unroutable), _) => return Err(SubmitError::NoSuchLane { id, lane }),
            (Some(Verdict::Refused), _) => return Err(SubmitError::QueueFull { id, lane }),
            (Some(Verdict::Blocked), _) => ClientError::Blocked { id },
            (None, Some(error)) => ClientError::Broker(Arc::clone(error)),
            (Some(Verdict::Unconfirmed), _) | (None, None) => {
                let seconds = self.publisher.confirm_within.as_secs();
                ClientError::Unconfirmed { id, seconds }
            }
        };
        Err(SubmitError::Client(failed))
    }
}

/// Whether it is sure that no queue has it.
fn is_nowhere(message: &Message<'_>) -> bool {
    match message.verdict {
        Some(Verdict::Stored) => false,
        Some(Verdict::Unroutable | Verdict::Refused) => true,
        Some(Verdict::Blocked | Verdict::Unconfirmed) | None => !message.may_have_arrived,
    }
}

/// Takes the verdict off what came back since the queue of its tenant is not there; gives the routes, each with a job.
fn take_back<'a>(
    messages: &mut [Message<'a>],
    opened: &BTreeSet<&str>,
) -> BTreeMap<&'a str, &'a JobId> {
    let mut absent = BTreeMap::new();
    for message in messages {
        let route = message.routing_key;
        if message.verdict == Some(Verdict::Unroutable)
            && tenant_of(route) != DEFAULT_TENANT
            && !opened.contains(route)
        {
            message.may_have_arrived = false;
            message.verdict = None;
            absent.insert(route, message.id);
        }
    }
    absent
}

fn tenant_of(route: &str) -> &str {
    lane_and_tenant(route).map_or(DEFAULT_TENANT, |(_, tenant)| tenant)
}

/// A job as it will be sent.
struct Outgoing<'a> {
    job: &'a Job,
    route: String,
    body: Vec<u8>,
    rejection: Option<Rejection>,
}

impl<'a> Outgoing<'a> {
    fn new(job: &'a Job) -> Self {
        let body = job.to_wire_json();
        let rejection = Job::parse(&body).err();
        Self {
            job,
            route: route(&job.lane, &job.tenant),
            body,
            rejection,
        }
    }

    /// What came of it, if it is not to be sent.
    fn decided(&self, marked: &Marked) -> Option<Outcome> {
        let id = self.job.id.clone();
        match marked.known {
            Known::New | Known::Sent => None,
            Known::Done => Some(Ok(Submitted::AlreadyDone)),
            Known::Taken => Some(Err(SubmitError::Taken { id })),
            Known::Limited(limit, retry_after) => Some(Err(SubmitError::Limited {
                id,
                tenant: self.job.tenant.clone(),
                limit,
                retry_after,
            })),
        }
    }

    fn message(&self, marked: &Marked, sent_ms: u64) -> Message<'_> {
        Message {
            exchange: JOBS_EXCHANGE,
            routing_key: &self.route,
            mandatory: true,
            body: &self.body,
            id: &self.job.id,
            sent_ms,
            is_first: marked.known == Known::New,
            may_have_arrived: false,
            verdict: None,
        }
    }
}

fn batches<'a>(mut rest: impl Iterator<Item = &'a Job>) -> impl Iterator<Item = Vec<Outgoing<'a>>> {
    iter::from_fn(move || {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < BATCH
            && bytes < BATCH_BYTES
            && let Some(job) = rest.next()
        {
            let outgoing = Outgoing::new(job);
            bytes += outgoing.body.len();
            batch.push(outgoing);
        }
        (!batch.is_empty()).then_some(batch)
    })
}

/// A clock before 1970 counts as 1970.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}
