//! The rules by which evidence becomes a verdict, in the order in which they are asked.

use glovebox_cell::{Ending, Evidence, KillReason};
use glovebox_schemas::result::{Limit, Status};
use nix::sys::signal::Signal;

/// What is to be said of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) status: Status,
    pub(super) exit_code: Option<i32>,
    pub(super) signal: Option<String>,
    pub(super) limit: Option<Limit>,
}

/// Judges one run.
pub(super) fn verdict(evidence: &Evidence, output_exceeded: bool) -> Verdict {
    let base = Verdict {
        status: Status::Failed,
        exit_code: None,
        signal: None,
        limit: None,
    };
    let exceeded = |limit: Limit| Verdict {
        status: Status::LimitExceeded,
        limit: Some(limit),
        ..base.clone()
    };
    match evidence.ending {
        Ending::Refused { .. } => Verdict {
            status: Status::Denied,
            ..base
        },
        Ending::Killed(reason) => killed(reason, evidence, &exceeded, &base),
        Ending::Code(code) => {
            let limit = output_exceeded
                .then_some(Limit::Output)
                .or_else(|| (code != 0).then(|| reached(evidence)).flatten());
            let clean = Verdict {
                status: if code == 0 {
                    Status::Succeeded
                } else {
                    Status::Failed
                },
                ..base.clone()
            };
            Verdict {
                exit_code: Some(code),
                ..limit.map_or(clean, exceeded)
            }
        }
        Ending::Signal(number) => {
            let limit = match number {
                libc_signal::XCPU => Some(Limit::CpuTime),
                libc_signal::XFSZ => Some(Limit::Disk),
                _ => reached(evidence),
            };
            // The kernel ends a process that calls through a foreign architecture so.
            let foreign = number == libc_signal::SYS;
            let clean = Verdict {
                status: if foreign {
                    Status::Denied
                } else {
                    Status::Failed
                },
                ..base.clone()
            };
            // The kernel's own kill for memory is no signal of the program's; the warden's look may come
            // before it, and the same job must have the same result.
            let own = limit != Some(Limit::Memory);
            Verdict {
                signal: own.then(|| signal_name(number)),
                ..limit.map_or(clean, exceeded)
            }
        }
        // The kernel killed the cell's init: only the host's own lack of memory does that.
        Ending::Vanished => Verdict {
            status: Status::Error,
            ..base
        },
    }
}

fn killed(
    reason: KillReason,
    evidence: &Evidence,
    exceeded: &dyn Fn(Limit) -> Verdict,
    base: &Verdict,
) -> Verdict {
    match reason {
        KillReason::Cancelled | KillReason::Shutdown => Verdict {
            status: Status::Cancelled,
            ..base.clone()
        },
        // A program that spins because it may not fork is a matter of processes, not of time.
        KillReason::WallTime if evidence.forks_refused > 0 => exceeded(Limit::Processes),
        KillReason::CpuTime if evidence.forks_refused > 0 => exceeded(Limit::Processes),
        // Reported by the warden as failures of its own; never as evidence.
        KillReason::NeverStarted | KillReason::Unaccounted => Verdict {
            status: Status::Error,
            ..base.clone()
        },
        KillReason::WallTime => exceeded(Limit::WallTime),
        KillReason::CpuTime => exceeded(Limit::CpuTime),
        KillReason::Memory => exceeded(Limit::Memory),
        KillReason::Disk => exceeded(Limit::Disk),
        KillReason::Processes => exceeded(Limit::Processes),
        KillReason::Output => exceeded(Limit::Output),
    }
}

/// A limit that the program ran into before it ended badly.
fn reached(evidence: &Evidence) -> Option<Limit> {
    if evidence.out_of_memory {
        Some(Limit::Memory)
    } else if evidence.disk_full {
        Some(Limit::Disk)
    } else if evidence.forks_refused > 0 {
        Some(Limit::Processes)
    } else {
        None
    }
}

/// Signals with a meaning of their own here.
pub(super) mod libc_signal {
    pub(crate) const XCPU: i32 = nix::sys::signal::Signal::SIGXCPU as i32;
    pub(crate) const XFSZ: i32 = nix::sys::signal::Signal::SIGXFSZ as i32;
    pub(crate) const SYS: i32 = nix::sys::signal::Signal::SIGSYS as i32;
}

