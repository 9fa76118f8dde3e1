//! One job with the network, and what its result tells of that.
//!
//! Must never open more than the test's own servers.

use glovebox_schemas::result::{Status, Verdict};
use serde_json::Value;

use crate::policies::{POLICIES, Policies};
use crate::run::{Outcome, Run};
use crate::site::{OUTSIDE, REACH, Site};

/// A job with the proxy, under these policies.
#[must_use]
pub fn job(policies: &Policies, code: &str) -> Run {
    Run::python(code)
        .file("reach.py", REACH)
        .with("network", "proxy")
        .limit("wall_ms", 60_000)
        .variable(POLICIES, policies.path())
}

/// Policies that open these servers alone.
#[must_use]
pub fn opening(sites: &[&Site]) -> Policies {
    let ports: Vec<u16> = sites.iter().map(|site| site.port()).collect();
    Policies::opening("python", &ports, &[&OUTSIDE.to_string()])
}

/// The program succeeded and printed this as JSON; no call of it was refused.
pub fn printed(outcome: &Outcome, expected: &Value) {
    let result = &outcome.result;
    assert_eq!(result.status, Status::Succeeded, "{result:#?}");
    assert!(result.denied.is_empty(), "{result:#?}");
    assert_eq!(&outcome.printed(), expected, "{result:#?}");
}

/// What the result says of each connection, but for bytes and hints.
#[must_use]
pub fn reached(outcome: &Outcome) -> Vec<(&str, u16, Verdict)> {
    let all = outcome.result.connections.iter();
    all.map(|one| (one.host.as_str(), one.port, one.verdict))
        .collect()
}
