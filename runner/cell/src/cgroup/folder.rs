//! A cgroup's folder, held by descriptor: the warden leaves the host's mount tree behind when it
//! starts, and paths lead nowhere then. The path is kept for messages only.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::{CgroupError, Knob, on};

/// Attempts to remove an emptying group before it is given up, and the pause between two of them after
/// the first few: version 1 has no event for a group that has become empty.
const PATIENCE: u32 = 2000;
const EAGER: u32 = 50;
const PAUSE: Duration = Duration::from_millis(1);

/// One group.
#[derive(Debug)]
pub(super) struct Folder {
    descriptor: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// Opens the group at an absolute path.
    pub(super) fn open(path: &Path) -> Result<Folder, CgroupError> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|errno| on("opening", path)(errno.into()))?;
        Ok(Folder {
            descriptor,
            path: path.to_owned(),
        })
    }

    /// Another handle of the same group.
    pub(super) fn again(&self) -> Result<Folder, CgroupError> {
        let descriptor = self
            .descriptor
            .try_clone()
            .map_err(on("duplicating the descriptor of", &self.path))?;
        Ok(Folder {
            descriptor,
            path: self.path.clone(),
        })
    }

    /// The group `name` beneath this one, made if it is not there.
    pub(super) fn make(&self, name: &str) -> Result<Folder, CgroupError> {
        let path = self.path.join(name);
        match rustix::fs::mkdirat(&self.descriptor, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(on("making", &path)(errno.into())),
        }
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let descriptor = rustix::fs::openat(&self.descriptor, name, flags, Mode::empty())
            .map_err(|errno| on("opening", &path)(errno.into()))?;
        Ok(Folder { descriptor, path })
    }

    /// Opens one of the group's files.
    pub(super) fn knob(&self, name: &str, access: OFlags) -> Result<Knob, CgroupError> {
        let path = self.path.join(name);
        let file = rustix::fs::openat(
            &self.descriptor,
            name,
            access | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(|errno| on("opening", &path)(errno.into()))?;
        Ok(Knob {
            path,
            file: File::from(file),
        })
    }

    /// Writes one of the group's files.
    pub(super) fn set(&self, name: &str, value: &str) -> Result<(), CgroupError> {
        self.knob(name, OFlags::WRONLY)?.write(value)
    }

    /// Reads one of the group's files.
    pub(super) fn get(&self, name: &str) -> Result<String, CgroupError> {
        self.knob(name, OFlags::RDONLY)?.read()
    }

    /// The processes of this group, or the first few hundred of them.
    pub(super) fn members(&self) -> Result<Vec<i32>, CgroupError> {
        Ok(whole_numbers(&self.get("cgroup.procs")?))
    }

    pub(super) fn number(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }

    /// Removes the group `name` beneath this one and all beneath that, ending what runs there. One
    /// that is not there is no error.
    pub(super) fn remove(&self, name: &OsStr) -> Result<(), CgroupError> {
        for attempt in 0..PATIENCE {
            match rustix::fs::unlinkat(&self.descriptor, name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                // Processes or groups are in it still.
                Err(Errno::BUSY | Errno::NOTEMPTY) => self.empty(name)?,
                Err(errno) => return Err(on("removing", &self.path.join(name))(errno.into())),
            }
            if attempt < EAGER {
                std::thread::yield_now();
            } else {
                std::thread::sleep(PAUSE);
            }
        }
        Err(on("removing", &self.path.join(name))(io::Error::from(
            Errno::BUSY,
        )))
    }

    fn empty(&self, name: &OsStr) -> Result<(), CgroupError> {
        let path = self.path.join(name);
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let group = match rustix::fs::openat(&self.descriptor, name, flags, Mode::empty()) {
            Ok(descriptor) => Folder { descriptor, path },
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(on("opening", &path)(errno.into())),
        };
        for pid in group.members()? {
            if let Some(pid) = Pid::from_raw(pid).filter(|pid| *pid != rustix::process::getpid()) {
                // One that has ended meanwhile is what is wanted.
                kill_process(pid, Signal::KILL).unwrap_or_default();
            }
        }
        let entries = rustix::fs::Dir::read_from(&group.descriptor)
            .map_err(|errno| on("listing", &group.path)(errno.into()))?;
        for entry in entries.flatten() {
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            let dots = name == "." || name == "..";
            if entry.file_type() == rustix::fs::FileType::Directory && !dots {
                group.remove(name)?;
            }
        }
        Ok(())
    }
}

/// A number a line. A last line without its end was cut off: half a number is somebody else's.
fn whole_numbers(text: &str) -> Vec<i32> {
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().filter_map(|line| line.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_was_cut_off_is_nobodys() {
        assert_eq!(whole_numbers("12\n345\n67"), [12, 345]);
        assert_eq!(whole_numbers("12"), [0; 0]);
    }
}
