//! Whether a job can be forked from a template without noticing.
//!
//! Where there is any doubt it starts cold: that is slower, and always right.

use std::collections::BTreeMap;

use glovebox_policies::Profile;
use glovebox_schemas::job::Job;

/// Whether the template of this profile, which was started with the variables `own`, does for the job. That no file of
/// the job hides a module which the template has imported is seen where that is known.
pub(super) fn is_possible(
    job: &Job,
    profile: &Profile,
    entrypoint: &str,
    own: &BTreeMap<String, String>,
) -> bool {
    let Some(warm) = &profile.warm else {
        return false;
    };
    // The template has decided already which file it opens.
    let same_program = entrypoint == profile.source;
    let set = |(name, value): (&String, &String)| {
        own.get(name) != Some(value) && warm.is_read_at_start(name)
    };
    same_program && !job.env.iter().any(set)
}
