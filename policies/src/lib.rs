//! What untrusted code may do, as data: one profile a language, groups of system calls that profiles share, and the
//! BPF program that a profile compiles to.
//!
//! The files in `profiles/` and `groups/` are the policy; this crate reads them, refuses what is wrong in them with file,
//! line, key and mend, and compiles what is right. It must never weaken a policy silently (what it does not understand it
//! refuses), never install a filter (that is the cell's work), and do no input or output but reading profile files and
//! looking whether an interpreter is there.

mod arch;
mod catalog;
mod command;
mod compile;
mod document;
mod embedded;
mod environment;
mod error;
mod filter;
mod forbid;
mod group;
mod hint;
mod learn;
mod limits;
mod profile;
mod proxy;
mod ranges;
mod read;
mod root;
mod rules;
mod syscalls;
mod units;
mod warm;

pub use arch::{Arch, syscall_name};
pub use catalog::{Catalog, Program};
pub use compile::Compile;
pub use environment::Environment;
pub use error::{Place, PolicyError};
pub use filter::{Filter, Refusal, filter, template_filter};
pub use hint::hint;
pub use learn::{Learned, Lesson, learn};
pub use profile::{Absent, Limits, Profile, Root};
pub use proxy::Proxy;
pub use seccompiler::sock_filter;
pub use syscalls::{Check, Condition, Syscalls, Test, Width};
pub use warm::{Warm, WarmMode};
