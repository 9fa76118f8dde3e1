//! What a job may reach: nothing, or what its profile's proxy lets through, narrowed by the job itself.
//!
//! Must never let a job reach more than its profile allows.

use glovebox_gate::{HostPattern, HostPatternError, Policy, Upstream, Wishes};
use glovebox_policies::{Profile, Proxy};
use glovebox_schemas::job::{Job, Network, ProxyRequest, Rejection};

/// The gate's policy for a job that asks for the proxy.
pub(super) fn decide(job: &Job, profile: &Profile) -> Result<Option<Policy>, Rejection> {
    let asked = match job.network {
        Network::None => "none",
        Network::Proxy => "proxy",
    };
    if !profile.network.iter().any(|offered| offered == asked) {
        return Err(Rejection::new(
            "network_not_offered",
            format!(
                "network: the profile {:?} does not offer {asked:?}",
                profile.name
            ),
            format!("use one of: {}", profile.network.join(", ")),
        ));
    }
    let (Network::Proxy, Some(proxy)) = (job.network, &profile.proxy) else {
        return Ok(None);
    };
    let wishes = wishes(&job.proxy)?;
    let refused = |error| {
        Rejection::new(
            "proxy_not_offered",
            format!("proxy: {error}"),
            format!("see `glovebox policy show {}`", profile.name),
        )
    };
    of(proxy)?
        .narrowed_by(&wishes)
        .map(Some)
        .map_err(|error| refused(error.to_string()))
}

/// The profile's own policy. Its words were checked when it was loaded.
pub(crate) fn of(proxy: &Proxy) -> Result<Policy, Rejection> {
    let mut upstream: Option<Upstream> = parse("upstream", proxy.upstream.iter())?.pop();
    if let Some(upstream) = &mut upstream {
        upstream.resolves = proxy.upstream_resolves;
    }
    Ok(Policy {
        hosts: vec![patterns("hosts", &proxy.hosts)?],
        ports: proxy.ports.clone(),
        intranet: patterns("intranet", &proxy.intranet)?,
        upstream,
        connections: proxy.connections,
        bytes: proxy.bytes,
    })
}

fn wishes(asked: &ProxyRequest) -> Result<Wishes, Rejection> {
    Ok(Wishes {
        hosts: match asked.hosts.is_empty() {
            true => None,
            false => Some(patterns("hosts", &asked.hosts)?),
        },
        ports: (!asked.ports.is_empty()).then(|| asked.ports.clone()),
        upstream: parse::<Upstream, _>("upstream", asked.upstream.iter())?.pop(),
        connections: asked.connections,
        bytes: asked.bytes,
    })
}

fn patterns(field: &str, written: &[String]) -> Result<Vec<HostPattern>, Rejection> {
    parse::<HostPattern, HostPatternError>(field, written.iter())
}

fn parse<'a, T, E>(
    field: &str,
    written: impl Iterator<Item = &'a String>,
) -> Result<Vec<T>, Rejection>
where
    T: std::str::FromStr<Err = E>,
    E: std::fmt::Display,
{
    let one = |text: &String| {
        text.parse().map_err(|error: E| {
            Rejection::new(
                "invalid_value",
                format!("proxy.{field}: {error}"),
                "hosts are written example.org, *.example.org, 203.0.113.7 or 203.0.113.0/24, an upstream http://host:port",
            )
        })
    };
    written.map(one).collect()
}
