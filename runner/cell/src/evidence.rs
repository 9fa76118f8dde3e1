//! What the warden saw of a cell that has ended. Facts only: whose fault it was is judged elsewhere.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Everything that is known of a cell after its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// How it ended.
    pub ending: Ending,
    /// The refused calls, each once, in the order in which they were first made.
    pub refused: Vec<RefusedCall>,
    /// The first different ones with their arguments, in the order in which they were made.
    pub calls: Vec<Call>,
    /// The kernel killed a process of the cell because its memory limit was reached.
    pub out_of_memory: bool,
    /// How many forks and threads the limit of processes refused.
    pub forks_refused: u64,
    /// The tmpfs had no room or no inode left when last looked at.
    pub disk_full: bool,
    /// What it used.
    pub usage: Usage,
    /// From the launch to the start of the program.
    pub setup: Duration,
}

/// How a cell ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// The program ended by itself with this exit code.
    Code(i32),
    /// A signal of its own ended the program.
    Signal(i32),
    /// A call of the dangerous group; the cell was ended.
    Refused {
        /// The call's number.
        nr: u32,
    },
    /// The warden ended it.
    Killed(KillReason),
    /// It is gone and nobody of ours did it, nor was its end recorded.
    Vanished,
}

/// Why the warden ended a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KillReason {
    /// The wall-clock limit.
    WallTime,
    /// The limit of CPU time.
    CpuTime,
    /// The memory limit: a process of the cell was killed by the kernel.
    Memory,
    /// Its own files did not fit, so that it was never started.
    Disk,
    /// More refused forks than the limit allows processes.
    Processes,
    /// The runner saw too much output.
    Output,
    /// Its owner cancelled it.
    Cancelled,
    /// The runner gives the job back.
    Shutdown,
    /// It did not start in time: our failure, reported as one.
    NeverStarted,
    /// Its counters could not be read: our failure, reported as one.
    Unaccounted,
}

/// A call that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedCall {
    /// Its number on this architecture.
    pub nr: u32,
    /// How often.
    pub count: u64,
}

/// A refused call as it was made. What a pointer among the arguments leads to is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Its number on this architecture.
    pub nr: u32,
    /// Its arguments.
    pub args: [u64; 6],
}

/// What a cell used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// From the start of the program to the end of the cell.
    pub wall: Duration,
    /// CPU time in user mode, all processes.
    pub cpu_user: Duration,
    /// CPU time in the kernel, all processes.
    pub cpu_system: Duration,
    /// Peak of the memory in bytes; 0 without a cgroup.
    pub memory_peak: u64,
    /// Peak of the number of processes and threads; 0 without a cgroup.
    pub processes_peak: u64,
}
