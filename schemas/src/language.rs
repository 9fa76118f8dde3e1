//! What a runner can run: the words that a job may use, and how much it may ask for.
//!
//! Runners say it with their heartbeat, gateways tell it to clients. Nothing may be decided by it: a job that asks for
//! more is refused by the runner's own profile.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::job::{LimitsRequest, Network};

/// A language that jobs can be written in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Language {
    /// What a job calls it.
    pub name: String,
    /// Other names for it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// In a sentence.
    #[serde(default)]
    pub description: String,
    /// The file that `code` becomes.
    #[serde(default)]
    pub source: String,
    /// What a program may reach.
    #[serde(default)]
    pub network: Vec<Network>,
    /// The package environments that every runner of this language has: what follows `LANGUAGE:` in a job's `profile`.
    #[serde(default)]
    pub environments: Vec<String>,
    /// What a job has that asks for nothing.
    #[serde(default)]
    pub limits: LimitsRequest,
    /// The most that it may ask for.
    #[serde(default)]
    pub ceilings: LimitsRequest,
}
