//! Why a server could not be used: told apart by what must be done about it.
//!
//! Each message names the server and what failed; the cause is the source and
//! not repeated; the mend stands apart in [`BrokerError::hint`]. No message may
//! hold a password.

mod hint;
mod service;

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

pub use self::service::Service;
use crate::url::without_password;

/// The underlying failure of a [`BrokerError`].
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A server that could not be used. `at` is its URL without the password.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// The URL itself is wrong.
    #[error("the URL of {service} cannot be used: {reason}")]
    Url {
        /// Whose URL.
        service: Service,
        /// What is wrong with it; never the URL itself.
        reason: &'static str,
    },

    /// Nothing accepts connections there.
    #[error("{service} at {at} is out of reach")]
    Unreachable {
        /// Which server.
        service: Service,
        /// Its URL without the password.
        at: String,
        /// What the system said.
        #[source]
        source: Cause,
    },

    /// Something accepts connections there and then says nothing.
    #[error("{service} at {at} did not answer within {seconds} s")]
    Silent {
        /// Which server.
        service: Service,
        /// Its URL without the password.
        at: String,
        /// How long was waited.
        seconds: u64,
    },

    /// What answers there speaks another protocol.
    #[error("what answers at {at} is not {service}")]
    NotTheService {
        /// Which server was expected.
        service: Service,
        /// Its URL without the password.
        at: String,
        /// What was read instead.
        #[source]
        source: Cause,
    },

    /// The user's name or password is wrong.
    #[error("{service} at {at} refused the user name or the password")]
    Credentials {
        /// Which server.
        service: Service,
        /// Its URL without the password.
        at: String,
        /// What the server said.
        #[source]
        source: Cause,
    },

    /// The virtual host does not exist, or the user may not enter it.
    #[error("RabbitMQ at {at} gives no access to the virtual host {vhost:?}")]
    VirtualHost {
        /// Its URL without the password.
        at: String,
        /// The virtual host's name, decoded.
        vhost: String,
        /// What the server said.
        #[source]
        source: Cause,
    },

    /// Its certificate is not one to trust.
    #[error("the certificate of {service} at {at} {flaw}")]
    Certificate {
        /// Which server.
        service: Service,
        /// Its URL without the password.
        at: String,
        /// What is wrong with it.
        flaw: Flaw,
        /// The details: names, or times.
        #[source]
        source: Cause,
    },

    /// It wants a certificate of its clients.
    #[error("{service} at {at} wants a certificate of its clients")]
    CertificateWanted {
        /// Which server.
        service: Service,
        /// Its URL without the password.
        at: String,
    },

    /// The URL asks for TLS, and the port is without.
    #[error("what answers at {at} does not speak TLS")]
    NoTls {
        /// Which server was expected.
        service: Service,
        /// Its URL without the password.
        at: String,
    },

    /// The port is one for TLS, and the URL does not ask for it.
    #[error("{service} at {at} speaks TLS only")]
    TlsWanted {
        /// Which server.
        service: Service,
        /// Its URL without the password.
        at: String,
    },

    /// Nobody's word on certificates can be taken.
    #[error("the certificate authorities of {place} cannot be read")]
    Authorities {
        /// The file, or this system.
        place: String,
        /// What the system, or the parser, said.
        #[source]
        source: Cause,
    },

    /// It is a replica: what is written there is refused, or lost.
    #[error("Redis at {at} is a read-only replica")]
    ReadOnly {
        /// Its URL without the password.
        at: String,
    },

    /// Not one of the Sentinels could be asked.
    #[error("no Sentinel of {at} could be asked for the master")]
    NoSentinel {
        /// Their URL without passwords.
        at: String,
        /// Why the first of them could not.
        #[source]
        source: Box<BrokerError>,
    },

    /// The Sentinels answer, and do not know the name.
    #[error("the Sentinels of {at} know no master {name:?}")]
    UnknownMaster {
        /// Their URL without passwords.
        at: String,
        /// The master's name.
        name: String,
    },

    /// The connection stood and was then refused or lost.
    #[error("{service} at {at} ended the connection while {doing}")]
    Lost {
        /// Which server.
        service: Service,
        /// Its URL without the password.
        at: String,
        /// What was being done.
        doing: &'static str,
        /// What the server or the system said.
        #[source]
        source: Cause,
    },

    /// A queue or an exchange is there already, made with other settings.
    #[error("the {kind} {name} exists already with other settings")]
    OtherSettings {
        /// `queue` or `exchange`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What the server said: it names the setting.
        #[source]
        source: Cause,
    },

    /// A queue, an exchange or a binding could not be declared.
    #[error("the {kind} {name} could not be declared")]
    Declare {
        /// `queue`, `exchange` or `binding`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What the server said.
        #[source]
        source: Cause,
    },
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Flaw {
    /// No authority that is trusted here has signed it.
    #[error("is signed by nobody who is trusted here")]
    UnknownIssuer,
    /// It is an authority's own, as one is that a server has made for itself.
    #[error("is signed by itself")]
    SelfSigned,
    /// It is another host's.
    #[error("is made out to another name")]
    WrongName,
    /// It has expired, or is not valid yet.
    #[error("is not valid at this time")]
    WrongTime,
    /// Anything else.
    #[error("cannot be used")]
    Unusable,
}

impl BrokerError {
    /// The connection to RabbitMQ at `url` broke, or was ended, while something was being done on it.
    #[must_use]
    pub fn lost(url: &str, doing: &'static str, error: lapin::Error) -> Self {
        Self::Lost {
            service: Service::RabbitMq,
            at: without_password(url),
            doing,
            source: innermost(error),
        }
    }

    /// RabbitMQ stopped answering on the way to a working connection.
    #[must_use]
    pub fn silent(url: &str, limit: Duration) -> Self {
        Self::Silent {
            service: Service::RabbitMq,
            at: without_password(url),
            seconds: limit.as_secs(),
        }
    }

    /// Why a [`Redis`](crate::Redis) has no connection, if that is what a command failed of.
    #[must_use]
    pub fn behind(error: &redis::RedisError) -> Option<&Self> {
        // redis-rs keeps an io::Error in a shared box of its own.
        let boxed: &Arc<dyn std::error::Error + Send + Sync> = error.source()?.downcast_ref()?;
        let io: &std::io::Error = boxed.downcast_ref()?;
        let shared: &Arc<Self> = io.get_ref()?.downcast_ref()?;
        Some(shared)
    }

    /// True when waiting may mend it, false when someone has to change something.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Silent { .. }
            | Self::ReadOnly { .. }
            | Self::Lost { .. } => true,
            Self::NoSentinel { source, .. } => source.is_temporary(),
            Self::Url { .. }
            | Self::NotTheService { .. }
            | Self::Credentials { .. }
            | Self::VirtualHost { .. }
            | Self::Certificate { .. }
            | Self::CertificateWanted { .. }
            | Self::NoTls { .. }
            | Self::TlsWanted { .. }
            | Self::Authorities { .. }
            | Self::UnknownMaster { .. }
            | Self::OtherSettings { .. }
            | Self::Declare { .. } => false,
        }
    }
}

/// lapin's errors repeat their source in their own text: this keeps the innermost alone.
pub(crate) fn innermost(error: lapin::Error) -> Cause {
    match error.kind() {
        lapin::ErrorKind::IOError(io) => Box::new(std::sync::Arc::clone(io)),
        lapin::ErrorKind::ProtocolError(protocol) => Box::new(protocol.clone()),
        _ => Box::new(error),
    }
}
