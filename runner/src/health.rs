//! Whether cells can be built here. After one that could not, nothing is taken for a while, so that its job and those
//! behind it go to other runners; then this one tries again, after a longer while each time.
//!
//! Must never keep a runner out for good: what was missing may be there again, and there may be no other runner.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use glovebox_broker::Retry;

use crate::valve::{Reason, Valve};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// What is known of this runner's health.
pub(crate) struct Health {
    valve: Valve,
    retry: Mutex<Retry>,
}

impl Health {
    pub(crate) fn new(valve: Valve) -> Health {
        Health {
            valve,
            retry: Mutex::new(Retry::new(FIRST, LONGEST)),
        }
    }

    /// Whether a cell could not be built a moment ago.
    pub(crate) fn is_ill(&self) -> bool {
        self.valve.is_closed_for(Reason::Unhealthy)
    }

    /// Waits until what is given back does not come here again.
    pub(crate) async fn is_isolated(&self) {
        self.valve.is_obeyed().await;
    }

    /// A cell could not be built.
    pub(crate) fn failed(&self) {
        if !self.valve.close(Reason::Unhealthy) {
            return;
        }
        let delay = self.retry().next_delay();
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(delay_ms, "unhealthy: nothing new is taken for a while");
        let valve = self.valve.clone();
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            valve.open(Reason::Unhealthy);
        });
    }

    /// A cell was built.
    pub(crate) fn succeeded(&self) {
        self.retry().reset();
    }

    fn retry(&self) -> std::sync::MutexGuard<'_, Retry> {
        self.retry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
