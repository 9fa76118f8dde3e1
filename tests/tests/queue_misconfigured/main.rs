//! A service that cannot be used: each command says which and why in one line, how to mend it in another, and exits 4.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod rabbitmq;
mod redis;
mod tls;
