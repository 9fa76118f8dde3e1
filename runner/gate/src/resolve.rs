//! Names to addresses, by the host's own resolver.
//!
//! The resolver blocks, and can't be called back: a lookup whose job is gone ends when it ends. So whoever asks has
//! only so many at a time, the abandoned ones counted. Must never judge what it finds.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::verdict::{Refusal, Verdict};

/// Finds a name's addresses; blocks.
pub(crate) type Lookup = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// A job's lookups under way, and its threads.
pub(crate) const AT_ONCE: usize = 8;

/// One job's way to the resolver.
pub(crate) struct Resolver {
    lookup: Lookup,
    places: Arc<Semaphore>,
}

/// What the host is set up to use: files, DNS, whatever its administrator chose.
pub(crate) fn system() -> Lookup {
    Arc::new(|name| {
        Ok((name, 0)
            .to_socket_addrs()?
            .map(|found| found.ip())
            .collect())
    })
}

impl Resolver {
    pub(crate) fn new(lookup: Lookup, at_once: usize) -> Resolver {
        Resolver {
            lookup,
            places: Arc::new(Semaphore::new(at_once)),
        }
    }

    /// All addresses of `name`, at least one, in the order in which they are to be tried.
    pub(crate) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Refusal> {
        let unresolved = Refusal::from(Verdict::Unresolved);
        let place = self.places.clone().acquire_owned().await;
        let place = place.map_err(|_| unresolved)?;
        let (lookup, name) = (self.lookup.clone(), name.to_owned());
        let found = tokio::task::spawn_blocking(move || {
            let found = lookup(&name);
            drop(place);
            found
        });
        match found.await {
            Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            _ => Err(unresolved),
        }
    }
}
