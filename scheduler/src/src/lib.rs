//! The client's side of the queue: submit a job, look at it, wait for its
//! result, cancel it.
//!
//! It must never run a job, consume from a queue, or write a result: those are
//! the runner's. Nor does it make the queue of a lane; a lane that no runner has
//! ever served is an error, not a place where jobs disappear.

mod cancel;
mod client;
mod error;
mod link;
mod mark;
mod message;
mod publisher;
mod state;
mod store;
mod submit;
mod wait;

pub use client::Client;
pub use error::{ClientError, SubmitError};
pub use state::{JobState, Phase};
pub use submit::Submitted;
