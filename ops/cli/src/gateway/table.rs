//! The jobs of a gateway without services, in memory: how far each is, its output, its result.
//!
//! What is kept is bounded: the oldest results go first, and what has gone is remembered as having been there. It must
//! never be what decides that a job runs twice: an id that is here is not taken again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use glovebox_runner::Witness;
use glovebox_scheduler::{Event, JobState, Phase};
use glovebox_schemas::job::JobId;
use glovebox_schemas::result::JobResult;
use jiff::Timestamp;
use tokio::sync::watch;

/// Bytes of results and of live output that are kept.
const KEPT_BYTES: usize = 256 << 20;
/// Jobs that are remembered.
const REMEMBERED: usize = 100_000;

/// All jobs, as the gateway and the runner both hold them.
pub(super) type Shared = Arc<Table>;

/// All jobs.
#[derive(Default)]
pub(super) struct Table(Mutex<Jobs>);

#[derive(Default)]
struct Jobs {
    by_id: HashMap<JobId, Entry>,
    claims: HashMap<JobId, String>,
    /// In the order in which they came.
    remembered: VecDeque<JobId>,
    claimed: VecDeque<JobId>,
    /// In the order in which they ended.
    kept: VecDeque<JobId>,
    kept_bytes: usize,
    unfinished: usize,
}

struct Entry {
    tenant: String,
    state: JobState,
    output: Vec<(&'static str, Vec<u8>)>,
    bytes: usize,
    result: Option<Box<JobResult>>,
    changed: watch::Sender<()>,
}

/// What is known of a job.
pub(super) enum Found {
    Nothing,
    State(JobState),
    Result(Box<JobResult>),
    Expired,
}

/// What came of adding a job.
pub(super) enum Added {
    New,
    Known,
    OtherTenants,
}

impl Table {
    pub(super) fn add(&self, id: &JobId, tenant: &str) -> Added {
        let mut jobs = self.jobs();
        if let Some(known) = jobs.by_id.get(id) {
            return match known.tenant == tenant {
                true => Added::Known,
                false => Added::OtherTenants,
            };
        }
        let entry = Entry {
            tenant: tenant.to_owned(),
            state: state(Phase::Queued, None),
            output: Vec::new(),
            bytes: 0,
            result: None,
            changed: watch::Sender::new(()),
        };
        jobs.by_id.insert(id.clone(), entry);
        jobs.remembered.push_back(id.clone());
        jobs.unfinished += 1;
        jobs.forget();
        Added::New
    }

    /// Whether this is the first that is asked for under this id, or the same again.
    pub(super) fn claim(&self, id: &JobId, fingerprint: &str) -> bool {
        let mut jobs = self.jobs();
        if let Some(claimed) = jobs.claims.get(id) {
            return claimed == fingerprint;
        }
        jobs.claims.insert(id.clone(), fingerprint.to_owned());
        jobs.claimed.push_back(id.clone());
        if jobs.claimed.len() > REMEMBERED
            && let Some(oldest) = jobs.claimed.pop_front()
        {
            jobs.claims.remove(&oldest);
        }
        true
    }

    pub(super) fn unfinished(&self) -> usize {
        self.jobs().unfinished
    }

    pub(super) fn owner(&self, id: &JobId) -> Option<String> {
        self.jobs().by_id.get(id).map(|entry| entry.tenant.clone())
    }

    pub(super) fn find(&self, id: &JobId) -> Found {
        match self.jobs().by_id.get(id) {
            None => Found::Nothing,
            Some(entry) => match (&entry.result, &entry.state.phase) {
                (Some(result), _) => Found::Result(result.clone()),
                (None, Phase::Done) => Found::Expired,
                (None, _) => Found::State(entry.state.clone()),
            },
        }
    }

    /// Hears of each change of a job from now on.
    pub(super) fn changes(&self, id: &JobId) -> Option<watch::Receiver<()>> {
        self.jobs()
            .by_id
            .get(id)
            .map(|entry| entry.changed.subscribe())
    }

    /// What has happened to a job after its first `heard` outputs.
    pub(super) fn since(&self, id: &JobId, heard: usize) -> Vec<Event> {
        let jobs = self.jobs();
        let Some(entry) = jobs.by_id.get(id) else {
            return Vec::new();
        };
        let state = entry
            .result
            .is_none()
            .then(|| Event::State(entry.state.clone()));
        let output = entry.output.iter().enumerate().skip(heard);
        let output = output.map(|(n, (stream, data))| Event::Output {
            at: format!("{}-0", n + 1),
            stream: (*stream).to_owned(),
            data: data.clone(),
        });
        let done = entry.result.clone().map(Event::Done);
        state.into_iter().chain(output).chain(done).collect()
    }

    fn change(&self, id: &JobId, change: impl FnOnce(&mut Entry) -> usize) {
        let mut jobs = self.jobs();
        if let Some(entry) = jobs.by_id.get_mut(id) {
            let bytes = change(entry);
            entry.bytes += bytes;
            entry.changed.send_replace(());
            jobs.kept_bytes += bytes;
        }
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Jobs {
    /// Lets go of what is too much: results first, then that they were there. What has not ended stays.
    fn forget(&mut self) {
        while self.kept_bytes > KEPT_BYTES
            && let Some(oldest) = self.kept.pop_front()
        {
            if let Some(entry) = self.by_id.get_mut(&oldest) {
                self.kept_bytes -= std::mem::take(&mut entry.bytes);
                (entry.result, entry.output) = (None, Vec::new());
            }
        }
        let is_done = |entry: &Entry| entry.state.phase == Phase::Done;
        while self.remembered.len() > REMEMBERED
            && let Some(oldest) = self.remembered.front()
            && self.by_id.get(oldest).is_none_or(is_done)
            && let Some(oldest) = self.remembered.pop_front()
            && let Some(entry) = self.by_id.remove(&oldest)
        {
            self.kept_bytes -= entry.bytes;
        }
        // Of those that are not remembered there is nothing left to keep.
        while let Some(oldest) = self.kept.front()
            && !self.by_id.contains_key(oldest)
        {
            self.kept.pop_front();
        }
    }
}

fn state(phase: Phase, runner: Option<String>) -> JobState {
    JobState {
        attempt: runner.is_some().then_some(1),
        phase,
        runner,
        since: Some(Timestamp::now()),
        is_lost: false,
    }
}

impl Witness for Table {
    fn begun(&self, id: &JobId) {
        self.change(id, |entry| {
            entry.state = state(Phase::Running, Some("embedded".to_owned()));
            0
        });
    }

    fn output(&self, id: &JobId, stream: &'static str, chunk: &[u8]) {
        self.change(id, |entry| {
            entry.output.push((stream, chunk.to_vec()));
            chunk.len()
        });
    }

    fn done(&self, result: JobResult) {
        let id = result.id.clone();
        // Roughly, without writing it all once more.
        let files: usize = result.files.iter().map(|file| file.content.len()).sum();
        let bytes = result.stdout.len() + result.stderr.len() + files + 2048;
        self.change(&id, |entry| {
            entry.state = state(Phase::Done, None);
            entry.result = Some(Box::new(result));
            bytes
        });
        let mut jobs = self.jobs();
        jobs.unfinished = jobs.unfinished.saturating_sub(1);
        jobs.kept.push_back(id);
        jobs.forget();
    }
}
