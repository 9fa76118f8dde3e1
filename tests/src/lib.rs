//! The harness of the tests that need real servers and the real binary.
//!
//! [`Fleet`] is what most tests want: RabbitMQ, Redis, a client, and [`Runner`]s
//! as real processes, all on [`Services::isolated`]: a virtual host of the test's
//! own and a Redis, on servers that are shared for speed. A test that
//! kills, freezes, fills or flushes a server starts its own: [`Rabbit::start`],
//! [`Redis::start`], [`Sentinel::start`]. [`relay::Relay`] is a bad network before any of them.
//!
//! [`probe::Probe`] is a program that tries to break out, [`bait::Bait`] what it is after.
//! [`site::Site`] is what a job reaches through the gate, [`policies::Policies`] opens it.
//! [`receiver::Receiver`] hears callbacks.
//! [`run::Run`] is one job on the real kernel without any server; [`cli::Cli`] is the command itself.
//!
//! It must never touch a server that is not private to the tests, and never
//! leave a process or a folder behind, even when the test is killed.

pub mod bait;
mod binary;
pub mod certificates;
pub mod cli;
mod ended;
pub mod fleet;
pub mod gateway;
pub mod http;
pub mod limits;
mod lone_sentinel;
pub mod network;
mod pen;
pub mod policies;
pub mod probe;
pub mod processes;
mod rabbit;
pub mod receiver;
mod redis;
pub mod relay;
mod remains;
pub mod run;
mod runner;
mod sentinel;
mod services;
pub mod site;
pub mod soak;
mod supervised;

pub use self::redis::Redis;
pub use binary::glovebox_bin;
pub use certificates::Certificates;
pub use fleet::Fleet;
pub use lone_sentinel::LoneSentinel;
pub use pen::Pen;
pub use rabbit::Rabbit;
pub use runner::{How, Runner};
pub use sentinel::{MASTER, Sentinel};
pub use services::Services;
/// Jobs in a slot with a template.
pub mod warm;
