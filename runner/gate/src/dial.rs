//! From a host to a connection: the only place that connects.
//!
//! The address that was checked is the one that is connected to, so a name that changes its mind between the two
//! gains nothing.

use std::cell::LazyCell;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::address;
use crate::host::Host;
use crate::keeper::Patience;
use crate::pattern::HostPattern;
use crate::resolve::Resolver;
use crate::verdict::{Refusal, Verdict};

/// So many of a name's addresses are tried.
const ADDRESSES: usize = 8;

/// Looks names up and connects.
pub(crate) struct Dialer {
    patience: Patience,
    resolver: Resolver,
}

impl Dialer {
    pub(crate) fn new(patience: Patience, resolver: Resolver) -> Dialer {
        Dialer { patience, resolver }
    }

    pub(crate) async fn addresses(&self, host: &Host) -> Result<Vec<IpAddr>, Refusal> {
        let name = match host {
            Host::Address(address) => return Ok(vec![*address]),
            Host::Name(name) => name,
        };
        match timeout(self.patience.lookup, self.resolver.addresses(name)).await {
            Ok(found) => found,
            Err(_) => Err(Verdict::Unresolved.into()),
        }
    }

    /// The host's addresses but for those that are closed; at least one.
    pub(crate) async fn open_addresses(
        &self,
        host: &Host,
        intranet: &[HostPattern],
    ) -> Result<Vec<IpAddr>, Refusal> {
        let mut addresses = self.addresses(host).await?;
        // Asked once at most: the owner of a name chooses how many addresses it has.
        let own = LazyCell::new(|| {
            address::own().inspect_err(|error| {
                tracing::warn!(%error, "this host's own addresses can't be listed: nothing is open");
            })
        });
        let is_foreign = |address: &IpAddr| own.as_ref().is_ok_and(|own| !own.contains(address));
        addresses.retain(|address| {
            intranet.iter().any(|pattern| pattern.opens(host, *address))
                || (address::is_public(*address) && is_foreign(address))
        });
        match addresses.is_empty() {
            true => Err(Verdict::PrivateAddress.into()),
            false => Ok(addresses),
        }
    }

    /// Tries the addresses in their order; all together have the time that one would have.
    pub(crate) async fn dial(&self, addresses: &[IpAddr], port: u16) -> Result<TcpStream, Refusal> {
        let tried = addresses.iter().take(ADDRESSES);
        let each = self.patience.connect / u32::try_from(tried.len()).unwrap_or(1).max(1);
        let mut refusal = Refusal::unreachable(ErrorKind::AddrNotAvailable);
        for address in tried {
            let address = SocketAddr::new(*address, port);
            match timeout(each, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Small writes must not wait for an answer; a socket that is gone says so when it is used.
                    stream.set_nodelay(true).unwrap_or_default();
                    return Ok(stream);
                }
                Ok(Err(error)) => refusal = Refusal::unreachable(error.kind()),
                Err(_) => refusal = Refusal::unreachable(ErrorKind::TimedOut),
            }
        }
        Err(refusal)
    }
}
