//! What a job may reach: its profile's word, narrowed by its own.
//!
//! Pure; an empty list opens nothing. Must never become wider by what a job says.

use std::str::FromStr;

use crate::host::Host;
use crate::pattern::HostPattern;
use crate::verdict::Verdict;

/// What may be reached, and how much of it.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Lists of hosts. Each must have a pattern for a host to be open; without a list none is.
    pub hosts: Vec<Vec<HostPattern>>,
    /// The open ports.
    pub ports: Vec<u16>,
    /// What may be private: a name here may resolve to any address, a network's addresses are open. `*` opens
    /// nothing here.
    pub intranet: Vec<HostPattern>,
    /// The proxy by which the gate itself goes out.
    pub upstream: Option<Upstream>,
    /// How many connections the job may ask for.
    pub connections: u32,
    /// How many bytes they may carry, all together and both ways.
    pub bytes: u64,
}

/// What a job asks to have less of; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Hosts, of those that the profile opens.
    pub hosts: Option<Vec<HostPattern>>,
    /// Ports, of those that the profile opens.
    pub ports: Option<Vec<u16>>,
    /// A proxy, if the profile has none.
    pub upstream: Option<Upstream>,
    /// At most so many connections.
    pub connections: Option<u32>,
    /// At most so many bytes.
    pub bytes: Option<u64>,
}

/// Why a job can't have what it wishes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TooMuch {
    /// None of its ports is open.
    #[error("the profile opens none of the ports {asked:?}; ask for some of {open:?}")]
    Ports {
        /// By the job.
        asked: Vec<u16>,
        /// By the profile.
        open: Vec<u16>,
    },
    /// The profile's own must be used.
    #[error("the profile has a proxy of its own; leave the job's out")]
    SecondUpstream,
    /// It is a destination like any other.
    #[error("the profile does not open the proxy {host}:{port}: {verdict}; {}", verdict.hint())]
    Upstream {
        /// Where the proxy is.
        host: String,
        /// Its port.
        port: u16,
        /// What is wrong with that.
        verdict: Verdict,
    },
}

/// An HTTP proxy; written `http://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    pub(crate) host: Host,
    pub(crate) port: u16,
    /// Whether names are left to it. Otherwise they are resolved and checked here, and it gets addresses.
    /// Plain HTTP then goes through CONNECT, too, for an absolute URL could not have both the checked address
    /// and the site's name.
    pub resolves: bool,
    /// Named by a job: its own address is checked like any destination's.
    pub(crate) by_job: bool,
}

/// What was written is no proxy.
#[derive(Debug, thiserror::Error)]
#[error("`{written}` is no HTTP proxy; write http://host:port, without user, path or query")]
pub struct UpstreamError {
    written: String,
}

impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(written: &str) -> Result<Upstream, UpstreamError> {
        let parse = || {
            let authority = written.strip_prefix("http://")?;
            let authority = authority.strip_suffix('/').unwrap_or(authority);
            let (host, port) = authority.rsplit_once(':')?;
            let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
            let port = port.parse().ok().filter(|port| is_number && *port != 0)?;
            Some(Upstream {
                host: host.parse().ok()?,
                port,
                resolves: false,
                by_job: false,
            })
        };
        parse().ok_or_else(|| UpstreamError {
            written: written.escape_default().take(100).collect(),
        })
    }
}

impl Policy {
    /// This policy with a job's wishes. Lists of hosts must both match, ports are those of both, limits are the
    /// smaller.
    ///
    /// # Errors
    /// [`TooMuch`] when what is left makes no sense, or is not the job's to choose.
    pub fn narrowed_by(&self, wishes: &Wishes) -> Result<Policy, TooMuch> {
        let mut policy = self.clone();
        policy.hosts.extend(wishes.hosts.clone());
        if let Some(ports) = &wishes.ports {
            policy.ports.retain(|port| ports.contains(port));
            if policy.ports.is_empty() {
                return Err(TooMuch::Ports {
                    asked: ports.clone(),
                    open: self.ports.clone(),
                });
            }
        }
        if let Some(upstream) = &wishes.upstream {
            policy.upstream = Some(self.lend(upstream)?);
        }
        policy.connections = policy
            .connections
            .min(wishes.connections.unwrap_or(u32::MAX));
        policy.bytes = policy.bytes.min(wishes.bytes.unwrap_or(u64::MAX));
        Ok(policy)
    }

    /// A job's own proxy, if it may have that one. Its address is checked when it is connected to.
    fn lend(&self, upstream: &Upstream) -> Result<Upstream, TooMuch> {
        if self.upstream.is_some() {
            return Err(TooMuch::SecondUpstream);
        }
        self.judge(&upstream.host, upstream.port)
            .map_err(|verdict| TooMuch::Upstream {
                host: upstream.host.to_string(),
                port: upstream.port,
                verdict,
            })?;
        Ok(Upstream {
            by_job: true,
            ..upstream.clone()
        })
    }

