//! The gateway in this process, before a real RabbitMQ and a real Redis; what a runner does, the tests do.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod away;
mod batch;
mod common;
mod events;
mod jobs;
mod keys;
mod limits;
mod operation;
mod repetition;
mod sandbox;
