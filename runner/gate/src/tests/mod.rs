//! The gate against real sockets, on loopback and on free ports.

mod http;
mod limits;
mod namespace;
mod out;
mod reach;
mod rig;
mod socks;
mod upstream;
