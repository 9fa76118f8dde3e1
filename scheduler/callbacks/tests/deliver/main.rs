//! Orders in a real RabbitMQ, delivered to real receivers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hostile;
mod retried;
mod rig;
mod sent;
mod tls;
