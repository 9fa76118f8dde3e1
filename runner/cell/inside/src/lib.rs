//! The library that makes an interpreter a template of warm cells: `glovebox-cell` with its feature `inside`, compiled
//! once more as a shared object, for it has to run inside another program.
//!
//! Nothing but its bytes is here. Must never hold anything of a host or of a job.

/// The shared object; empty where this program is built for another C library than interpreters are.
pub const LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/inside.so"));
