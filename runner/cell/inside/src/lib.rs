//! The libraries that keep interpreters warm: `glovebox-cell` with its feature `inside` or `ahead`, compiled once more as
//! a shared object each, for it has to run inside another program.
//!
//! Nothing but their bytes is here, empty where this program is built for another C library than interpreters are. Must
//! never hold anything of a host or of a job.

use glovebox_cell::WarmLibraries;

/// Both.
pub const LIBRARIES: WarmLibraries = WarmLibraries {
    fork: include_bytes!(concat!(env!("OUT_DIR"), "/inside.so")),
    ahead: include_bytes!(concat!(env!("OUT_DIR"), "/ahead.so")),
};
