//! One Redis at one address: connections are made within a limit, and checked
//! before they are used.
//!
//! It must never return a connection to something that has not answered PING,
//! or to a replica: what is written to it is refused, or lost.

use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, ServerErrorKind, Value};

use crate::error::{BrokerError, Service};
use crate::url::without_password;

const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// redis-rs gives up after half a second otherwise: too soon for a busy server.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(super) struct Server {
    service: Service,
    /// Its URL without the password.
    at: String,
    client: Client,
}

enum Role {
    Writable,
    Replica,
    NotRedis,
}

impl Server {
    pub(super) fn new(service: Service, url: &str) -> Result<Self, BrokerError> {
        let wrong = |reason| BrokerError::Url { service, reason };
        if url.starts_with("rediss:") {
            return Err(wrong("this build has no TLS, so rediss:// cannot be used"));
        }
        let client = Client::open(url)
            .map_err(|_| wrong("it is not of the form redis://user:password@host:port/0"))?;
        Ok(Self {
            service,
            at: without_password(url),
            client,
        })
    }

    pub(super) fn at(&self) -> &str {
        &self.at
    }

    pub(super) fn db(&self) -> i64 {
        self.client.get_connection_info().redis_settings().db()
    }

    /// A connection that has answered, to a master.
    pub(super) async fn connect(&self) -> Result<MultiplexedConnection, BrokerError> {
        let limit = CONNECT_WITHIN + ANSWER_WITHIN;
        let (connection, role) = self
            .within(limit, async {
                let mut connection = self.open().await?;
                let role = look(&mut connection).await?;
                Ok((connection, role))
            })
            .await?;
        match role {
            Role::Writable => Ok(connection),
            Role::Replica => Err(BrokerError::ReadOnly {
                at: self.at.clone(),
            }),
            Role::NotRedis => Err(BrokerError::NotTheService {
                service: self.service,
                at: self.at.clone(),
                source: "it answered PING with something else than PONG".into(),
            }),
        }
    }

    pub(super) async fn subscribe(&self, channel: &str) -> Result<PubSub, BrokerError> {
        self.within(CONNECT_WITHIN + ANSWER_WITHIN, async {
            let mut subscription = self.client.get_async_pubsub().await?;
            subscription.subscribe(channel).await?;
            Ok(subscription)
        })
        .await
    }

    /// A connection that nothing is known of but that its login went well.
    pub(super) async fn open(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN));
        self.client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// Runs the steps that a connection is made in, and says what came of them.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        steps: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, BrokerError> {
        match tokio::time::timeout(limit, steps).await {
            Ok(outcome) => outcome.map_err(|error| self.classify(error)),
            Err(_) => Err(self.silent(limit)),
        }
    }

    fn silent(&self, limit: Duration) -> BrokerError {
        BrokerError::Silent {
            service: self.service,
            at: self.at.clone(),
            seconds: limit.as_secs(),
        }
    }

    fn classify(&self, error: RedisError) -> BrokerError {
        let (service, at) = (self.service, self.at.clone());
        if error.is_timeout() {
            return self.silent(CONNECT_WITHIN);
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
            ErrorKind::Server(ServerErrorKind::ResponseError) if service == Service::Sentinel => {
                BrokerError::NotTheService {
                    service,
                    at,
                    source,
                }
            }
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
}

/// A replica takes writes only if it was told to, and loses them then.
async fn look(connection: &mut MultiplexedConnection) -> Result<Role, RedisError> {
    let mut both = redis::pipe();
    both.cmd("PING").cmd("ROLE").ignore_errors();
    let (ping, role): (Result<Value, RedisError>, Result<Value, RedisError>) =
        both.query_async(connection).await?;
    match ping? {
        Value::SimpleString(pong) if pong == "PONG" => {}
        _ => return Ok(Role::NotRedis),
    }
    // A user who may not ask for the role is let in: a replica says so at the first write.
    let is_replica = matches!(
        role,
        Ok(Value::Array(role)) if role.first() == Some(&Value::BulkString(b"slave".to_vec()))
    );
    Ok(if is_replica {
        Role::Replica
    } else {
        Role::Writable
    })
}
