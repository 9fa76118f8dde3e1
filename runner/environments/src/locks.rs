//! Locks between processes. The kernel lets go of them when their owner dies, however it dies: no time-out has to guess.
//!
//! They are advisory, on files that only the store's owner can open: never on the tree itself, which cells can open.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};

/// Keeps a tree from being swept away for as long as it lives.
#[derive(Debug)]
pub struct Hold {
    _lock: File,
}

impl Hold {
    pub(crate) fn new(lock: File) -> Hold {
        Hold { _lock: lock }
    }
}

/// Waits for the lock and takes it alone.
pub(crate) fn wait(path: &Path) -> io::Result<File> {
    let file = open(path)?;
    retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))?;
    Ok(file)
}

/// Takes the lock alone if nobody has it.
pub(crate) fn try_alone(path: &Path) -> io::Result<Option<File>> {
    attempt(path, FlockOperation::NonBlockingLockExclusive)
}

/// Takes the lock together with others, unless one has it alone.
pub(crate) fn try_shared(path: &Path) -> io::Result<Option<File>> {
    attempt(path, FlockOperation::NonBlockingLockShared)
}

fn attempt(path: &Path, operation: FlockOperation) -> io::Result<Option<File>> {
    let file = open(path)?;
    match retry_on_intr(|| flock(&file, operation)) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path)
}
