//! The store as its users see it, on real disks and against tars that mean harm.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod hostile;
mod keeps;
mod killed;
