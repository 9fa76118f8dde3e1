//! The part of classic BPF that seccomp filters use, interpreted: what the kernel would decide, without a kernel.

use glovebox_policies::sock_filter;

pub(crate) const ALLOW: u32 = 0x7fff_0000;
pub(crate) const NOTIFY: u32 = 0x7fc0_0000;
pub(crate) const NO_SUCH_CALL: u32 = 0x0005_0000 | 38; // SECCOMP_RET_ERRNO, ENOSYS
pub(crate) const INVALID: u32 = 0x0005_0000 | 22; // SECCOMP_RET_ERRNO, EINVAL
pub(crate) const KILL_PROCESS: u32 = 0x8000_0000;

pub(crate) const X86_64: u32 = 0xc000_003e;
pub(crate) const AARCH64: u32 = 0xc000_00b7;

/// What the kernel shows to a filter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) nr: u32,
    pub(crate) arch: u32,
    pub(crate) args: [u64; 6],
}

impl Call {
    /// One 32-bit word of `struct seccomp_data`, little-endian.
    fn word(&self, offset: u32) -> u32 {
        let half = |value: u64, high: bool| {
            let word = if high {
                value >> 32
            } else {
                value & 0xffff_ffff
            };
            u32::try_from(word).expect("half of a u64")
        };
        match offset {
            0 => self.nr,
            4 => self.arch,
            16..=60 if offset.is_multiple_of(4) => {
                let index = usize::try_from((offset - 16) / 8).expect("small");
                half(self.args[index], !offset.is_multiple_of(8))
            }
            _ => panic!("the filter loads offset {offset}"),
        }
    }
}

/// Runs the filter; returns its answer and how many instructions it took.
pub(crate) fn run(program: &[sock_filter], call: &Call) -> (u32, usize) {
    let mut accumulator = 0u32;
    let mut at = 0usize;
    for steps in 1..=program.len() {
        let one = &program[at];
        at += 1;
        let branch = |taken: bool| usize::from(if taken { one.jt } else { one.jf });
        match one.code {
            0x20 => accumulator = call.word(one.k),
            0x54 => accumulator &= one.k,
            0x05 => at += usize::try_from(one.k).expect("jump"),
            0x15 => at += branch(accumulator == one.k),
            0x25 => at += branch(accumulator > one.k),
            0x35 => at += branch(accumulator >= one.k),
            0x06 => return (one.k, steps),
            other => panic!("instruction {other:#x} is not one that seccomp filters use"),
        }
    }
    panic!("the filter does not end");
}
