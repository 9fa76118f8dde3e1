//! A way out for a request of our own to a host that a stranger has named, under the rules that hold for jobs.
//!
//! Must never be given a connection of another making: who connects here has the address checked.

use std::fmt;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::dial::Dialer;
use crate::host::Host;
use crate::keeper::Patience;
use crate::pattern::HostPattern;
use crate::resolve::{self, Lookup, Resolver};
use crate::verdict::Verdict;

/// A way to what is on the internet, and to what else is opened by name or by network.
pub struct WayOut {
    dialer: Dialer,
    intranet: Vec<HostPattern>,
}

impl WayOut {
    /// A way out by which nothing internal is reached but what `intranet` opens; `*` opens nothing there. A host has
    /// `connect` to be found, and as long again to accept. At most `lookups` names are looked up at a time.
    #[must_use]
    pub fn new(intranet: Vec<HostPattern>, connect: Duration, lookups: usize) -> WayOut {
        WayOut::with_lookup(intranet, connect, lookups, resolve::system())
    }

    pub(crate) fn with_lookup(
        intranet: Vec<HostPattern>,
        connect: Duration,
        lookups: usize,
        lookup: Lookup,
    ) -> WayOut {
        let patience = Patience {
            lookup: connect,
            connect,
            ..Patience::default()
        };
        WayOut {
            dialer: Dialer::new(patience, Resolver::new(lookup, lookups)),
            intranet,
        }
    }

    /// A connection to `host`, a name or an address, at `port`.
    ///
    /// # Errors
    /// The verdict: `Malformed` if it is no host, `Unresolved`, `PrivateAddress` or `Unreachable`.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Verdict> {
        let host: Host = host.parse().map_err(|_| Verdict::Malformed)?;
        let open = self.dialer.open_addresses(&host, &self.intranet).await;
        let open = open.map_err(|refusal| refusal.verdict)?;
        let connected = self.dialer.dial(&open, port).await;
        connected.map_err(|refusal| refusal.verdict)
    }
}

impl fmt::Debug for WayOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WayOut").field(&self.intranet).finish()
    }
}
