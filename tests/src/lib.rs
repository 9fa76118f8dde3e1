//! The harness of the tests that need real servers and the real binary.
//!
//! [`Services::isolated`] is what most tests want: a RabbitMQ virtual host of
//! their own and a Redis, on servers that are shared for speed. A test that
//! kills, freezes, fills or flushes a server starts its own: [`Rabbit::start`],
//! [`Redis::start`].
//!
//! It must never touch a server that is not private to the tests, and never
//! leave a process or a folder behind, even when the test is killed.

mod binary;
mod rabbit;
mod redis;
mod services;
mod supervised;

pub use binary::glovebox_bin;
pub use rabbit::Rabbit;
pub use redis::Redis;
pub use services::Services;
