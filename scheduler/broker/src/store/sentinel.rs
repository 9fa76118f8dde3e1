//! Redis Sentinels: who is the master just now?
//!
//! All of them are asked, at each connect: one that is cut off from the others
//! names a master that was deposed long ago. It must never remember an answer.

use std::cmp::Reverse;
use std::time::Duration;

use futures_util::future::join_all;

use super::server::Server;
use crate::error::{BrokerError, Service};
use crate::url::without_password;

/// What makes a URL one of Sentinels.
const MARK: &str = "+sentinel://";
const DEFAULT_PORT: &str = ":26379";
/// For a Sentinel to be reached, and for its answer. A dead one costs each connect as much.
const ASK_WITHIN: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(super) struct Sentinels {
    /// Their URL without passwords.
    at: String,
    each: Vec<Server>,
    /// What they call the master.
    name: String,
    /// What stands in the master's URL before its address, and after it.
    around: (String, String),
    db: i64,
}

/// A URL of Sentinels, still as it was written.
struct Parts<'a> {
    scheme: &'a str,
    /// `user:password@`, or nothing.
    login: &'a str,
    hosts: &'a str,
    name: &'a str,
    db: &'a str,
    /// The Sentinels' own.
    user: &'a str,
    password: &'a str,
}

impl Sentinels {
    pub(super) fn are_in(url: &str) -> bool {
        url.contains(MARK)
    }

    pub(super) fn new(url: &str) -> Result<Self, BrokerError> {
        let wrong_form = || BrokerError::Url {
            service: Service::Sentinel,
            reason: "it is not of the form redis+sentinel://user:password@host:26379,host:26379/NAME-OF-THE-MASTER/0",
        };
        let parts = Parts::of(url).ok_or_else(wrong_form)?;
        let around = (
            format!("{}://{}", parts.scheme, parts.login),
            format!("/{}", parts.db),
        );
        let each = parts.hosts.split(',').map(|host| parts.sentinel(host));
        Ok(Self {
            at: without_password(url),
            each: each.collect::<Result<_, _>>()?,
            name: parts.name.to_owned(),
            // What is wrong around the master's address is found before there is one.
            db: server("localhost:6379", &around)?.db(),
            around,
        })
    }

    pub(super) fn at(&self) -> &str {
        &self.at
    }

    pub(super) fn db(&self) -> i64 {
        self.db
    }

    /// What most of them take for the master, and what the others do.
    pub(super) async fn masters(&self) -> Result<(Server, Vec<Server>), BrokerError> {
        let mut votes: Vec<(String, usize)> = Vec::new();
        let (mut is_unknown, mut failure) = (false, None);
        for answer in join_all(self.each.iter().map(|sentinel| self.ask(sentinel))).await {
            match answer {
                Ok(Some(address)) => match votes.iter_mut().find(|vote| vote.0 == address) {
                    Some(vote) => vote.1 += 1,
                    None => votes.push((address, 1)),
                },
                Ok(None) => is_unknown = true,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        votes.sort_by_key(|vote| Reverse(vote.1));
        let mut servers = votes
            .iter()
            .map(|(address, _)| server(address, &self.around));
        match (servers.next(), failure) {
            (Some(likeliest), _) => Ok((likeliest?, servers.collect::<Result<_, _>>()?)),
            (None, Some(error)) if !is_unknown => Err(BrokerError::NoSentinel {
                at: self.at.clone(),
                source: Box::new(error),
            }),
            (None, _) => Err(BrokerError::UnknownMaster {
                at: self.at.clone(),
                name: self.name.clone(),
            }),
        }
    }

    /// The master's `host:port`; none if this Sentinel does not know the name.
    async fn ask(&self, sentinel: &Server) -> Result<Option<String>, BrokerError> {
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        let answer: Option<(String, String)> = sentinel.ask(&question, ASK_WITHIN).await?;
        Ok(answer.map(|(host, port)| {
            if host.contains(':') {
                format!("[{host}]:{port}")
            } else {
                format!("{host}:{port}")
            }
        }))
    }
}

fn server(address: &str, (before, after): &(String, String)) -> Result<Server, BrokerError> {
    Server::new(Service::Redis, &format!("{before}{address}{after}"))
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once(MARK)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let login_ends = rest.rfind('@').map_or(0, |at| at + 1);
        let (login, place) = rest.split_at(login_ends);
        let (hosts, path) = place.split_once('/')?;
        let (name, db) = path.split_once('/').unwrap_or((path, "0"));
        // All that Sentinel allows in a name.
        let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if name.is_empty() || !name.chars().all(is_of_a_name) {
            return None;
        }
        let (mut user, mut password) = ("", "");
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=')? {
                ("sentinel_user", value) => user = value,
                ("sentinel_password", value) => password = value,
                _ => return None,
            }
        }
        Some(Self {
            scheme,
            login,
            hosts,
            name,
            db,
            user,
            password,
        })
    }

    fn sentinel(&self, host: &str) -> Result<Server, BrokerError> {
        let login = match (self.user, self.password) {
            (_, "") => String::new(),
            (user, password) => format!("{user}:{password}@"),
        };
        let has_port = host.contains(':') && !host.ends_with(']');
        let port = if has_port { "" } else { DEFAULT_PORT };
        let url = format!("{}://{login}{host}{port}", self.scheme);
        Server::new(Service::Sentinel, &url)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_url_is_taken_apart() {
        let url = "redis+sentinel://u:s3cret@one,two:1,[::1]/main/3?sentinel_password=s3cret";
        let sentinels = Sentinels::new(url).unwrap();

        assert_eq!(
            sentinels.each.iter().map(Server::at).collect::<Vec<_>>(),
            ["redis://one:26379", "redis://two:1", "redis://[::1]:26379"]
        );
        assert_eq!(sentinels.at, "redis+sentinel://u@one,two:1,[::1]/main/3");
        assert_eq!((sentinels.name.as_str(), sentinels.db()), ("main", 3));
        let master = server("10.0.0.1:6379", &sentinels.around).unwrap();
        assert_eq!(master.at(), "redis://u@10.0.0.1:6379/3");
    }

    #[test]
    fn a_wrong_url_is_an_error_without_the_password() {
        for url in [
            "redis+sentinel://:s3cret@h:26379",
            "redis+sentinel://:s3cret@h:26379/",
            "redis+sentinel://:s3cret@h:26379/a b",
            "redis+sentinel://:s3cret@h:port/main",
            "redis+sentinel://:s3cret@/main",
            "redis+sentinel://:s3cret@a,,b/main",
            "redis+sentinel://:s3cret@h/main/zero",
            "redis+sentinel://h/main?password=s3cret",
            "http+sentinel://:s3cret@h/main",
        ] {
            let error = Sentinels::new(url).err().expect(url);
            let shown = format!("{error} {error:?} {}", error.hint());

            assert!(matches!(error, BrokerError::Url { .. }), "{shown}");
            assert!(!shown.contains("s3cret"), "{shown}");
            assert!(shown.contains("GLOVEBOX_REDIS_URL"), "{shown}");
        }
    }
}
