//! One Redis at one address: connections are made within a limit, and checked
//! before they are used.
//!
//! It must never return a connection to something that has not answered PING,
//! or to a replica: what is written to it is refused, or lost.

use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, ErrorKind, FromRedisValue, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, ServerErrorKind, Value,
};
use tokio_util::task::AbortOnDropHandle;

use crate::error::{BrokerError, Service};
use crate::tls::uses_tls;
use crate::transport::{Address, Place, Stream};
use crate::url::without_password;

const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// redis-rs gives up after half a second otherwise: too soon for a busy server.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(super) struct Server {
    place: Place,
    login: RedisConnectionInfo,
}

/// A connection, and the task that drives it for as long as somebody keeps this.
pub(super) struct Opened {
    pub(super) connection: MultiplexedConnection,
    pub(super) driver: AbortOnDropHandle<()>,
}

enum Role {
    Writable,
    Replica,
    Sentinel,
    NotRedis,
}

impl Server {
    pub(super) fn new(service: Service, url: &str) -> Result<Self, BrokerError> {
        let wrong = |reason| BrokerError::Url { service, reason };
        // redis-rs would take `#insecure` for leave not to check the certificate.
        if url.contains('#') {
            return Err(wrong("it has a #, which is written as %23 in a password"));
        }
        let tls = uses_tls(url);
        // It leaves TLS to us.
        let plain = if tls {
            url.replacen("s://", "://", 1)
        } else {
            url.to_owned()
        };
        let info = plain
            .into_connection_info()
            .map_err(|_| wrong("it is not of the form redis://user:password@host:port/0"))?;
        let address = match info.addr() {
            ConnectionAddr::Tcp(host, port) => Address::Tcp(host.clone(), *port),
            ConnectionAddr::Unix(path) => Address::Unix(path.clone()),
            _ => return Err(wrong("this kind of address is not supported")),
        };
        Ok(Self {
            place: Place {
                service,
                at: without_password(url),
                address,
                tls,
            },
            login: info.redis_settings().clone(),
        })
    }

    pub(super) fn at(&self) -> &str {
        &self.place.at
    }

    pub(super) fn db(&self) -> i64 {
        self.login.db()
    }

    /// A connection that has answered, to a master.
    pub(super) async fn connect(&self) -> Result<Opened, BrokerError> {
        let stream = self.place.connect(CONNECT_WITHIN).await?.stream;
        let (opened, role) = self
            .within(ANSWER_WITHIN, async {
                let mut opened = self.log_in(stream).await?;
                let role = look(&mut opened.connection).await?;
                Ok((opened, role))
            })
            .await?;
        let (service, at) = (self.place.service, self.place.at.clone());
        let source = match role {
            Role::Writable => return Ok(opened),
            Role::Replica => return Err(BrokerError::ReadOnly { at }),
            Role::Sentinel => {
                "it is a Sentinel, with whose help redis+sentinel:// finds the master"
            }
            Role::NotRedis => "it answered PING with something else than PONG",
        };
        Err(BrokerError::NotTheService {
            service,
            at,
            source: source.into(),
        })
    }

    pub(super) async fn subscribe(&self, channel: &str) -> Result<PubSub, BrokerError> {
        let stream = self.place.connect(CONNECT_WITHIN).await?.stream;
        self.within(ANSWER_WITHIN, async {
            let mut subscription = PubSub::new(&self.login, stream).await?;
            subscription.subscribe(channel).await?;
            Ok(subscription)
        })
        .await
    }

    /// Connects, asks one question and hangs up.
    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        question: &Cmd,
        limit: Duration,
    ) -> Result<T, BrokerError> {
        let stream = self.place.connect(limit).await?.stream;
        self.within(limit, async {
            let mut opened = self.log_in(stream).await?;
            question.query_async(&mut opened.connection).await
        })
        .await
    }

    async fn log_in(&self, stream: Stream) -> Result<Opened, RedisError> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER_WITHIN));
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&self.login, stream, config).await?;
        let driver = AbortOnDropHandle::new(tokio::spawn(driver));
        Ok(Opened { connection, driver })
    }

    /// Takes the first steps on a connection, and says what is wrong with it.
    async fn within<T>(
        &self,
        limit: Duration,
        steps: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, BrokerError> {
        match tokio::time::timeout(limit, steps).await {
            Ok(Ok(value)) => {
                self.place.has_let_us_in();
                Ok(value)
            }
            Ok(Err(error)) => Err(self.place.explain(self.classify(error)).await),
            Err(_) => Err(self.place.silent(limit)),
        }
    }

    fn classify(&self, error: RedisError) -> BrokerError {
        let (service, at) = (self.place.service, self.place.at.clone());
        if error.is_timeout() {
            return self.place.silent(ANSWER_WITHIN);
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
    let Ok(Value::Array(role)) = role else {
        // A user who may not ask for the role is let in: a replica says so at the first write.
        return Ok(Role::Writable);
    };
    Ok(match role.first() {
        Some(Value::BulkString(role)) if role == b"slave" => Role::Replica,
        Some(Value::BulkString(role)) if role == b"sentinel" => Role::Sentinel,
        _ => Role::Writable,
    })
}
