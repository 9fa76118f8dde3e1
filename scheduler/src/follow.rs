//! What happens to a job, as it happens: its states, its live output, its result.
//!
//! Runners only hint that there is something; it is looked up. So a hint that went by unheard costs two seconds and
//! never an event. It must never give an output twice, nor the result before all output.

use std::collections::{HashMap, VecDeque};

use glovebox_broker::Retry;
use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{hint_channel, output_key, result_key, state_key};
use glovebox_schemas::result::JobResult;
use redis::streams::StreamRangeReply;
use tokio::time::{sleep, timeout};

use crate::client::Client;
use crate::error::ClientError;
use crate::listening::Ear;
use crate::state::{JobState, Phase, Record};
use crate::store::Doing;
use crate::wait::LOOK_AGAIN;

/// Chunks of output that are fetched at once.
const CHUNKS: usize = 16;

/// Something that happened to a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// It is queued, or running somewhere. Said when it changes.
    State(JobState),
    /// It has written something. Only of jobs with `stream`.
    Output {
        /// Its place: what to go on after, when the connection is lost.
        at: String,
        /// `stdout` or `stderr`.
        stream: String,
        /// What it has written.
        data: Vec<u8>,
    },
    /// It has ended; nothing follows.
    Done(Box<JobResult>),
}

/// A job that is followed.
pub struct Following<'a> {
    client: &'a Client,
    id: JobId,
    after: String,
    said: Option<JobState>,
    happened: VecDeque<Event>,
    ended: bool,
    ears: Option<[Ear; 2]>,
    /// Whether there is more of what has happened already.
    more: bool,
    retry: Retry,
}

impl Client {
    /// Follows a job from its beginning, or after the output that was at `after`. What is no such place counts as the
    /// beginning.
    pub fn follow(&self, id: &JobId, after: Option<&str>) -> Following<'_> {
        Following {
            client: self,
            id: id.clone(),
            after: after.filter(|at| is_place(at)).unwrap_or("0-0").to_owned(),
            said: None,
            happened: VecDeque::new(),
            ended: false,
            ears: None,
            more: false,
            retry: Retry::for_servers(),
        }
    }
}

/// Milliseconds and a number, as Redis numbers what is in a stream.
fn is_place(text: &str) -> bool {
    text.split_once('-')
        .is_some_and(|(ms, number)| [ms, number].iter().all(|part| part.parse::<u64>().is_ok()))
}

impl Following<'_> {
    /// The next event; `None` after the result. A lost connection is made again for as long as it takes.
    ///
    /// # Errors
    ///
    /// When Redis fails in a way that time does not mend, and when the result has expired.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            if let Some(event) = self.happened.pop_front() {
                return Ok(Some(event));
            }
            if self.ended {
                return Ok(None);
            }
            match self.look().await {
                Ok(()) => self.retry.reset(),
                Err(error) if error.is_temporary() => {
                    tracing::debug!(job = %self.id, %error, "whoever follows it lost Redis and will connect again");
                    self.ears = None;
                    sleep(self.retry.next_delay()).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for a hint, unless it listens only from now on, and looks what has happened.
    async fn look(&mut self) -> Result<(), ClientError> {
        let listening = &self.client.listening;
        match &mut self.ears {
            // What is there is told piece by piece: nobody holds all of it.
            _ if self.more => {}
            Some([done, hint]) => {
                let hinted = async {
                    tokio::select! { is_up = done.told() => is_up, is_up = hint.told() => is_up }
                };
                if let Ok(false) = timeout(LOOK_AGAIN, hinted).await {
                    return Err(listening.lost("the connection ended"));
                }
            }
            None => {
                let done = listening.listen(&self.id).await?;
                let hint = listening.listen_to(hint_channel(&self.id)).await?;
                self.ears = Some([done, hint]);
            }
        }
        self.more = self.fetch().await?;
        Ok(())
    }

    /// Notes what has happened; true if there is more of it.
    async fn fetch(&mut self) -> Result<bool, ClientError> {
        // The result first: when it is there, there will be no further output.
        let mut commands = redis::pipe();
        commands.get(result_key(&self.id));
        let from = format!("({}", self.after);
        commands.xrange_count(output_key(&self.id), from, "+", CHUNKS);
        commands.hgetall(state_key(&self.id));
        let doing = Doing::of(&self.id, "following it");
        type Found = (Option<Vec<u8>>, StreamRangeReply, HashMap<String, String>);
        let (result, output, record): Found = self.client.store.ask(doing, &commands).await?;
        let record = Record(record);
        let more = output.ids.len() == CHUNKS;
        match record.phase() {
            // A result is stored before its state says so.
            Some(Phase::Done) | None => {}
            Some(phase) if result.is_none() => {
                let state = self.client.judge(&self.id, &record, phase).await?;
                self.say(state);
            }
            Some(_) => {}
        }
        for chunk in output.ids {
            self.after.clone_from(&chunk.id);
            self.happened.push_back(Event::Output {
                stream: chunk.get("stream").unwrap_or_default(),
                data: chunk.get("data").unwrap_or_default(),
                at: chunk.id,
            });
        }
        if more || (result.is_none() && record.phase() != Some(Phase::Done)) {
            return Ok(more);
        }
        // One place knows a result from what is none, and one that has expired from one that is about to be there.
        if let Some(result) = self.client.result(&self.id).await? {
            self.happened.push_back(Event::Done(Box::new(result)));
            self.ended = true;
        }
        Ok(false)
    }

    fn say(&mut self, state: JobState) {
        if self.said.as_ref() != Some(&state) {
            self.happened.push_back(Event::State(state.clone()));
            self.said = Some(state);
        }
    }
}
