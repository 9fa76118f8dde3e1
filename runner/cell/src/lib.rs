//! The isolation: cells for code that nobody trusts, and the warden that makes and reaps them.
//!
//! Synchronous, single-threaded and without network. Knows nothing of jobs, queues or JSON; it is
//! given [`Blueprint`]s before any stranger's byte is read and [`Launch`]es afterwards, and answers
//! with [`Evidence`], never with a verdict on whose fault something was.
//!
//! The rooms: [`supervise`] keeps the two processes alive; `warden` makes, watches and reaps
//! cells; `enter` is what happens between fork and exec, in its one right order; `cgroup`
//! has a driver for each version; [`probe`] tells what this host can give; `sys` holds the only
//! unsafe code.

#[cfg(feature = "ahead")]
mod ahead;
pub mod blueprint;
mod cgroup;
mod enter;
mod evidence;
mod host;
#[cfg(feature = "inside")]
mod inside;
#[cfg(any(feature = "inside", feature = "ahead"))]
mod order;
pub mod protocol;
mod report;
mod step;
mod supervise;
mod sys;
mod warden;
mod warm;

pub use blueprint::{Blueprint, Filter, Limits, Refusal, Warm, WarmMode, Without};
pub use cgroup::available_memory;
pub use evidence::{Call, Ending, Evidence, KillReason, RefusedCall, Usage};
pub use host::{Layer, LayerState, probe};
pub use protocol::{Event, FileSpec, Launch, Request};
pub use step::Step;
pub use supervise::{Link, WorkerError, supervise};
pub use warden::{
    AllowMissing, SILENCE, WardenConfig, WarmConfig, WarmIdle, WarmLibraries, worker_id,
};
