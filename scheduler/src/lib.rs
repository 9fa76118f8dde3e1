//! The client's side of the queue: submit a job, look at it, wait for its
//! result, cancel it; and see the runners.
//!
//! It must never run a job, consume from a queue, or write a result: those are
//! the runner's. The one exception is a job that is cancelled while it waits:
//! nobody else would say so before it is delivered. Nor does it make the queue of
//! a lane, but that of a tenant in one; a lane that no runner has ever served is an error, not a place where
//! jobs disappear.

mod answers;
mod attempt;
pub mod batch;
mod cancel;
mod client;
mod error;
mod follow;
mod link;
mod listening;
mod mark;
mod message;
mod owner;
mod publisher;
mod ready;
mod runners;
mod state;
mod store;
mod submit;
mod tenants;
mod wait;

pub use cancel::Cancelled;
pub use client::Client;
pub use error::{ClientError, Limit, SubmitError};
pub use follow::{Event, Following};
pub use runners::{Condition, RunnerState};
pub use state::{JobState, Phase};
pub use submit::Submitted;
pub use tenants::{Setting, Tenant, UsageOfDay, can_be_limited};
