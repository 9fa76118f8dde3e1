//! The ways to start a program that are compared.
//!
//! Must never favour one of them: every way runs the same programs, in the same rounds.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::program::Program;

/// A way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Way {
    Bare,
    Bubblewrap,
    Minijail,
    Nsjail,
    Crun,
    /// A cell in a kept slot, asked of the warden directly.
    Cold,
    /// The same, from a template.
    Warm,
    /// The whole way: client, RabbitMQ, a runner without templates, Redis, client.
    QueueCold,
    /// The whole way with a runner as it is.
    QueueWarm,
}

/// All, in the order of tables.
pub(crate) const WAYS: [Way; 9] = [
    Way::Bare,
    Way::Bubblewrap,
    Way::Minijail,
    Way::Nsjail,
    Way::Crun,
    Way::Cold,
    Way::Warm,
    Way::QueueCold,
    Way::QueueWarm,
];

impl Way {
    /// On command lines, and as the lane of a runner.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Way::Bare => "bare",
            Way::Bubblewrap => "bubblewrap",
            Way::Minijail => "minijail",
            Way::Nsjail => "nsjail",
            Way::Crun => "crun",
            Way::Cold => "cold",
            Way::Warm => "warm",
            Way::QueueCold => "queue-cold",
            Way::QueueWarm => "queue-warm",
        }
    }

    /// In tables.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Way::Bare => "bare spawn",
            Way::Cold => "cold cell",
            Way::Warm => "warm cell",
            Way::QueueCold => "whole way, cold",
            Way::QueueWarm => "whole way, warm",
            other => other.name(),
        }
    }

    /// The one with this name.
    pub(crate) fn named(name: &str) -> Option<Way> {
        WAYS.into_iter().find(|way| way.name() == name)
    }

    /// Whether it is somebody else's isolation.
    pub(crate) fn is_jail(self) -> bool {
        self.binary().is_some()
    }

    /// Whether it goes through the queue.
    pub(crate) fn is_queued(self) -> bool {
        matches!(self, Way::QueueCold | Way::QueueWarm)
    }

    /// The command that it takes, if it takes one.
    fn binary(self) -> Option<&'static str> {
        match self {
            Way::Bubblewrap => Some("bwrap"),
            Way::Minijail => Some("minijail0"),
            Way::Nsjail => Some("nsjail"),
            Way::Crun => Some("crun"),
            _ => None,
        }
    }

    /// Where that command is, if it is installed.
    pub(crate) fn installed(self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH")?;
        let binary = self.binary()?;
        std::env::split_paths(&path)
            .map(|folder| folder.join(binary))
            .find(|file| file.is_file())
    }

    /// Whether it is of interest for this program.
    pub(crate) fn suits(self, program: &Program) -> bool {
        match self {
            Way::Bare | Way::QueueWarm => true,
            Way::Warm => program.name != "true",
            // With nothing to keep warm it would be the same twice.
            Way::QueueCold => !program.warm_only,
            _ => !program.warm_only,
        }
    }
}
