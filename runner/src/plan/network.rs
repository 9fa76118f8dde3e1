//! What a job may reach: nothing, or what its profile's proxy lets through, narrowed by the job itself.
//!
//! Must never let a job reach more than its profile allows.

use glovebox_gate::{Policy, Wishes};
use glovebox_policies::Profile;
use glovebox_schemas::job::{Job, Network, Rejection};

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
    match (job.network, &profile.proxy) {
        (Network::Proxy, Some(proxy)) => narrow(job, proxy).map(Some),
        _ => Ok(None),
    }
}
