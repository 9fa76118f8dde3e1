//! One connection to Redis: made within a limit, and checked before it is used.
//!
//! It must never return a connection to something that has not answered PING,
//! or to a replica: what is written to it is refused, or lost.

use std::fmt;
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, Value};

use crate::error::{BrokerError, Service};
use crate::url::without_password;

const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// redis-rs gives up after half a second otherwise: too soon for a busy server.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Where Redis is, and how to log in.
#[derive(Clone)]
pub(super) struct Dialer {
    url: String,
    client: Client,
}

impl Dialer {
    pub(super) fn new(url: &str) -> Result<Self, BrokerError> {
        let wrong = |reason| BrokerError::Url {
            service: Service::Redis,
            reason,
        };
        if url.starts_with("rediss:") {
            return Err(wrong("this build has no TLS, so rediss:// cannot be used"));
        }
        let client = Client::open(url)
            .map_err(|_| wrong("it is not of the form redis://user:password@host:port/0"))?;
        Ok(Self {
            url: url.to_owned(),
            client,
        })
    }

    pub(super) fn db(&self) -> i64 {
        self.client.get_connection_info().redis_settings().db()
    }

    /// A connection to a master.
    pub(super) async fn dial(&self) -> Result<MultiplexedConnection, BrokerError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN));
        let (connection, role) = self
            .within(async {
                let mut connection = self
                    .client
                    .get_multiplexed_async_connection_with_config(&config)
                    .await?;
                let role = look(&mut connection).await?;
                Ok((connection, role))
            })
            .await?;
        match role {
            Role::Writable => Ok(connection),
            Role::Replica => Err(BrokerError::ReadOnly {
                at: without_password(&self.url),
            }),
            Role::NotRedis => Err(BrokerError::NotTheService {
                service: Service::Redis,
                at: without_password(&self.url),
                source: "it answered PING with something else than PONG".into(),
            }),
        }
    }

    async fn subscribe(&self, channel: &str) -> Result<PubSub, BrokerError> {
        self.within(async {
            let mut subscription = self.client.get_async_pubsub().await?;
            subscription.subscribe(channel).await?;
            Ok(subscription)
        })
        .await
    }

    /// Runs the steps of a connection within the limits of one and of its first answer.
    async fn within<T>(
        &self,
        steps: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, BrokerError> {
        let limit = CONNECT_WITHIN + ANSWER_WITHIN;
        match tokio::time::timeout(limit, steps).await {
            Ok(outcome) => outcome.map_err(|error| classify(&self.url, error)),
            Err(_) => Err(silent(&self.url, limit)),
        }
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(&self.url))
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
/// As [`connect_redis`](crate::connect_redis), but a replica will do.
pub async fn subscribe(url: &str, channel: &str) -> Result<PubSub, BrokerError> {
    Dialer::new(url)?.subscribe(channel).await
}

enum Role {
    Writable,
    Replica,
    NotRedis,
}

/// A replica takes writes only if it was told to, and loses them then.
async fn look(connection: &mut MultiplexedConnection) -> Result<Role, RedisError> {
    let mut both = redis::pipe();
    both.cmd("PING").cmd("ROLE").ignore_errors();
    let answers: Vec<Result<Value, RedisError>> = both.query_async(connection).await?;
    let mut answers = answers.into_iter();
    let (ping, role) = (answers.next(), answers.next());
    match ping.transpose()? {
        Some(Value::SimpleString(pong)) if pong == "PONG" => {}
        _ => return Ok(Role::NotRedis),
    }
    // A user who may not ask for the role is not refused for that: a replica says so at the first write.
    let is_replica = matches!(
        role,
        Some(Ok(Value::Array(role))) if role.first() == Some(&Value::BulkString(b"slave".to_vec()))
    );
    Ok(if is_replica {
        Role::Replica
    } else {
        Role::Writable
    })
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
