//! A destination's host, out of whatever a job wrote.
//!
//! There is one spelling of each host behind this point. What has several (`127.1`, `0x7f000001`,
//! `EXAMPLE.org.`, an international name) becomes that one; what has none is refused. Must never let a
//! spelling through that the resolver might read in another way than the policy did.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A host in its one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// A name, lower-case, ASCII, without the trailing dot.
    Name(String),
    /// An address, written as such.
    Address(IpAddr),
}

/// It is no host's name and no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoHost;

/// RFC 1035's limits.
const NAME_BYTES: usize = 253;
const LABEL_BYTES: usize = 63;

impl FromStr for Host {
    type Err = NoHost;

    fn from_str(written: &str) -> Result<Host, NoHost> {
        // SOCKS has no brackets for what is written as a name.
        if let Ok(address) = written.parse::<Ipv6Addr>() {
            return Ok(Host::Address(address.into()));
        }
        // url decodes percent signs, and a zone id begins with one: neither belongs into a destination.
        if written.contains('%') || written.len() > 4 * NAME_BYTES {
            return Err(NoHost);
        }
        let absolute = written.strip_suffix('.').unwrap_or(written);
        match url::Host::parse(absolute).map_err(|_| NoHost)? {
            url::Host::Ipv4(address) => Ok(Host::Address(address.into())),
            url::Host::Ipv6(address) => Ok(Host::Address(address.into())),
            url::Host::Domain(name) if is_host_name(&name) => Ok(Host::Name(name)),
            url::Host::Domain(_) => Err(NoHost),
        }
    }
}

/// Stricter than url, which allows whatever a browser's URL may have.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_BYTES).contains(&label.len())
            && !label.starts_with('-')
            && label.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte)
            })
    };
    name.len() <= NAME_BYTES && name.split('.').all(is_label)
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V4(address)) => address.fmt(f),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// What a job wrote instead of a host, fit to be shown: escaped, and no more than a line.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    bytes.escape_ascii().take(100).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_of_an_address_is_that_address() {
        for written in [
            "127.0.0.1",
            "2130706433",
            "0177.0.0.1",
            "0x7f.1",
            "127.1",
            "0x7f000001",
            "127.0.0.1.",
            "017700000001",
            "１２７.0.0.1",
            "127。0。0。1",
        ] {
            let host = written.parse::<Host>();
            assert_eq!(
                host,
                Ok(Host::Address(IpAddr::from([127, 0, 0, 1]))),
                "{written}"
            );
        }
        for written in ["[::1]", "::1", "0:0:0:0:0:0:0:1", "[0::0.0.0.1]"] {
            assert_eq!(
                written.parse(),
                Ok(Host::Address(Ipv6Addr::LOCALHOST.into())),
                "{written}"
            );
        }
    }

    #[test]
    fn a_name_has_one_spelling() {
        for (written, name) in [
            ("Example.ORG", "example.org"),
            ("example.org.", "example.org"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("_srv.x-1.example", "_srv.x-1.example"),
        ] {
            assert_eq!(
                written.parse(),
                Ok(Host::Name(name.to_owned())),
                "{written}"
            );
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let long_label = format!("{}.org", "a".repeat(64));
        let long_name = ["a".repeat(60).as_str(); 5].join(".");
        for written in [
            "",
            ".",
            "..",
            "example.org..",
            "a..b",
            ".org",
            "exa mple",
            "example.org%00",
            "%31%32%37.1",
            "user@example.org",
            "a\0b",
            "a\r\nb",
            "a\tb",
            "[::1",
            "[fe80::1%eth0]",
            "fe80::1%1",
            "1.2.3.4.5",
            "256.256.256.256",
            "a/b",
            "a\\b",
            "a:80",
            "a$b",
            "-a.org",
            "*",
            &long_label,
            &long_name,
        ] {
            assert_eq!(written.parse::<Host>(), Err(NoHost), "{written:?}");
        }
    }

    #[test]
    fn what_is_shown_is_printable_and_short() {
        assert_eq!(escaped(b"a\r\n\x1b[2J\xff"), r"a\r\n\x1b[2J\xff");
        assert_eq!(escaped(&[0; 500]).len(), 100);
    }
}
