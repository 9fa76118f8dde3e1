//! The worker's side: message → job → plan → launch → outcome → result → ack.
//!
//! Read [`pipeline`] first: it names every stage in order. `message` takes deliveries from RabbitMQ
//! and is the only room that knows lapin; `result` writes to Redis and is the only one that knows
//! redis; they never meet. Must hold no power: it runs as an unprivileged user beside the warden.

mod aside;
mod blueprints;
mod cancel;
mod embedded;
mod health;
mod heartbeat;
mod install;
mod launch;
mod lease;
mod message;
mod offer;
mod order;
mod outcome;
pub mod pipeline;
mod plan;
mod process;
mod record;
mod result;
mod routes;
mod spool;
mod stage;
mod valve;
mod worker;
mod workshop;

pub use blueprints::{Environment, Languages, Wanted, prepare};
pub use embedded::{Echo, EmbeddedError, Many, run_each, run_many, run_one};
pub use install::{Installation, install};
pub use launch::LaunchError;
pub use order::Lane;
pub use record::{Recording, RefusedCall, record};

pub use result::Durability;
pub use spool::{SpoolConfig, claim as claim_spool};
pub use stage::{Stage, Watch};
pub use worker::{RunnerConfig, RunnerError, Stopped, run};
pub use workshop::{Witness, Workshop};
