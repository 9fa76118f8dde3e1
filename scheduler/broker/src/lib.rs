//! The one place where Glovebox connects to RabbitMQ and to Redis.
//!
//! Runner, client and `doctor` all connect, declare and wait between attempts
//! in the same way because they do it here: plain connections with a name, a
//! heartbeat, time limits and TLS; typed errors that tell a wrong password from a
//! wrong virtual host from a server that is not there.
//!
//! It must never recover a connection to RabbitMQ behind its caller's back
//! (lapin's own recovery can leave a consumer that is silent for ever), send a
//! command to Redis twice, know what a job or a result is, trust a server's
//! certificate unchecked, or let a password out of a URL into an error or a log.

mod amqp;
mod error;
mod outlet;
pub mod retry;
mod store;
mod tls;
mod topology;
mod transport;
mod url;

pub use amqp::connect_amqp;
pub use error::{BrokerError, Flaw, Service};
pub use outlet::{Letter, Outbox, Outlet};
pub use retry::Retry;
pub use store::{Connection, Redis, connect_redis, subscribe};
pub use tls::{trust, uses_tls};
pub use topology::{declare, declare_all};
pub use url::without_password;
