//! The network gate: the only way out of a cell that was given the network.
//!
//! A cell has loopback and nothing else. On it listen two sockets that the warden made inside and handed
//! out; the gate, outside and without power, answers them as an HTTP proxy and as a SOCKS5 server, and
//! connects from the host's network to what the [`Policy`] opens. Every byte that comes in by a door is
//! hostile, and so is every name, address and answer that the job can choose.
//!
//! Must never connect to an address that it did not check itself, nor log what a job sent unescaped.
//!
//! The rooms: `gate` has the thread and a job's passage; `keeper` lets in and ends everything of one job;
//! `http` and `socks` speak with the job; `reach` is the one way from a destination to a connection, and
//! asks `policy` and `dial`, which asks `address` and `resolve`; `meter` and `ledger` count; `out` is for requests
//! that Glovebox itself makes.

mod address;
mod dial;
mod forward;
mod gate;
mod host;
mod http;
mod keeper;
mod ledger;
mod meter;
mod out;
mod pattern;
mod policy;
mod reach;
mod resolve;
mod socks;
#[cfg(test)]
mod tests;
mod upstream;
mod verdict;

pub use gate::{Doors, Gate, Passage};
pub use ledger::{Account, Connection, Permit};
pub use out::WayOut;
pub use pattern::{HostPattern, HostPatternError};
pub use policy::{Policy, TooMuch, Upstream, UpstreamError, Wishes};
pub use verdict::Verdict;
