//! Placeholder.
#![allow(dead_code, reason = "placeholder")]
mod host;
mod ledger;
mod pattern;
mod policy;
mod verdict;
pub use ledger::{Account, Connection};
pub use pattern::{HostPattern, HostPatternError};
pub use policy::{Policy, TooMuch, Upstream, UpstreamError, Wishes};
pub use verdict::Verdict;
/// d
#[derive(Debug)]
pub struct Doors {
    /// h
    pub http: std::os::fd::OwnedFd,
    /// s
    pub socks: std::os::fd::OwnedFd,
}
/// g
#[derive(Debug)]
pub struct Gate;
/// p
#[derive(Debug)]
pub struct Passage;
impl Gate {
    /// s
    pub fn start() -> std::io::Result<Gate> {
        Ok(Gate)
    }
    /// o
    pub fn open(&self, _d: Doors, _p: Policy) -> Passage {
        Passage
    }
}
impl Passage {
    /// c
    pub async fn close(self) -> Account {
        Account::default()
    }
}
