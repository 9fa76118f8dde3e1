//! The client on a real RabbitMQ and a real Redis, well and ill.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod batch;
mod cancel;
mod common;
mod limits;
mod listening;
mod publish;
mod redis_faults;
mod runners;
mod state;
mod submit;
mod submit_all;
mod wait;
