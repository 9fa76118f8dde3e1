//! A connection, or the attempt to make one, which all who need it share.
//!
//! It must never connect for each caller: a server that is away would be stormed,
//! and the last in the queue would wait for all the failures before its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use glovebox_broker::BrokerError;
use tokio::time::Instant;

/// How long an attempt that failed speaks for those who come after it.
const FAILURE_STANDS: Duration = Duration::from_millis(200);

/// The place of one connection.
pub(crate) struct Attempt<T>(Mutex<Option<Outcome<T>>>);

type Outcome<T> = Shared<BoxFuture<'static, Result<T, Failure>>>;

#[derive(Clone)]
struct Failure {
    error: Arc<BrokerError>,
    at: Instant,
}

impl<T: Clone + Send + Sync + 'static> Attempt<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// The connection that is there if it is `usable`, or what comes of the
    /// attempt under way, or of a new one.
    pub(crate) async fn get<F>(
        &self,
        usable: impl FnOnce(&T) -> bool,
        connect: impl FnOnce() -> F,
    ) -> Result<T, Arc<BrokerError>>
    where
        F: Future<Output = Result<T, BrokerError>> + Send + 'static,
    {
        let outcome = {
            let mut slot = self.slot();
            let stands = slot.as_ref().is_some_and(|outcome| match outcome.peek() {
                None => true,
                Some(Ok(connection)) => usable(connection),
                Some(Err(failure)) => failure.at.elapsed() < FAILURE_STANDS,
            });
            match slot.as_ref().filter(|_| stands) {
                Some(outcome) => outcome.clone(),
                None => slot.insert(begin(connect())).clone(),
            }
        };
        outcome.await.map_err(|failure| failure.error)
    }

    /// Lets go of a connection that failed, unless another one has taken its place.
    pub(crate) fn forget(&self, is_it: impl FnOnce(&T) -> bool) {
        let mut slot = self.slot();
        if let Some(Ok(connection)) = slot.as_ref().and_then(Shared::peek)
            && is_it(connection)
        {
            *slot = None;
        }
    }

    fn slot(&self) -> MutexGuard<'_, Option<Outcome<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn begin<T: Clone>(
    connecting: impl Future<Output = Result<T, BrokerError>> + Send + 'static,
) -> Outcome<T> {
    let failed = |error| Failure {
        error: Arc::new(error),
        at: Instant::now(),
    };
    connecting
        .map(move |outcome| outcome.map_err(failed))
        .boxed()
        .shared()
}
