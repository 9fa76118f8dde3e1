//! The way to Redis: its own address, or Sentinels that know it.

use std::fmt;

use redis::aio::PubSub;

use super::sentinel::Sentinels;
use super::server::{Opened, Server};
use crate::error::{BrokerError, Service};

#[derive(Clone)]
pub(super) enum Dialer {
    Server(Server),
    Sentinels(Sentinels),
}

impl Dialer {
    pub(super) fn new(url: &str) -> Result<Self, BrokerError> {
        if Sentinels::are_in(url) {
            return Sentinels::new(url).map(Self::Sentinels);
        }
        Server::new(Service::Redis, url).map(Self::Server)
    }

    pub(super) fn may_change(&self) -> bool {
        matches!(self, Self::Sentinels(_))
    }

    pub(super) fn db(&self) -> i64 {
        match self {
            Self::Server(server) => server.db(),
            Self::Sentinels(sentinels) => sentinels.db(),
        }
    }

    /// A connection to a master, and the address that it leads to.
    pub(super) async fn dial(&self) -> Result<(Opened, String), BrokerError> {
        self.first_that(async |server| Ok((server.connect().await?, server.at().to_owned())))
            .await
    }

    /// Whether the master has changed. An old one that was cut off, or is only just being relieved,
    /// does not know: it takes writes for ten seconds more, and they are lost.
    pub(super) async fn leads_elsewhere(&self, at: &str) -> bool {
        match self {
            Self::Server(_) => false,
            Self::Sentinels(sentinels) => sentinels
                .masters()
                .await
                .is_ok_and(|(likeliest, _)| likeliest.at() != at),
        }
    }

    pub(super) async fn subscribe(&self, channel: &str) -> Result<PubSub, BrokerError> {
        // Owned: with a borrowed name the compiler doubts that this may be awaited in another thread.
        let channel = channel.to_owned();
        self.first_that(async move |server| server.subscribe(&channel).await)
            .await
    }

    /// Tries what may be the master, and keeps the error of the likeliest.
    async fn first_that<T>(
        &self,
        works: impl AsyncFn(&Server) -> Result<T, BrokerError>,
    ) -> Result<T, BrokerError> {
        match self {
            Self::Server(server) => works(server).await,
            Self::Sentinels(sentinels) => {
                let (likeliest, others) = sentinels.masters().await?;
                let failure = match works(&likeliest).await {
                    Ok(value) => return Ok(value),
                    Err(error) => error,
                };
                for server in &others {
                    if let Ok(value) = works(server).await {
                        return Ok(value);
                    }
                }
                Err(failure)
            }
        }
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server(server) => server.at(),
            Self::Sentinels(sentinels) => sentinels.at(),
        })
    }
}

/// Connects to Redis and subscribes to one channel.
///
/// The connection does not mend itself: when its stream ends it is gone, and
/// a peer that froze is not noticed at all. So whoever listens looks at the
/// stored value after subscribing, and again now and then.
///
/// # Errors
///
/// As [`connect_redis`](crate::connect_redis), but a replica will do: it passes on what its master says.
pub async fn subscribe(url: &str, channel: &str) -> Result<PubSub, BrokerError> {
    Dialer::new(url)?.subscribe(channel).await
}
