//! How a process that waits in a cell takes its order: under all layers, and with no more power than the job that it
//! becomes.
//!
//! The same for the child of a template and for an interpreter that was started ahead. Must never keep a descriptor.

use std::fs::File;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use nix::sys::resource::{Resource, setrlimit};
use rustix::fs::{CWD, Mode};
use rustix::io::Errno;
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use crate::enter::{errno, write_files};
use crate::protocol::{self, Launch};
use crate::report::{Failure, at};
use crate::step::Step;
use crate::sys::fork::exit_now;
use crate::warden::{Rlimit, check_files, read_launch, rlimits};
use crate::warm::Order;

/// Copied at one time.
const CHUNK: usize = 64 * 1024;

/// Waits for the order, and sets up what of it is the job's own: streams, limits, files.
pub(crate) fn take_order(
    line: BorrowedFd<'_>,
    open_files: u64,
    cgroup: bool,
) -> Result<Launch, Failure> {
    let failed = at(Step::Summon);
    let (Order { launch_bytes }, beside) = match protocol::receive_short(line) {
        Ok(Some(order)) => order,
        // No job came, and the cell is being ended.
        Ok(None) => exit_now(0),
        Err(error) => return Err(failed(errno(error))),
    };
    let Ok([stdin, stdout, stderr, memfd]) = <[OwnedFd; 4]>::try_from(beside) else {
        return Err(failed(Errno::BADMSG));
    };
    let stdio = at(Step::Stdio);
    dup2_stdin(&stdin).map_err(&stdio)?;
    dup2_stdout(&stdout).map_err(&stdio)?;
    dup2_stderr(&stderr).map_err(&stdio)?;
    drop((stdin, stdout, stderr));
    let memfd = File::from(memfd);
    let launch = read_launch(&memfd, launch_bytes)?;
    let mut limits: Vec<Rlimit> = rlimits::of(&launch.limits, open_files, cgroup);
    // That one is as it was, and may not be touched.
    limits.retain(|(resource, _, _)| *resource != Resource::RLIMIT_CORE);
    for (resource, soft, hard) in limits {
        setrlimit(resource, soft, hard).map_err(|error| at(Step::Rlimits)(errno(error)))?;
    }
    let length = memfd.metadata().map_err(|_| failed(Errno::IO))?.len();
    for folder in check_files(&launch, length.checked_sub(launch_bytes))? {
        rustix::fs::mkdirat(CWD, folder.as_c_str(), Mode::from_raw_mode(0o755))
            .map_err(at(Step::Files))?;
    }
    write_files(&launch.files, launch_bytes, |target, offset, rest| {
        copy(&memfd, target, offset, rest)
    })?;
    Ok(launch)
}

/// sendfile(2) is refused to jobs.
fn copy(from: &File, to: &OwnedFd, offset: &mut u64, rest: usize) -> Result<usize, Errno> {
    let mut chunk = vec![0; rest.min(CHUNK)];
    let read = from
        .read_at(&mut chunk, *offset)
        .map_err(|error| Errno::from_raw_os_error(error.raw_os_error().unwrap_or(libc::EIO)))?;
    let written = rustix::io::write(to, chunk.get(..read).unwrap_or_default())?;
    *offset += written as u64;
    Ok(written)
}
