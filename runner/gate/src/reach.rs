//! From a job's destination to a connection.
//!
//! Limits, pattern, port, name, address, in this order: a name that is not open is not even looked up, for a
//! lookup tells the name's owner something.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::body::Bytes;
use tokio::net::TcpStream;

use crate::host::Host;
use crate::keeper::Keeper;
use crate::ledger::Visit;
use crate::meter::Metered;
use crate::policy::Upstream;
use crate::verdict::{Refusal, Verdict};

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
        let stream = self.dialer.dial(&open, port).await?;
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
            false => self.dialer.addresses(&upstream.host).await?,
        };
        self.dialer.dial(&addresses, upstream.port).await
    }

    async fn open_addresses(&self, host: &Host) -> Result<Vec<IpAddr>, Refusal> {
        let intranet = &self.policy.intranet;
        self.dialer.open_addresses(host, intranet).await
    }
}
