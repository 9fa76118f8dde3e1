//! The steps of making a cell, by name: a failure says which one, on which errno, and the mend.
//!
//! The numbers cross the shared page and the warden's socket; they never reach a user.

use serde::{Deserialize, Serialize};

macro_rules! steps {
    ($($(#[$doc:meta])* $name:ident = $number:literal: $label:literal, $mend:literal;)*) => {
        /// One step on the way into a cell, in the order in which they are taken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[repr(u32)]
        pub enum Step {
            $($(#[$doc])* $name = $number,)*
        }

        impl Step {
            /// What was being done.
            #[must_use]
            pub fn label(self) -> &'static str {
                match self { $(Step::$name => $label,)* }
            }

            /// What a person can do about it.
            #[must_use]
            pub fn mend(self) -> &'static str {
                match self { $(Step::$name => $mend,)* }
            }

            /// The step with this number.
            #[must_use]
            pub fn from_number(number: u32) -> Option<Step> {
                match number { $($number => Some(Step::$name),)* _ => None }
            }
        }
    };
}

steps! {
    /// The launch itself was wrong.
    Check = 1: "checking the launch", "this is a fault of the runner: please report it";
    /// Limits written to the cgroup.
    Cgroup = 2: "setting the cgroup's limits", "run `glovebox doctor`; look for a cgroup that somebody else removed";
    /// The size-limited tmpfs of the job.
    Workspace = 3: "making the job's tmpfs", "free memory on the host, or lower the job's disk limit";
    /// clone3(2) of the cell's init.
    Clone = 4: "cloning into new namespaces", "run `glovebox doctor`; raise user.max_*_namespaces or the host's pid limit";
    /// The warden is still there.
    Alive = 5: "tying the cell's life to the warden's", "the warden is gone; the job is retried";
    /// Nothing inherited but what the cell needs.
    Descriptors = 6: "closing inherited descriptors", "this needs Linux 5.9 or later";
    /// The slot's empty network namespace.
    Network = 7: "joining the slot's network namespace", "run `glovebox doctor`";
    /// The host's name stays outside.
    Hostname = 8: "setting the cell's host name", "run `glovebox doctor`";
    /// The tmpfs at its places.
    Mounts = 9: "mounting the job's folders", "run `glovebox doctor`; this needs Linux 5.12 or later";
    /// /proc of the cell's own pid namespace.
    Proc = 10: "mounting /proc", "in a container, /proc must not be masked (for Docker: --security-opt systempaths=unconfined)";
    /// The host's root is out of reach.
    Pivot = 11: "changing the root", "run `glovebox doctor`";
    /// The job's own process.
    Fork = 12: "forking the job's process", "raise the host's limit of processes";
    /// The job's process enters its limits.
    Join = 13: "joining the cgroup", "run `glovebox doctor`; look for a cgroup that somebody else removed";
    /// The cgroup becomes the root of what the cell sees.
    CgroupNamespace = 14: "making the cgroup namespace", "run `glovebox doctor`";
    /// No controlling terminal.
    Session = 15: "starting a session", "this is a fault of the runner: please report it";
    /// stdin, stdout, stderr.
    Stdio = 16: "setting up stdin, stdout and stderr", "this is a fault of the runner: please report it";
    /// setrlimit(2).
    Rlimits = 17: "setting resource limits", "raise the limits of the service itself, its open files above all";
    /// The slot's own uid and gid.
    Identity = 18: "changing to the slot's uid and gid", "choose a range of uids that exists in this user namespace with GLOVEBOX_UID_BASE";
    /// No capability left.
    Capabilities = 19: "dropping capabilities", "this is a fault of the runner: please report it";
    /// The job's files.
    Files = 20: "writing the job's files", "send fewer or smaller files, or raise the job's disk limit";
    /// Ends with its parent.
    DeathSignal = 21: "setting the parent-death signal", "this is a fault of the runner: please report it";
    /// no_new_privs.
    NoNewPrivs = 22: "setting no_new_privs", "this needs Linux 3.5 or later";
    /// Landlock.
    Landlock = 23: "entering Landlock", "boot with landlock in the lsm= list, or allow it to be missing";
    /// The filter of system calls.
    Seccomp = 24: "installing the seccomp filter", "run `glovebox doctor`; another filter with a listener may be in force around the runner";
    /// execve(2).
    Exec = 25: "starting the interpreter", "check that the profile's interpreter is installed and within its root";
    /// Reading what the job used.
    Account = 26: "reading the cgroup's counters", "look for a cgroup that somebody else removed";
    /// The process that a template gives.
    Summon = 28: "summoning a process from the template", "the job is started cold; look at the runner's log for why the template can't be used";
    /// Handing back the job's files.
    Collect = 27: "collecting the job's output files", "this is a fault of the runner: please report it";
}
