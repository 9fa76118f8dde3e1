//! The architectures a filter can be made for, and their tables of system calls.
//!
//! A name has to be in one of the tables at least. It may be absent from the other: `open` is a call of x86_64 only, and a
//! filter for aarch64 leaves it out.

use std::fmt;

use seccompiler::TargetArch;
use syscalls::{aarch64, x86_64};

/// Set in the number of a call that uses the x32 convention of x86_64: 32-bit pointers, its own numbers.
const X32: u32 = 0x4000_0000;

/// An architecture whose system calls are known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 64-bit ARM.
    Aarch64,
}

impl Arch {
    /// Both of them.
    pub const ALL: [Arch; 2] = [Arch::X86_64, Arch::Aarch64];

    /// The architecture this program was built for; nothing where no filter can be made.
    pub fn host() -> Option<Arch> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Arch::X86_64),
            "aarch64" => Some(Arch::Aarch64),
            _ => None,
        }
    }

    /// The number of a call, where this architecture has it.
    pub fn number(self, name: &str) -> Option<u32> {
        let id = match self {
            Arch::X86_64 => name.parse::<x86_64::Sysno>().ok()?.id(),
            Arch::Aarch64 => name.parse::<aarch64::Sysno>().ok()?.id(),
        };
        u32::try_from(id).ok()
    }

    fn known(self, number: u32) -> Option<&'static str> {
        let id = usize::try_from(number).ok()?;
        match self {
            Arch::X86_64 => x86_64::Sysno::new(id).map(|call| call.name()),
            Arch::Aarch64 => aarch64::Sysno::new(id).map(|call| call.name()),
        }
    }

    pub(crate) fn target(self) -> TargetArch {
        match self {
            Arch::X86_64 => TargetArch::x86_64,
            Arch::Aarch64 => TargetArch::aarch64,
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
        })
    }
}

/// The name of a system call: `openat`; `syscall_999` where the table has none, `x32_openat` for the x32 convention, which
/// no profile ever allows.
pub fn syscall_name(arch: Arch, nr: u32) -> String {
    if arch == Arch::X86_64 && nr & X32 != 0 {
        return format!("x32_{}", syscall_name(arch, nr & !X32));
    }
    match arch.known(nr) {
        Some(name) => name.to_owned(),
        None => format!("syscall_{nr}"),
    }
}

/// Whether any architecture has a call of this name.
pub(crate) fn exists(name: &str) -> bool {
    Arch::ALL.iter().any(|arch| arch.number(name).is_some())
}

/// Every name of every architecture, for suggestions.
pub(crate) fn names() -> Vec<&'static str> {
    let x86 = x86_64::Sysno::iter().map(|call| call.name());
    let arm = aarch64::Sysno::iter().map(|call| call.name());
    x86.chain(arm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_architecture() {
        assert_eq!(syscall_name(Arch::X86_64, 0), "read");
        assert_eq!(syscall_name(Arch::Aarch64, 63), "read");
        assert_eq!(syscall_name(Arch::X86_64, 999), "syscall_999");
        assert_eq!(syscall_name(Arch::X86_64, 0x4000_0001), "x32_write");
        assert_eq!(
            syscall_name(Arch::Aarch64, 0x4000_0001),
            "syscall_1073741825"
        );
    }

    #[test]
    fn a_number_and_its_name_are_inverse() {
        for arch in Arch::ALL {
            for name in names() {
                if let Some(number) = arch.number(name) {
                    assert_eq!(syscall_name(arch, number), name);
                }
            }
        }
    }
}