    /// Whether `host` and `port` are open, so far as that can be said before the name is resolved.
    pub(crate) fn judge(&self, host: &Host, port: u16) -> Result<(), Verdict> {
        let lists = |list: &Vec<HostPattern>| list.iter().any(|pattern| pattern.matches(host));
        if self.hosts.is_empty() || !self.hosts.iter().all(lists) {
            return Err(Verdict::HostNotAllowed);
        }
        match self.ports.contains(&port) {
            true => Ok(()),
            false => Err(Verdict::PortNotAllowed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(all: &[&str]) -> Vec<HostPattern> {
        all.iter().map(|one| one.parse().unwrap()).collect()
    }

    fn profile() -> Policy {
        Policy {
            hosts: vec![patterns(&["*.example.org", "192.0.2.0/24"])],
            ports: vec![80, 443, 3128],
            intranet: patterns(&["*", "db.example.org", "10.1.0.0/16"]),
            upstream: None,
            connections: 10,
            bytes: 1_000,
        }
    }

    fn judge(policy: &Policy, host: &str, port: u16) -> Result<(), Verdict> {
        policy.judge(&host.parse().unwrap(), port)
    }

    #[test]
    fn a_job_may_only_ask_for_less() {
        let wishes = Wishes {
            hosts: Some(patterns(&["a.example.org", "example.com"])),
            ports: Some(vec![443, 22]),
            connections: Some(99),
            bytes: Some(10),
            upstream: None,
        };
        let policy = profile().narrowed_by(&wishes).unwrap();
        assert_eq!(judge(&policy, "a.example.org", 443), Ok(()));
        assert_eq!(
            judge(&policy, "b.example.org", 443),
            Err(Verdict::HostNotAllowed)
        );
        assert_eq!(
            judge(&policy, "example.com", 443),
            Err(Verdict::HostNotAllowed)
        );
        assert_eq!(
            judge(&policy, "a.example.org", 22),
            Err(Verdict::PortNotAllowed)
        );
        assert_eq!(
            judge(&policy, "a.example.org", 80),
            Err(Verdict::PortNotAllowed)
        );
        assert_eq!((policy.connections, policy.bytes), (10, 10));
    }

    #[test]
    fn no_list_and_an_empty_list_open_nothing() {
        let mut policy = profile();
        for hosts in [vec![], vec![vec![]], vec![patterns(&["*"]), vec![]]] {
            policy.hosts = hosts;
            assert_eq!(
                judge(&policy, "a.example.org", 80),
                Err(Verdict::HostNotAllowed)
            );
        }
    }

    #[test]
    fn ports_that_nobody_opens_are_an_error() {
        let wishes = Wishes {
            ports: Some(vec![22]),
            ..Wishes::default()
        };
        let error = profile().narrowed_by(&wishes).unwrap_err();
        assert!(matches!(error, TooMuch::Ports { .. }), "{error}");
    }

    #[test]
    fn a_proxy_of_the_job_is_a_destination_and_never_a_second_one() {
        let wish = |written: &str| Wishes {
            upstream: Some(written.parse().unwrap()),
            ..Wishes::default()
        };
        let mut profile = profile();
        let policy = profile
            .narrowed_by(&wish("http://proxy.example.org:3128"))
            .unwrap();
        assert!(policy.upstream.is_some_and(|upstream| upstream.by_job));
        for closed in [
            "http://proxy.example.com:3128",
            "http://proxy.example.org:8080",
        ] {
            let error = profile.narrowed_by(&wish(closed)).unwrap_err();
            assert!(matches!(error, TooMuch::Upstream { .. }), "{error}");
        }
        profile.upstream = Some("http://10.0.0.1:3128".parse().unwrap());
        let error = profile
            .narrowed_by(&wish("http://proxy.example.org:3128"))
            .unwrap_err();
        assert_eq!(error, TooMuch::SecondUpstream);
    }

    #[test]
    fn a_proxy_is_written_in_one_way() {
        for written in [
            "http://proxy:3128",
            "http://[2001:db8::1]:80/",
            "http://10.0.0.1:1",
        ] {
            assert!(written.parse::<Upstream>().is_ok(), "{written}");
        }
        for written in [
            "proxy:3128",
            "https://proxy:1",
            "http://proxy",
            "http://u:p@proxy:1",
            "http://proxy:0",
            "http://proxy:+1",
            "http://proxy:1/x",
            "http://:1",
            "http://proxy:65536",
        ] {
            assert!(written.parse::<Upstream>().is_err(), "{written}");
        }
    }
}
