//! Which process on which machine: so that a runner that was killed beside us is known to be dead at once, and its
//! jobs need not wait until its lease is over.
//!
//! Must never call a process dead on a doubt: what is elsewhere, or can't be told, lives.

use std::os::unix::fs::MetadataExt as _;

use nix::sys::signal::kill;
use nix::unistd::Pid;

/// A process as others know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// The boot of a kernel and the pid namespace: a pid means the same to all who have this in common.
    pub(crate) host: String,
    pub(crate) pid: i32,
}

impl Process {
    /// This one.
    pub(crate) fn own() -> Process {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let namespace = std::fs::metadata("/proc/self/ns/pid").map(|meta| meta.ino());
        // Without either nobody can compare, so nobody does.
        let host = match (boot, namespace) {
            (Ok(boot), Ok(namespace)) => format!("{}/{namespace}", boot.trim()),
            _ => String::new(),
        };
        Process {
            host,
            pid: nix::unistd::getpid().as_raw(),
        }
    }

    /// One that was written down as text.
    pub(crate) fn parse(host: &str, pid: &str) -> Process {
        Process {
            host: host.to_owned(),
            pid: pid.parse().unwrap_or(0),
        }
    }

    /// Whether it is surely gone: kill(2) with signal 0 finds every process, hidden or another user's.
    pub(crate) fn is_dead(&self) -> bool {
        let comparable = self.pid > 0 && !self.host.is_empty() && self.host == Process::own().host;
        comparable && kill(Pid::from_raw(self.pid), None) == Err(nix::Error::ESRCH)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn only_one_that_is_known_to_be_gone_is_dead() {
        let own = Process::own();
        assert!(!own.is_dead());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let gone = Process {
            pid: i32::try_from(child.id()).unwrap(),
            ..own.clone()
        };
        assert!(!gone.is_dead(), "it is there until it is waited for");
        child.wait().unwrap();
        assert!(gone.is_dead());
        let elsewhere = Process {
            host: "another".into(),
            ..gone
        };
        assert!(!elsewhere.is_dead());
        assert!(!Process::parse("", "1").is_dead() && !Process::parse(&own.host, "x").is_dead());
    }
}
