//! What a client holds: where both servers are, and the connections made so far.
//!
//! Making one must never connect: asking for a result needs no RabbitMQ, and
//! must work while it is down.

use std::time::Duration;

use crate::listening::Listening;
use crate::publisher::Publisher;
use crate::store::Store;

/// How long a submission may take unless the caller says otherwise. A frozen
/// leader of a cluster stalls publishers for 15 s.
const CONFIRM_WITHIN: Duration = Duration::from_secs(20);

/// A client of Glovebox. Each connection is made when it is first needed, and
/// made again when it was lost. Share one by reference or in an `Arc`: up to 64
/// submissions of one client are in flight at a time.
#[derive(Debug)]
pub struct Client {
    pub(crate) publisher: Publisher,
    pub(crate) store: Store,
    pub(crate) listening: Listening,
}

impl Client {
    /// A client of the RabbitMQ and the Redis with these URLs. Nothing is connected yet.
    #[must_use]
    pub fn new(amqp_url: impl Into<String>, redis_url: impl Into<String>) -> Self {
        let redis_url = redis_url.into();
        Self {
            publisher: Publisher::new(amqp_url.into(), CONFIRM_WITHIN),
            store: Store::new(redis_url.clone()),
            listening: Listening::new(redis_url),
        }
    }

    /// The same client with another limit on how long RabbitMQ may take to
    /// confirm a message (20 s otherwise).
    #[must_use]
    pub fn confirm_within(mut self, limit: Duration) -> Self {
        self.publisher.confirm_within = limit;
        self
    }
}
