//! What this runner can run, in the words of the contract: for the heartbeat, and for whoever asks a gateway.
//!
//! Must never offer a language whose toolchain is absent here.

use std::time::Duration;

use glovebox_policies::{Limits, Profile};
use glovebox_schemas::job::{LimitsRequest, Network};
use glovebox_schemas::language::Language;

use crate::Languages;

impl Languages {
    /// The languages that jobs can be written in here.
    #[must_use]
    pub fn offered(&self) -> Vec<Language> {
        let profiles = self.catalog.profiles().iter();
        let present = profiles.filter(|profile| profile.absent().is_none());
        present.map(|profile| self.offer(profile)).collect()
    }

    fn offer(&self, profile: &Profile) -> Language {
        let network = |name: &String| match name.as_str() {
            "none" => Some(Network::None),
            "proxy" => Some(Network::Proxy),
            _ => None,
        };
        Language {
            name: profile.name.clone(),
            aliases: profile.aliases.clone(),
            description: profile.description.clone(),
            source: profile.source.clone(),
            network: profile.network.iter().filter_map(network).collect(),
            environments: self.environments_of(profile).map(str::to_owned).collect(),
            limits: limits(&profile.defaults),
            ceilings: limits(&profile.ceilings),
        }
    }
}

fn limits(limits: &Limits) -> LimitsRequest {
    let ms = |time: Duration| u64::try_from(time.as_millis()).ok();
    LimitsRequest {
        wall_ms: ms(limits.wall),
        cpu_ms: ms(limits.cpu),
        memory_bytes: Some(limits.memory),
        disk_bytes: Some(limits.disk),
        output_bytes: Some(limits.output),
        processes: Some(limits.processes),
    }
}
