//! The libraries that keep interpreters warm: `glovebox-cell` with its feature `inside` or `ahead`, compiled once more as
//! a shared object each, for it has to run inside another program.
//!
//! Nothing but their bytes is here, empty where this program is built for another C library than interpreters are. Must
//! never hold anything of a host or of a job.

/// What makes an interpreter a template that jobs are forked from.
pub const LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/inside.so"));

/// What has an interpreter that was started ahead wait for its job.
pub const AHEAD: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/ahead.so"));
