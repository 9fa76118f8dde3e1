//! The section `[proxy]`: what a job reaches when it asks for the network.
//!
//! Only what is written here is reached, and private addresses only where they are named: it must never open by a default.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::document::{Item, Section};
use crate::error::PolicyError;
use crate::group::{Group, Groups};
use crate::limits::count;
use crate::profile::Root;
use crate::syscalls::Syscalls;
use crate::units;

/// What a job reaches, and what the cell of such a job may do.
#[derive(Clone, Debug, PartialEq)]
pub struct Proxy {
    /// What may be reached: `*`, `example.org`, `*.example.org`, `203.0.113.7`, `198.51.100.0/24`.
    pub hosts: Vec<String>,
    /// The ports that may be reached.
    pub ports: Vec<u16>,
    /// Hosts and networks that may be reached although they are private.
    pub intranet: Vec<String>,
    /// Another proxy that everything goes through: `http://host:port`.
    pub upstream: Option<String>,
    /// Whether that proxy resolves names; else they are resolved here, and checked.
    pub upstream_resolves: bool,
    /// How many connections a job may ask for, all in all.
    pub connections: u32,
    /// How many bytes a job may send and receive in all.
    pub bytes: u64,
    /// Laid over the profile's environment.
    pub env: BTreeMap<String, String>,
    /// What is seen of the host's files: what the profile shows, and more.
    pub root: Root,
    /// What is allowed: what the profile allows, and more.
    pub syscalls: Syscalls,
}

impl Proxy {
    /// Reads the section; `profile` is what the file says about the run itself. Gives the section's own part, too.
    pub(crate) fn read(
        section: &Section<'_>,
        profile: &Group,
        groups: &Groups,
    ) -> Result<(Proxy, Group), PolicyError> {
        section.only(&[
            "hosts",
            "ports",
            "intranet",
            "upstream",
            "upstream_resolves",
            "connections",
            "bytes",
            "include",
            "root",
            "env",
            "syscalls",
        ])?;
        let own = Group::parts(section)?;
        let whole = profile.with(&own).resolve(groups)?;
        let hosts = section.need("hosts", "[\"*\"]")?;
        let resolves = section.get("upstream_resolves");
        let proxy = Proxy {
            hosts: listed(&hosts, host)?,
            ports: listed(&section.need("ports", "[80, 443]")?, port)?,
            intranet: section
                .get("intranet")
                .map_or(Ok(Vec::new()), |item| listed(&item, host))?,
            upstream: section
                .get("upstream")
                .map(|item| upstream(&item))
                .transpose()?,
            upstream_resolves: resolves.map_or(Ok(false), |item| item.boolean())?,
            connections: connections(section)?,
            bytes: units::bytes(&section.need("bytes", "\"1GiB\"")?)?,
            env: own.resolve(groups)?.env,
            syscalls: whole.syscalls(&section.place())?,
            root: whole.root,
        };
        Ok((proxy, own))
    }
}

fn listed<T>(
    item: &Item<'_>,
    read: fn(&Item<'_>) -> Result<T, PolicyError>,
) -> Result<Vec<T>, PolicyError> {
    let items = item.list()?;
    if items.is_empty() {
        return Err(item.refuse(
            "an empty list opens nothing",
            "list something, or take [proxy] and the mode \"proxy\" out",
        ));
    }
    items.iter().map(read).collect()
}

fn host(item: &Item<'_>) -> Result<String, PolicyError> {
    let host = item.string()?;
    let name = host.strip_prefix("*.").unwrap_or(host);
    if host == "*" || host.parse::<IpAddr>().is_ok() || is_network(host) || is_name(name) {
        return Ok(host.to_owned());
    }
    Err(item.refuse(
        format!("{host:?} is neither a host nor a network"),
        "write \"*\", \"example.org\", \"*.example.org\", \"203.0.113.7\" or \"198.51.100.0/24\"",
    ))
}

fn is_network(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    let most = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}

/// A DNS name in lower case, as it is compared.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        (1..=63).contains(&label.len())
            && label.chars().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // What ends in a number would be an address that no parser above took for one.
    let last = name.rsplit('.').next().unwrap_or(name);
    name.len() <= 253 && name.split('.').all(label) && last.parse::<u64>().is_err()
}

fn port(item: &Item<'_>) -> Result<u16, PolicyError> {
    match u16::try_from(item.integer()?) {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(item.refuse("not a port", "write a number from 1 to 65535")),
    }
}

fn upstream(item: &Item<'_>) -> Result<String, PolicyError> {
    let url = item.string()?;
    let good = url.strip_prefix("http://").is_some_and(|rest| {
        rest.rsplit_once(':').is_some_and(|(host, port)| {
            let bare = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'));
            let named = is_name(host) || host.parse::<std::net::Ipv4Addr>().is_ok();
            (named || bare.is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok()))
                && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
    });
    if good {
        return Ok(url.to_owned());
    }
    Err(item.refuse(
        format!("{url:?} is not the address of a proxy"),
        "write \"http://host:port\", without a password: profiles are read by everyone",
    ))
}

fn connections(section: &Section<'_>) -> Result<u32, PolicyError> {
    let item = section.need("connections", "100")?;
    u32::try_from(count(&item)?)
        .map_err(|_| item.refuse("too many to count", "write a number such as 100"))
}
