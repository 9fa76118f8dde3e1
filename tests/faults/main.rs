//! The fault suite: real servers, real runners, one fault at a time, and what must hold under it.
//!
//! Each module is a part of the product that fails. A job has one result whatever happens, nothing of it happens
//! after that, and nothing is left. Must never wait for time to pass where there is something to wait for.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broker;
mod callbacks;
mod clock;
mod common;
mod deadly;
mod frozen;
mod herd;
mod hostile;
mod network;
mod once;
mod random;
mod stages;
mod starved;
mod store;
