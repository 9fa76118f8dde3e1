//! Connections to Redis: one for commands that mends itself, and one for
//! listening that does not.
//!
//! It must never wait without a limit, and never hand out a connection to
//! something that has not answered PING.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSub};
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError};

use crate::error::{BrokerError, Service};
use crate::url::without_password;

const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// redis-rs gives up after half a second otherwise: too soon for a busy server.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Between the manager's attempts to connect again.
const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// Connects to Redis, checks that it is one, and returns a connection that
/// connects again by itself: the first command after a break fails, later ones
/// wait for the new connection.
///
/// # Errors
///
/// A [`BrokerError`] that tells a wrong URL, a server out of reach, a mute or a
/// foreign one and wrong credentials apart. A wrong URL or password fails at
/// once, without the manager's retries.
pub async fn connect_redis(url: &str) -> Result<ConnectionManager, BrokerError> {
    let client = open(url)?;
    let probe = async {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN));
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        redis::cmd("PING")
            .query_async::<String>(&mut connection)
            .await
    };
    match within(url, probe).await?.as_str() {
        "PONG" => {}
        _ => {
            return Err(BrokerError::NotTheService {
                service: Service::Redis,
                at: without_password(url),
                source: "it answered PING with something else than PONG".into(),
            });
        }
    }

    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_WITHIN))
        .set_response_timeout(Some(ANSWER_WITHIN))
        .set_max_delay(LONGEST_DELAY);
    ConnectionManager::new_lazy_with_config(client, config).map_err(|error| classify(url, error))
}

/// Connects to Redis and subscribes to one channel.
///
/// The connection does not mend itself: when its stream ends it is gone, and
/// a peer that froze is not noticed at all. So whoever listens looks at the
/// stored value after subscribing, and again now and then.
///
/// # Errors
///
/// As [`connect_redis`].
pub async fn subscribe(url: &str, channel: &str) -> Result<PubSub, BrokerError> {
    let client = open(url)?;
    within(url, async {
        let mut subscription = client.get_async_pubsub().await?;
        subscription.subscribe(channel).await?;
        Ok(subscription)
    })
    .await
}

fn open(url: &str) -> Result<Client, BrokerError> {
    let wrong = |reason| BrokerError::Url {
        service: Service::Redis,
        reason,
    };
    if url.starts_with("rediss:") {
        return Err(wrong("this build has no TLS, so rediss:// cannot be used"));
    }
    Client::open(url).map_err(|_| wrong("it is not of the form redis://user:password@host:port/0"))
}

/// Runs the steps of a connection within the limits of one and of its first answer.
async fn within<T>(
    url: &str,
    steps: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, BrokerError> {
    let limit = CONNECT_WITHIN + ANSWER_WITHIN;
    match tokio::time::timeout(limit, steps).await {
        Ok(outcome) => outcome.map_err(|error| classify(url, error)),
        Err(_) => Err(silent(url, limit)),
    }
}

fn silent(url: &str, limit: Duration) -> BrokerError {
    BrokerError::Silent {
        service: Service::Redis,
        at: without_password(url),
        seconds: limit.as_secs(),
    }
}

fn classify(url: &str, error: RedisError) -> BrokerError {
    let service = Service::Redis;
    let at = without_password(url);
    if error.is_timeout() {
        return silent(url, CONNECT_WITHIN);
    }
    let wrong_password = error.kind() == ErrorKind::AuthenticationFailed
        || matches!(error.code(), Some("NOAUTH" | "WRONGPASS"));
    let source = Box::new(error);
    match source.kind() {
        _ if wrong_password => BrokerError::Credentials {
            service,
            at,
            source,
        },
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => BrokerError::NotTheService {
            service,
            at,
            // What the parser says has several lines, with a stranger's bytes in them.
            source: "its answer is not of Redis's protocol".into(),
        },
        ErrorKind::Io if !source.is_connection_dropped() || source.is_connection_refusal() => {
            BrokerError::Unreachable {
                service,
                at,
                source,
            }
        }
        _ => BrokerError::Lost {
            service,
            at,
            doing: "logging in",
            source,
        },
    }
}
