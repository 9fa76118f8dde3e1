//! Patterns of hosts, as profiles and jobs list them.
//!
//! A name is matched by patterns of names, an address by networks. Must never match a name by what it
//! resolves to: that is `address`'s business, and comes later.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::host::Host;

/// `*`, `example.org`, `*.example.org` (what is below it, not itself), an address, or a network such as
/// `10.0.0.0/8`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Any,
    Name(String),
    /// Kept with its leading dot.
    Below(String),
    Network(IpNet),
}

/// A pattern that opens nothing, or not what was meant.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{pattern}` is no pattern of hosts: {why}; write *, example.org, *.example.org, 192.0.2.7 or 10.0.0.0/8"
)]
pub struct HostPatternError {
    pattern: String,
    why: &'static str,
}

impl HostPattern {
    /// Whether it is `*`, which has no meaning in [`Policy::intranet`](crate::Policy::intranet).
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0 == Kind::Any
    }

    /// Whether it opens `host`.
    pub(crate) fn matches(&self, host: &Host) -> bool {
        match (&self.0, host) {
            (Kind::Any, _) => true,
            (Kind::Name(pattern), Host::Name(name)) => pattern == name,
            (Kind::Below(suffix), Host::Name(name)) => name.ends_with(suffix),
            (Kind::Network(network), Host::Address(address)) => network.contains(address),
            _ => false,
        }
    }

    /// Whether it opens the private `address`, to which `host` has resolved.
    pub(crate) fn opens(&self, host: &Host, address: IpAddr) -> bool {
        match &self.0 {
            Kind::Any => false,
            Kind::Network(network) => network.contains(&address),
            Kind::Name(_) | Kind::Below(_) => self.matches(host),
        }
    }
}

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(pattern: &str) -> Result<HostPattern, HostPatternError> {
        parse(pattern)
            .map(HostPattern)
            .map_err(|why| HostPatternError {
                pattern: pattern.escape_default().take(100).collect(),
                why,
            })
    }
}

fn parse(pattern: &str) -> Result<Kind, &'static str> {
    if pattern == "*" {
        return Ok(Kind::Any);
    }
    if pattern.contains('/') {
        let network: IpNet = pattern
            .parse()
            .map_err(|_| "the network is not ADDRESS/BITS")?;
        return match network.trunc() == network {
            true => Ok(Kind::Network(network)),
            false => Err("the address has bits beyond the network's own"),
        };
    }
    let (below, host) = match pattern.strip_prefix("*.") {
        Some(host) => (true, host),
        None => (false, pattern),
    };
    match (below, host.parse()) {
        (false, Ok(Host::Name(name))) => Ok(Kind::Name(name)),
        (true, Ok(Host::Name(name))) => Ok(Kind::Below(format!(".{name}"))),
        (false, Ok(Host::Address(address))) => Ok(Kind::Network(address.into())),
        (true, Ok(Host::Address(_))) => Err("nothing is below an address"),
        (_, Err(_)) => Err("that is not a host's name"),
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Any => f.write_str("*"),
            Kind::Name(name) => f.write_str(name),
            Kind::Below(suffix) => write!(f, "*{suffix}"),
            Kind::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                network.addr().fmt(f)
            }
            Kind::Network(network) => network.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, host: &str) -> bool {
        let host: Host = host.parse().unwrap();
        pattern.parse::<HostPattern>().unwrap().matches(&host)
    }

    #[test]
    fn names_match_names_and_networks_match_addresses() {
        assert!(matches("*", "example.org") && matches("*", "192.0.2.1"));
        assert!(matches("Example.org", "EXAMPLE.org."));
        assert!(!matches("example.org", "www.example.org"));
        assert!(matches("*.example.org", "a.b.example.org"));
        assert!(!matches("*.example.org", "example.org"));
        assert!(!matches("*.example.org", "notexample.org"));
        assert!(matches("192.0.2.0/24", "192.0.2.9") && !matches("192.0.2.0/24", "192.0.3.9"));
        assert!(matches("192.0.2.9", "0xc0000209") && matches("2001:db8::/32", "[2001:db8::7]"));
        assert!(!matches("0.0.0.0/0", "::ffff:192.0.2.9"));
    }

    #[test]
    fn the_intranet_is_opened_by_name_or_network_and_never_by_a_star() {
        let opens = |host: &str, address: &str| {
            let intranet = ["*", "db.example.org", "10.1.0.0/16"];
            let (host, address) = (host.parse().unwrap(), address.parse().unwrap());
            let mut patterns = intranet
                .iter()
                .map(|one| one.parse::<HostPattern>().unwrap());
            patterns.any(|pattern| pattern.opens(&host, address))
        };
        assert!(opens("db.example.org", "192.168.0.1"));
        assert!(opens("a.example.org", "10.1.2.3"));
        assert!(!opens("a.example.org", "10.2.2.3"));
        assert!(!opens("192.168.0.1", "192.168.0.1"));
    }

    #[test]
    fn a_pattern_is_shown_as_it_is_written() {
        for pattern in [
            "*",
            "example.org",
            "*.example.org",
            "192.0.2.7",
            "10.0.0.0/8",
            "2001:db8::/32",
        ] {
            assert_eq!(pattern.parse::<HostPattern>().unwrap().to_string(), pattern);
        }
    }

    #[test]
    fn what_opens_nothing_is_refused_with_the_mend() {
        for pattern in [
            "",
            "*.",
            "*.*",
            "a.*",
            "*.10.0.0.1",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "a b",
            "http://a",
        ] {
            let error = pattern.parse::<HostPattern>().unwrap_err();
            assert!(
                error.to_string().contains("write *, example.org"),
                "{pattern}"
            );
        }
    }
}
