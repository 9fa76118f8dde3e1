//! What is seen of a soak while it runs: each result when it is first there, each thing that a job does outside, and
//! how fast work is done.
//!
//! Must never take a runner's word for it: it looks at Redis itself and has a server of its own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use glovebox_schemas::job::JobId;
use glovebox_schemas::names::result_key;
use glovebox_schemas::result::{JobResult, Status};
use jiff::Timestamp;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError};

use super::ledger::{Entry, Ledger, Seen};
use super::world::World;

const LOOK_EVERY: Duration = Duration::from_millis(100);
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Keys that are asked for at one time.
const KEYS: usize = 500;

/// Everything that was seen so far.
pub(super) struct Book {
    pub(super) started: Instant,
    started_at: Timestamp,
    ledger: RefCell<Ledger>,
    /// Those without a result.
    open: RefCell<BTreeMap<JobId, bool>>,
    /// When jobs that ran ended, as their runners say.
    ended: RefCell<Vec<Duration>>,
    last: RefCell<Instant>,
    /// The results that are not as expected.
    pub(super) odd: RefCell<Vec<String>>,
}

impl Book {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            started_at: Timestamp::now(),
            ledger: RefCell::default(),
            open: RefCell::default(),
            ended: RefCell::default(),
            last: RefCell::new(Instant::now()),
            odd: RefCell::default(),
        }
    }

    /// A job is about to be sent.
    pub(super) fn expect(&self, id: JobId, entry: Entry) {
        self.open.borrow_mut().insert(id.clone(), entry.is_deadly);
        self.ledger.borrow_mut().jobs.insert(id, entry);
    }

    /// How many jobs have a result.
    pub(super) fn seen(&self) -> usize {
        self.ledger.borrow().jobs.len() - self.open.borrow().len()
    }

    /// The deadly jobs without a result.
    pub(super) fn deadly(&self) -> Vec<JobId> {
        let open = self.open.borrow();
        let deadly = open.iter().filter(|(_, deadly)| **deadly);
        deadly.map(|(id, _)| id.clone()).collect()
    }

    /// How long no new result has been seen.
    pub(super) fn silence(&self) -> Duration {
        self.last.borrow().elapsed()
    }

    /// How many jobs ended in a time.
    pub(super) fn ended_between(&self, from: Duration, to: Duration) -> usize {
        let ended = self.ended.borrow();
        ended.iter().filter(|at| (from..to).contains(at)).count()
    }

    /// Everything, at the end.
    pub(super) fn close(self) -> Ledger {
        self.ledger.into_inner()
    }

    fn note(&self, id: &JobId, document: &[u8]) {
        let Ok(result) = JobResult::from_json(document) else {
            return;
        };
        if matches!(result.status, Status::Succeeded | Status::Failed)
            && let Some(finished) = result.times.finished_at
            && let Ok(at) = Duration::try_from(finished.duration_since(self.started_at))
        {
            self.ended.borrow_mut().push(at);
        }
        let seen = self.as_seen(document, result.status);
        if let Some(entry) = self.ledger.borrow_mut().jobs.get_mut(id) {
            if !entry.may_end.contains(&result.status) {
                let text = String::from_utf8_lossy(document).into_owned();
                self.odd.borrow_mut().push(text);
            }
            entry.first = Some(seen);
        }
        self.open.borrow_mut().remove(id);
        self.last.replace(Instant::now());
    }

    fn as_seen(&self, document: &[u8], status: Status) -> Seen {
        let mut hasher = DefaultHasher::new();
        document.hash(&mut hasher);
        Seen {
            at: self.started.elapsed(),
            hash: hasher.finish(),
            status,
        }
    }
}

/// Looks, for ever.
pub(super) async fn watch(world: &World, book: &Book) {
    let mut connection = None;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        note_effects(world, book);
        // A server that is away is looked at again.
        if look(world, book, &mut connection).await.is_err() {
            connection = None;
        }
    }
}

/// What jobs have told the site: `GET /ID/EXECUTION`.
pub(super) fn note_effects(world: &World, book: &Book) {
    let mut ledger = book.ledger.borrow_mut();
    for (when, line) in world.site.take_asked() {
        let mut parts = line
            .split(['/', ' '])
            .skip_while(|part| !part.starts_with("soak-"));
        if let (Some(id), Some(run)) = (parts.next(), parts.next())
            && let Some(entry) = id
                .parse()
                .ok()
                .and_then(|id: JobId| ledger.jobs.get_mut(&id))
        {
            let at = when.duration_since(book.started);
            entry.effects.entry(run.to_owned()).or_default().push(at);
        }
    }
}

async fn look(
    world: &World,
    book: &Book,
    connection: &mut Option<MultiplexedConnection>,
) -> Result<(), RedisError> {
    let ids: Vec<_> = book.open.borrow().keys().cloned().collect();
    for (id, document) in fetch(world, connection, &ids).await? {
        book.note(&id, &document);
    }
    Ok(())
}

/// Looks at every result once more.
pub(super) async fn look_again(world: &World, book: &Book) -> anyhow::Result<()> {
    let ids: Vec<_> = book.ledger.borrow().jobs.keys().cloned().collect();
    for (id, document) in fetch(world, &mut None, &ids).await? {
        let status = JobResult::from_json(&document)?.status;
        let seen = book.as_seen(&document, status);
        if let Some(entry) = book.ledger.borrow_mut().jobs.get_mut(&id) {
            entry.last = Some(seen);
        }
    }
    Ok(())
}

/// The results that are there.
async fn fetch(
    world: &World,
    slot: &mut Option<MultiplexedConnection>,
    ids: &[JobId],
) -> Result<Vec<(JobId, Vec<u8>)>, RedisError> {
    let connection = match slot {
        Some(connection) => connection,
        None => {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(ANSWER_WITHIN))
                .set_response_timeout(Some(ANSWER_WITHIN));
            let client = Client::open(&*world.services.redis_url)?;
            let connection = client.get_multiplexed_async_connection_with_config(&config);
            slot.insert(connection.await?)
        }
    };
    let mut found = Vec::new();
    for ids in ids.chunks(KEYS) {
        let keys: Vec<_> = ids.iter().map(result_key).collect();
        let mut get = redis::cmd("MGET");
        let documents: Vec<Option<Vec<u8>>> = get.arg(keys).query_async(connection).await?;
        let there = ids.iter().zip(documents);
        found.extend(there.filter_map(|(id, document)| Some((id.clone(), document?))));
    }
    Ok(found)
}
