//! Which addresses are public, and which are this host's own.
//!
//! Must never err on the open side: what is not known to be the internet is closed.

use std::io;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// IANA's special-purpose IPv4 addresses, but for those of documentation, which lead nowhere.
const CLOSED: [IpNet; 15] = [
    v4(0, 0, 0, 0, 8),        // "this network"; 0.0.0.0 connects to loopback
    v4(10, 0, 0, 0, 8),       // private
    v4(100, 64, 0, 0, 10),    // carriers' NAT, and some clouds' metadata
    v4(127, 0, 0, 0, 8),      // loopback
    v4(168, 63, 129, 16, 32), // a cloud's host agent, on a public address
    v4(169, 254, 0, 0, 16),   // link-local, and most clouds' metadata
    v4(172, 16, 0, 0, 12),    // private
    v4(192, 0, 0, 0, 24),     // protocol assignments
    v4(192, 88, 99, 0, 24),   // 6to4 relays
    v4(192, 168, 0, 0, 16),   // private
    v4(198, 18, 0, 0, 15),    // benchmarks
    v4(224, 0, 0, 0, 4),      // multicast
    v4(240, 0, 0, 0, 4),      // reserved, and broadcast
    v6(0x2001, 0, 23),        // protocol assignments, Teredo
    v6(0x2002, 0, 16),        // 6to4: an IPv4 address inside
];

/// All that IANA has given out as global unicast. Loopback, mapped and compatible IPv4 addresses, NAT64,
/// unique local, link-local, site-local and multicast are all outside.
const GLOBAL_V6: IpNet = v6(0x2000, 0, 3);

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(
        std::net::Ipv4Addr::new(a, b, c, d),
        bits,
    ))
}

const fn v6(first: u16, second: u16, bits: u8) -> IpNet {
    let address = std::net::Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0);
    IpNet::V6(Ipv6Net::new_assert(address, bits))
}

/// Whether the internet is there.
pub(crate) fn is_public(address: IpAddr) -> bool {
    let is_closed = CLOSED.iter().any(|network| network.contains(&address));
    !is_closed && (address.is_ipv4() || GLOBAL_V6.contains(&address))
}

/// The addresses that the interfaces of this host have now. A public address of our own is no way to the internet: what
/// listens there often trusts the host, and a firewall in front of the host does not see the connection.
pub(crate) fn own() -> io::Result<Vec<IpAddr>> {
    let interfaces = nix::ifaddrs::getifaddrs()?;
    let addresses = interfaces.filter_map(|interface| {
        let own = interface.address?;
        let v4 = own.as_sockaddr_in().map(|own| IpAddr::from(own.ip()));
        let v6 = own.as_sockaddr_in6().map(|own| IpAddr::from(own.ip()));
        v4.or(v6)
    });
    Ok(addresses.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:93.184.216.34",
            "::ffff:0:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2002:7f00:1::",
            "2002:5db8:d822::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn open() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "168.63.129.15",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.0.2.1",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.100.1",
            "203.0.113.1",
            "223.255.255.255",
            "2001:200::1",
            "2001:db8::1",
            "2606:4700::1111",
            "3fff::1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn this_host_knows_its_own() {
        let own = own().unwrap();
        assert!(own.contains(&"127.0.0.1".parse().unwrap()));
        assert!(!own.contains(&"192.0.2.1".parse().unwrap()));
    }
}
