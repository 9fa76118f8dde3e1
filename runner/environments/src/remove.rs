//! Removing a whole tree. Must never follow a link: what is removed was written by strangers.
//!
//! A running cell may have the tree mounted. Taking its files away is safe for the host (a mount keeps the folder, open
//! files keep their content), but the job would miss them; so [`crate::sweep`] leaves alone what somebody holds.

use std::ffi::{CStr, CString};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

/// Removes a file, a link or a folder with all that is in it. One that is not there is removed already.
pub(crate) fn remove_tree(path: &Path) -> Result<(), Errno> {
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::INVAL)?;
    remove(rustix::fs::CWD, &path)
}

fn remove(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err(errno),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    // Its owner, not being root, can't empty a read-only folder.
    rustix::fs::fchmod(&folder, Mode::RWXU)?;
    let names: Vec<CString> = Dir::read_from(&folder)?
        .map(|entry| Ok(entry?.file_name().to_owned()))
        .collect::<Result<_, Errno>>()?;
    for name in names
        .iter()
        .filter(|name| !matches!(name.to_bytes(), b"." | b".."))
    {
        remove(std::os::fd::AsFd::as_fd(&folder), name)?;
    }
    rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)
}
