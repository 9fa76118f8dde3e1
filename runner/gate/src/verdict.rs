//! What became of a connection, in a word for machines and a hint for people.
//!
//! Must never say more than that: why an address is closed or what a lookup gave is not the job's to know.

use std::fmt;
use std::io::ErrorKind;

/// What became of a connection that a job asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It was made.
    Allowed,
    /// No pattern opens the host.
    HostNotAllowed,
    /// The port is not open.
    PortNotAllowed,
    /// Every address of the host is private, special, or the gate's own.
    PrivateAddress,
    /// The name has no address.
    Unresolved,
    /// Nobody answered at any of its addresses.
    Unreachable,
    /// The proxy that the gate itself goes through would not.
    UpstreamRefused,
    /// The job's bytes are used up.
    ByteLimit,
    /// The job's connections are used up.
    ConnectionLimit,
    /// What the job sent is not what this door speaks.
    Malformed,
}

impl Verdict {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::Allowed => "allowed",
            Verdict::HostNotAllowed => "host_not_allowed",
            Verdict::PortNotAllowed => "port_not_allowed",
            Verdict::PrivateAddress => "private_address",
            Verdict::Unresolved => "unresolved",
            Verdict::Unreachable => "unreachable",
            Verdict::UpstreamRefused => "upstream_refused",
            Verdict::ByteLimit => "byte_limit",
            Verdict::ConnectionLimit => "connection_limit",
            Verdict::Malformed => "malformed",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            Verdict::Allowed => "nothing is amiss",
            Verdict::HostNotAllowed => {
                "use a host that the profile and the job list, or have it added to both"
            }
            Verdict::PortNotAllowed => {
                "use a port that the profile and the job list, or have it added to both"
            }
            Verdict::PrivateAddress => {
                "the host has no public address; a profile opens private ones by its list `intranet`"
            }
            Verdict::Unresolved => {
                "check the host's name, and that the runner's own resolver knows it"
            }
            Verdict::Unreachable => {
                "check that the host serves this port, and that the runner's network reaches it"
            }
            Verdict::UpstreamRefused => {
                "the proxy in front of the runner refused: have it allow this host and port"
            }
            Verdict::ByteLimit => {
                "transfer less, or have the profile allow the job more bytes over the network"
            }
            Verdict::ConnectionLimit => {
                "open fewer connections, or have the profile allow the job more of them"
            }
            Verdict::Malformed => {
                "send CONNECT host:port or an absolute http:// URL to the HTTP door, \
                 SOCKS version 5 without authentication to the other"
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) verdict: Verdict,
    /// The network's own answer, where that was it.
    pub(crate) cause: Option<ErrorKind>,
}

impl Refusal {
    /// For `map_err`: nobody could be reached, or not to the end.
    pub(crate) fn unreachable(kind: ErrorKind) -> Refusal {
        Refusal {
            verdict: Verdict::Unreachable,
            cause: Some(kind),
        }
    }
}

impl From<Verdict> for Refusal {
    fn from(verdict: Verdict) -> Refusal {
        Refusal {
            verdict,
            cause: None,
        }
    }
}
