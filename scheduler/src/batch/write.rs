//! Results into the output, in the order of the lines.
//!
//! It must never write one before its turn, nor leave a place empty.

use glovebox_broker::Retry;
use glovebox_schemas::job::JobId;
use glovebox_schemas::result::{ErrorInfo, JobResult, Status};
use tokio::sync::mpsc::Receiver;
use tokio::time::sleep;

use super::flight::WAIT;
use super::results::{Landed, Results};
use super::{Batch, BatchError, Fate, Ticket};
use crate::error::ClientError;

/// Results that are fetched together.
const FETCH: usize = 64;

impl Batch {
    /// Takes the tickets in their order and writes the results of the jobs that have ended.
    pub(super) async fn write(
        &self,
        mut tickets: Receiver<Ticket>,
        results: &mut Results,
        mut watch: impl FnMut(&Results),
    ) -> Result<(), BatchError> {
        let mut next = tickets.recv().await;
        while let Some(mut first) = next.take() {
            first.end().await;
            let mut ended = vec![first];
            while ended.len() < FETCH
                && let Ok(ticket) = tickets.try_recv()
            {
                if !ticket.has_ended() {
                    next = Some(ticket);
                    break;
                }
                ended.push(ticket);
            }
            self.land(ended, results).await?;
            watch(results);
            if next.is_none() {
                next = tickets.recv().await;
            }
        }
        Ok(())
    }

    async fn land(&self, tickets: Vec<Ticket>, results: &mut Results) -> Result<(), BatchError> {
        let ids = tickets.iter().filter_map(|ticket| match &ticket.fate {
            Fate::Sent(flight) => Some(&flight.id),
            Fate::Refused(_) => None,
        });
        let ids: Vec<&JobId> = ids.collect();
        let mut stored = self.fetch(&ids).await?.into_iter();
        for ticket in &tickets {
            let landed = match &ticket.fate {
                Fate::Refused(result) => Landed::from(&**result),
                Fate::Sent(flight) => match stored.next().flatten().map(Landed::from_json) {
                    Some(Ok(landed)) => landed,
                    // Told too soon, expired, or of a newer release.
                    None | Some(Err(_)) => Landed::from(&self.wait_for(&flight.id).await?),
                },
            };
            results
                .put(ticket.place, &landed)
                .map_err(BatchError::Write)?;
        }
        results.flush().map_err(BatchError::Write)
    }

    async fn fetch(&self, ids: &[&JobId]) -> Result<Vec<Option<Vec<u8>>>, BatchError> {
        let mut retry = Retry::for_servers();
        while !ids.is_empty() {
            match self.client.stored(ids).await {
                Ok(stored) => return Ok(stored),
                Err(error) if error.is_temporary() => self.is_ill(&error),
                Err(error) => return Err(BatchError::Client(error)),
            }
            sleep(retry.next_delay()).await;
        }
        Ok(Vec::new())
    }

    /// One job's result by the slow way, or what there is in its place.
    async fn wait_for(&self, id: &JobId) -> Result<JobResult, BatchError> {
        let mut retry = Retry::for_servers();
        loop {
            match self.client.wait(id, WAIT).await {
                Ok(Some(result)) => return Ok(result),
                Ok(None) => {}
                Err(error) if error.is_temporary() => {
                    self.is_ill(&error);
                    sleep(retry.next_delay()).await;
                }
                Err(
                    error @ (ClientError::ResultExpired { .. }
                    | ClientError::UnreadableResult { .. }),
                ) => return Ok(no_result(id, &error)),
                Err(error) => return Err(BatchError::Client(error)),
            }
        }
    }
}

/// What stands in the place of a result that can't be had any more.
fn no_result(id: &JobId, error: &ClientError) -> JobResult {
    let mut result = JobResult::new(id.clone(), Status::Error, "batch");
    result.error = Some(ErrorInfo {
        code: "result_lost".to_owned(),
        message: error.to_string(),
        hint: error.hint(),
    });
    result
}
