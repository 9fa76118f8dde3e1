//! Many jobs from lines to lines, however many: `glovebox batch`.
//!
//! A window of jobs is in flight. Lines are read ahead as far as the window has room, sent in groups, and their results
//! are fetched in groups, in the order of the lines; a result whose turn has not come stays in Redis. So it must never
//! hold more than the window's jobs and, of those that have ended ahead of their turn, more than their names.

mod flight;
mod line;
mod results;
mod send;
mod tally;
mod write;

use std::error::Error;
use std::io::{self, BufRead};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use futures_util::future::join_all;
use glovebox_schemas::result::JobResult;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, channel};
use tokio_util::sync::CancellationToken;

use self::flight::{Flight, InFlight};
pub use self::line::{BatchId, Line, Lines, Place};
pub use self::results::{Landed, Results, ResultsError};
pub use self::tally::{PassAt, Tally};
use crate::client::Client;
use crate::error::{ClientError, SubmitError};

/// Lines that are read before there is room for them.
const READ_AHEAD: usize = 64;
/// Jobs that may have ended before one whose line is above theirs: a name each.
const ENDED_AHEAD: usize = 16_384;

/// Why a batch did not go on. What has its result by then is in the output.
#[derive(Debug, Error)]
pub enum BatchError {
    /// A job was not taken, and waiting would not help.
    #[error("line {line}")]
    Submit {
        /// Of which line.
        line: u64,
        /// Why it was not.
        #[source]
        source: SubmitError,
    },
    /// A server failed, and waiting would not help.
    #[error(transparent)]
    Client(ClientError),
    /// The input could not be read.
    #[error("reading the jobs")]
    Read(#[source] io::Error),
    /// The output could not be written.
    #[error("writing the results")]
    Write(#[source] io::Error),
}

impl BatchError {
    /// What to do about it, in one line.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Submit { source, .. } => source.hint(),
            Self::Client(error) => error.hint(),
            Self::Read(_) | Self::Write(_) => String::new(),
        }
    }
}

/// A batch on its way.
pub struct Batch {
    client: Arc<Client>,
    window: Arc<Semaphore>,
    concurrency: u32,
    in_flight: InFlight,
    /// Whether a job was taken already: before that, a server that is away is not waited for.
    has_begun: AtomicBool,
    trouble: Mutex<String>,
    note: Box<dyn Fn(&str) + Send + Sync>,
}

/// A job whose line was read, until its result is written.
struct Ticket {
    place: Place,
    fate: Fate,
}

enum Fate {
    /// It never was one.
    Refused(Box<JobResult>),
    Sent(Flight),
}

impl Batch {
    /// A batch that has up to `concurrency` jobs (at least one) in flight. `note` is told, in a line, of each line that
    /// is no job, and of servers that are waited for.
    pub fn new(
        client: Arc<Client>,
        concurrency: u32,
        note: impl Fn(&str) + Send + Sync + 'static,
    ) -> Self {
        let concurrency = concurrency.max(1);
        Self {
            client,
            window: Arc::new(Semaphore::new(concurrency as usize)),
            concurrency,
            in_flight: InFlight::default(),
            has_begun: AtomicBool::new(false),
            trouble: Mutex::default(),
            note: Box::new(note),
        }
    }

    /// Runs every job of `lines` and puts its result into `results`; `watch` is called whenever there are new ones.
    /// True when that was all; false when `stop` came before: then jobs may be in flight still.
    ///
    /// A server that is away once the first job was taken is waited for.
    ///
    /// # Errors
    /// When a job or its result can't be handed over at all, after those before it were.
    pub async fn run(
        &self,
        lines: Receiver<io::Result<Line>>,
        results: &mut Results,
        stop: &CancellationToken,
        watch: impl FnMut(&Results),
    ) -> Result<bool, BatchError> {
        let (tickets, given_out) = channel(ENDED_AHEAD);
        let mut sent = Ok(());
        let sending = async {
            // What was sent before it failed is written all the same.
            sent = self.send(lines, tickets).await;
            Ok(())
        };
        let both = async { tokio::try_join!(sending, self.write(given_out, results, watch)) };
        tokio::select! {
            biased;
            outcome = both => outcome?,
            () = stop.cancelled() => return Ok(false),
        };
        sent.map(|()| true)
    }

    /// Cancels what is in flight: nobody will ask for it.
    ///
    /// # Errors
    /// The first that a job could not be cancelled for; the others are.
    pub async fn cancel(&self) -> Result<(), ClientError> {
        let ids = self.in_flight.ids();
        let cancelling = ids.iter().map(|id| self.client.cancel(id));
        let mut cancelled = join_all(cancelling).await.into_iter();
        cancelled.try_for_each(|outcome| outcome.map(drop))
    }

    /// How many jobs were sent and have not ended.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.ids().len()
    }

    /// Says once what is waited for.
    fn is_ill(&self, error: &dyn Error) {
        let text = format!("waiting: {error}");
        let mut said = self.trouble();
        if *said != text {
            (self.note)(&text);
            *said = text;
        }
    }

    fn is_well(&self) {
        let mut said = self.trouble();
        if !said.is_empty() {
            (self.note)("going on");
            said.clear();
        }
    }

    fn trouble(&self) -> MutexGuard<'_, String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    fn has_ended(&self) -> bool {
        match &self.fate {
            Fate::Refused(_) => true,
            Fate::Sent(flight) => flight.has_ended(),
        }
    }

    async fn end(&mut self) {
        if let Fate::Sent(flight) = &mut self.fate {
            flight.end().await;
        }
    }
}

/// Reads lines in a thread of its own, ahead of whoever takes them. An input may be silent for ever, and nobody waits
/// for that thread's end.
///
/// # Errors
/// When there can be no such thread.
pub fn read_ahead<R: BufRead + Send + 'static>(
    lines: Lines<R>,
) -> io::Result<Receiver<io::Result<Line>>> {
    let (given, taken) = channel(READ_AHEAD);
    let read = move || {
        for line in lines {
            let is_last = line.is_err();
            if given.blocking_send(line).is_err() || is_last {
                return;
            }
        }
    };
    thread::Builder::new().name("jobs".to_owned()).spawn(read)?;
    Ok(taken)
}