fn signal_name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("SIG{number}"), |s| s.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use glovebox_cell::Usage;
    use std::time::Duration;

    fn evidence(ending: Ending) -> Evidence {
        Evidence {
            ending,
            refused: vec![],
            calls: vec![],
            out_of_memory: false,
            forks_refused: 0,
            disk_full: false,
            usage: Usage::default(),
            setup: Duration::ZERO,
        }
    }

    fn said(evidence: &Evidence) -> (Status, Option<Limit>) {
        let verdict = verdict(evidence, false);
        (verdict.status, verdict.limit)
    }

    #[test]
    fn a_program_that_copes_with_a_limit_has_succeeded() {
        let coped = Evidence {
            forks_refused: 9,
            disk_full: true,
            ..evidence(Ending::Code(0))
        };
        assert_eq!(said(&coped), (Status::Succeeded, None));
    }

    #[test]
    fn a_program_that_fails_at_a_limit_was_stopped_by_it() {
        let failed = evidence(Ending::Code(1));
        assert_eq!(said(&failed), (Status::Failed, None));
        let disk = Evidence {
            disk_full: true,
            ..failed.clone()
        };
        assert_eq!(said(&disk), (Status::LimitExceeded, Some(Limit::Disk)));
        let forks = Evidence {
            forks_refused: 1,
            ..failed.clone()
        };
        assert_eq!(
            said(&forks),
            (Status::LimitExceeded, Some(Limit::Processes))
        );
        let memory = Evidence {
            out_of_memory: true,
            disk_full: true,
            ..failed
        };
        assert_eq!(said(&memory), (Status::LimitExceeded, Some(Limit::Memory)));
    }

    #[test]
    fn time_spent_on_refused_forks_is_a_matter_of_processes() {
        for reason in [KillReason::WallTime, KillReason::CpuTime] {
            let spun = Evidence {
                forks_refused: 1,
                ..evidence(Ending::Killed(reason))
            };
            assert_eq!(said(&spun), (Status::LimitExceeded, Some(Limit::Processes)));
        }
    }

    #[test]
    fn each_kill_has_its_limit() {
        for (reason, limit) in [
            (KillReason::WallTime, Limit::WallTime),
            (KillReason::CpuTime, Limit::CpuTime),
            (KillReason::Memory, Limit::Memory),
            (KillReason::Processes, Limit::Processes),
            (KillReason::Output, Limit::Output),
        ] {
            let killed = evidence(Ending::Killed(reason));
            assert_eq!(said(&killed), (Status::LimitExceeded, Some(limit)));
        }
        let cancelled = evidence(Ending::Killed(KillReason::Cancelled));
        assert_eq!(said(&cancelled), (Status::Cancelled, None));
    }

    #[test]
    fn signals_are_the_programs_own_but_for_those_of_limits() {
        for (signal, status, limit) in [
            (11, Status::Failed, None),
            (6, Status::Failed, None),
            (
                libc_signal::XCPU,
                Status::LimitExceeded,
                Some(Limit::CpuTime),
            ),
            (libc_signal::XFSZ, Status::LimitExceeded, Some(Limit::Disk)),
            (libc_signal::SYS, Status::Denied, None),
        ] {
            assert_eq!(said(&evidence(Ending::Signal(signal))), (status, limit));
        }
        let segfault = verdict(&evidence(Ending::Signal(11)), false);
        assert_eq!(segfault.signal.as_deref(), Some("SIGSEGV"));
    }

    #[test]
    fn a_kill_for_memory_is_no_signal_of_the_programs() {
        let killed = Evidence {
            out_of_memory: true,
            ..evidence(Ending::Signal(9))
        };
        let verdict = verdict(&killed, false);
        assert_eq!((verdict.limit, verdict.signal), (Some(Limit::Memory), None));
    }

    #[test]
    fn a_flood_is_one_even_if_the_program_ended_well() {
        let flood = verdict(&evidence(Ending::Code(0)), true);
        assert_eq!(flood.status, Status::LimitExceeded);
        assert_eq!(flood.limit, Some(Limit::Output));
        assert_eq!(flood.exit_code, Some(0));
    }

    #[test]
    fn what_vanished_is_our_fault() {
        assert_eq!(said(&evidence(Ending::Vanished)), (Status::Error, None));
    }
}
