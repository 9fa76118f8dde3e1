//! The servers by name.

use std::fmt;

/// One of the servers that Glovebox needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The broker of jobs.
    RabbitMq,
    /// The store of results.
    Redis,
    /// What knows the store's master.
    Sentinel,
}

impl Service {
    /// The environment variable that holds its URL.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::RabbitMq => "GLOVEBOX_AMQP_URL",
            Self::Redis | Self::Sentinel => "GLOVEBOX_REDIS_URL",
        }
    }

    /// How its URL begins, without TLS and with it.
    pub(crate) fn schemes(self) -> (&'static str, &'static str) {
        match self {
            Self::RabbitMq => ("amqp://", "amqps://"),
            Self::Redis => ("redis://", "rediss://"),
            Self::Sentinel => ("redis+sentinel://", "rediss+sentinel://"),
        }
    }

    /// What its URL looks like.
    #[must_use]
    pub fn example_url(self) -> &'static str {
        match self {
            Self::RabbitMq => "amqp://guest:guest@127.0.0.1:5672/%2f",
            Self::Redis => "redis://127.0.0.1:6379/0",
            Self::Sentinel => "redis+sentinel://127.0.0.1:26379/mymaster/0",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RabbitMq => "RabbitMQ",
            Self::Redis => "Redis",
            Self::Sentinel => "Redis Sentinel",
        })
    }
}
