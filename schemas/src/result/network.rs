//! What a program reached through the proxy.
//!
//! Plain data only. Host names are as the program asked for them, made printable.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One connection that a program asked the proxy for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Connection {
    /// The host, as it was asked for.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What became of it.
    pub verdict: Verdict,
    /// Bytes that the program sent.
    #[serde(default)]
    pub bytes_sent: u64,
    /// Bytes that the program received.
    #[serde(default)]
    pub bytes_received: u64,
    /// What to do about it, if it was not let through.
    #[serde(default)]
    pub hint: String,
}

/// What became of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was let through.
    Allowed,
    /// The host is not among those allowed.
    HostNotAllowed,
    /// The port is not among those allowed.
    PortNotAllowed,
    /// The host is in a network that is not public, and not opened by name.
    PrivateAddress,
    /// The host's name has no address.
    Unresolved,
    /// Nobody answered there.
    Unreachable,
    /// The proxy that the gate itself goes through would not.
    UpstreamRefused,
    /// Cut, or not begun: no more bytes were allowed.
    ByteLimit,
    /// Not begun: no more connections were allowed.
    ConnectionLimit,
    /// What the program sent is no request to a proxy.
    Malformed,
    /// A reading program does not know this one: it is of a later release.
    #[serde(other)]
    Other,
}
