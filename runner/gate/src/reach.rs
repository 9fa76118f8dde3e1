//! From a destination to a connection: the only place that connects.
//!
//! Limits, pattern, port, name, address, in this order: a name that is not open is not even looked up, for a
//! lookup tells the name's owner something. The address that was checked is the one that is connected to, so
//! a name that changes its mind between the two gains nothing.

use std::cell::LazyCell;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hyper::body::Bytes;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::address;
use crate::host::Host;
use crate::keeper::Keeper;
use crate::ledger::Visit;
use crate::meter::Metered;
use crate::policy::Upstream;
use crate::verdict::{Refusal, Verdict};

/// So many of a name's addresses are tried.
const ADDRESSES: usize = 8;

/// Where a plain HTTP request is to be sent.
pub(crate) enum Plain {
    /// To the host itself.
    Host(Metered),
    /// To a proxy, which wants to be told the host.
    Proxy(Metered),
}

impl Keeper {
    /// A connection on which every byte goes to `host` and `port`.
    pub(crate) async fn tunnel(
        &self,
        visit: &Arc<Visit>,
        host: &Host,
        port: u16,
    ) -> Result<Metered, Refusal> {
        self.admit(visit, host, port)?;
        let (stream, early) = match &self.policy.upstream {
            None => (self.direct(visit, host, port).await?, Bytes::new()),
            Some(upstream) => {
                let target = self.target(upstream, visit, host).await?;
                let stream = self.dial_upstream(upstream).await?;
                self.through(stream, &target, port).await?
            }
        };
        Ok(Metered::new(stream, early, visit.clone()))
    }

    /// A connection for one plain HTTP request.
    pub(crate) async fn plain(
        &self,
        visit: &Arc<Visit>,
        host: &Host,
        port: u16,
    ) -> Result<Plain, Refusal> {
        match &self.policy.upstream {
            Some(upstream) if upstream.resolves => {
                self.admit(visit, host, port)?;
                self.target(upstream, visit, host).await?;
                let stream = self.dial_upstream(upstream).await?;
                let metered = Metered::new(stream, Bytes::new(), visit.clone());
                Ok(Plain::Proxy(metered))
            }
            _ => self.tunnel(visit, host, port).await.map(Plain::Host),
        }
    }

    fn admit(&self, visit: &Visit, host: &Host, port: u16) -> Result<(), Refusal> {
        visit.within_limits()?;
        Ok(self.policy.judge(host, port)?)
    }

    async fn direct(&self, visit: &Visit, host: &Host, port: u16) -> Result<TcpStream, Refusal> {
        let open = self.open_addresses(host).await?;
        let stream = self.dial(&open, port).await?;
        let peer = stream.peer_addr();
        visit.connected_to(
            peer.map_err(|error| Refusal::unreachable(error.kind()))?
                .ip(),
        );
        Ok(stream)
    }

    /// What an upstream is told: the checked address, or the name that is left to it.
    async fn target(
        &self,
        upstream: &Upstream,
        visit: &Visit,
        host: &Host,
    ) -> Result<Host, Refusal> {
        if upstream.resolves && matches!(host, Host::Name(_)) {
            return Ok(host.clone());
        }
        let open = self.open_addresses(host).await?;
        let first = *open.first().ok_or(Verdict::PrivateAddress)?;
        visit.connected_to(first);
        Ok(Host::Address(first))
    }

    async fn dial_upstream(&self, upstream: &Upstream) -> Result<TcpStream, Refusal> {
        let addresses = match upstream.by_job {
            true => self.open_addresses(&upstream.host).await?,
            false => self.addresses(&upstream.host).await?,
        };
        self.dial(&addresses, upstream.port).await
    }

    async fn addresses(&self, host: &Host) -> Result<Vec<IpAddr>, Refusal> {
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
    async fn open_addresses(&self, host: &Host) -> Result<Vec<IpAddr>, Refusal> {
        let mut addresses = self.addresses(host).await?;
        // Asked once at most: the owner of a name chooses how many addresses it has.
        let own = LazyCell::new(|| {
            address::own().inspect_err(|error| {
                tracing::warn!(%error, "this host's own addresses can't be listed: nothing is open");
            })
        });
        let is_foreign = |address: &IpAddr| own.as_ref().is_ok_and(|own| !own.contains(address));
        addresses.retain(|address| {
            self.policy.is_intranet(host, *address)
                || (address::is_public(*address) && is_foreign(address))
        });
        match addresses.is_empty() {
            true => Err(Verdict::PrivateAddress.into()),
            false => Ok(addresses),
        }
    }

    /// Tries the addresses in their order; all together have the time that one would have.
    async fn dial(&self, addresses: &[IpAddr], port: u16) -> Result<TcpStream, Refusal> {
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
