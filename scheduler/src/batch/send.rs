//! Lines onto their way: as many jobs in flight as the window holds.
//!
//! It must never send a job that is not listened for, or give up one that waiting may mend.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use glovebox_broker::Retry;
use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::names::done_channel;
use glovebox_schemas::result::JobResult;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::sleep;

use super::flight::Flight;
use super::line::{Line, Place};
use super::{Batch, BatchError, Fate, Ticket};
use crate::error::SubmitError;
use crate::listening::Ear;
use crate::submit::Submitted;

/// Jobs that are sent together.
const GROUP: u32 = 256;
/// Bytes of jobs after which a group takes no further one.
const GROUP_BYTES: u64 = 1 << 20;

impl Batch {
    /// Reads lines while there is room for their jobs, and sends those. Returns when there are no more.
    pub(super) async fn send(
        &self,
        mut lines: Receiver<io::Result<Line>>,
        tickets: Sender<Ticket>,
    ) -> Result<(), BatchError> {
        let mut read_before = 0;
        loop {
            let room = self.room().await;
            let (mut places, mut jobs) = (Vec::new(), Vec::new());
            let mut next = lines.recv().await;
            while let Some(line) = next {
                let Line { place, id, job, .. } = line.map_err(BatchError::Read)?;
                let refused = match job {
                    Ok(job) => {
                        jobs.push((place, *job));
                        None
                    }
                    Err(rejection) => {
                        (self.note)(&format!("{rejection}\n  mend: {}", rejection.hint));
                        Some(Box::new(JobResult::rejected(id, &rejection, "batch")))
                    }
                };
                places.push((place, refused));
                let is_full = jobs.len() >= room.num_permits() || places.len() >= GROUP as usize;
                if is_full || place.read - read_before >= GROUP_BYTES {
                    break;
                }
                next = lines.try_recv().ok();
            }
            let Some((last, _)) = places.last() else {
                return Ok(());
            };
            read_before = last.read;
            let (flights, outcome) = self.submit(&jobs, room).await;
            let mut flights = flights.into_iter();
            for (place, refused) in places {
                let flown = || flights.next().flatten().map(Fate::Sent);
                let Some(fate) = refused.map(Fate::Refused).or_else(flown) else {
                    // The first that was not taken: nothing below it has its turn.
                    break;
                };
                // Nobody takes it: then why not is the reason.
                if tickets.send(Ticket { place, fate }).await.is_err() {
                    return Ok(());
                }
            }
            outcome?;
        }
    }

    /// Waits until it is worth while to send a group, so that the servers and this client have fewer round trips.
    async fn room(&self) -> OwnedSemaphorePermit {
        let least = (self.concurrency / 4).clamp(1, GROUP);
        let room = Arc::clone(&self.window).acquire_many_owned(least).await;
        let mut room = room.expect("the window is never closed");
        let free = u32::try_from(self.window.available_permits()).unwrap_or(GROUP);
        let more = free.min(GROUP - least);
        if let Ok(more) = Arc::clone(&self.window).try_acquire_many_owned(more) {
            room.merge(more);
        }
        room
    }

    /// Sends jobs and sends them again until all were taken, or one can't be. Each is listened for before it is sent.
    async fn submit(
        &self,
        jobs: &[(Place, Job)],
        mut room: OwnedSemaphorePermit,
    ) -> (Vec<Option<Flight>>, Result<(), BatchError>) {
        let mut flights: Vec<Option<Flight>> = jobs.iter().map(|_| None).collect();
        let mut retry = Retry::for_servers();
        loop {
            let open = flights.iter_mut().zip(jobs);
            let open: Vec<_> = open.filter(|(flight, _)| flight.is_none()).collect();
            let Some((_, (first, _))) = open.first() else {
                return (flights, Ok(()));
            };
            let mut trouble = None;
            let channels = open.iter().map(|(_, (_, job))| done_channel(&job.id));
            let listening = &self.client.listening;
            match listening.listen_to_all(channels.collect()).await {
                Err(error) => trouble = Some((first.number, SubmitError::Client(error))),
                Ok(ears) => {
                    let all = open.iter().map(|(_, (_, job))| job);
                    all.clone().for_each(|job| self.in_flight.enter(&job.id));
                    let outcomes = self.client.submit_all(all).await;
                    for (((flight, (place, job)), ear), outcome) in
                        open.into_iter().zip(ears).zip(outcomes)
                    {
                        match outcome {
                            Ok(submitted) => {
                                let ear = (submitted != Submitted::AlreadyDone).then_some(ear);
                                *flight = Some(self.follow(&job.id, ear, &mut room));
                            }
                            Err(error) => trouble = worse(trouble, (place.number, error)),
                        }
                    }
                }
            }
            match trouble {
                Some((line, source)) => {
                    if let Err(error) = self.endure(line, source, &mut retry).await {
                        return (flights, Err(error));
                    }
                }
                None => self.is_well(),
            }
        }
    }

    fn follow(&self, id: &JobId, ear: Option<Ear>, room: &mut OwnedSemaphorePermit) -> Flight {
        self.has_begun.store(true, Ordering::Relaxed);
        let place = room
            .split(1)
            .expect("there is room for each job of a group");
        let (client, all) = (Arc::clone(&self.client), self.in_flight.clone());
        Flight::follow(client, id.clone(), ear, place, all)
    }

    /// Waits before the next try, if that can help.
    async fn endure(
        &self,
        line: u64,
        source: SubmitError,
        retry: &mut Retry,
    ) -> Result<(), BatchError> {
        let is_of_server = matches!(source, SubmitError::Client(_));
        let is_at_first = is_of_server && !self.has_begun.load(Ordering::Relaxed);
        if is_at_first || !source.is_temporary() {
            return Err(BatchError::Submit { line, source });
        }
        self.is_ill(&source);
        sleep(retry.next_delay()).await;
        Ok(())
    }
}

/// Of two troubles that which waiting does not mend.
fn worse(one: Option<(u64, SubmitError)>, other: (u64, SubmitError)) -> Option<(u64, SubmitError)> {
    match one {
        Some(one) if !one.1.is_temporary() || other.1.is_temporary() => Some(one),
        _ => Some(other),
    }
}
