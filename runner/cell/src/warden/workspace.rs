//! The job's tmpfs: its working folder, `/tmp` and `/dev/shm`, all of one size-limited file system.
//!
//! Made by the warden, attached by the cell, gone when both have let go. Must never be reused.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Gid, Mode, Uid};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, FsPickFlags, MountAttrFlags};

use crate::blueprint::{Blueprint, Limits};
use crate::enter::Identity;

/// A tmpfs of the job's size with its three folders, attached nowhere yet (fsmount(2)).
pub(super) fn make(
    limits: &Limits,
    blueprint: &Blueprint,
    identity: Identity,
) -> Result<OwnedFd, Errno> {
    let context = rustix::mount::fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    set_size(&context, limits.disk)?;
    rustix::mount::fsconfig_set_string(context.as_fd(), c"mode", "0755")?;
    rustix::mount::fsconfig_create(context.as_fd())?;
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    if !blueprint.exec_workdir {
        attributes |= MountAttrFlags::MOUNT_ATTR_NOEXEC;
    }
    if blueprint.without.mount_flags {
        attributes = MountAttrFlags::empty();
    }
    let mount = rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    let folders = [(c"work", 0o755), (c"tmp", 0o1777), (c"shm", 0o1777)];
    let env = blueprint.builds_env.then_some((c"env", 0o755));
    for (name, mode) in folders.into_iter().chain(env) {
        rustix::fs::mkdirat(&mount, name, Mode::from_raw_mode(mode))?;
        // The umask has cut the mode that mkdirat was given.
        rustix::fs::chmodat(&mount, name, Mode::from_raw_mode(mode), AtFlags::empty())?;
        if let Some(id) = identity.owner() {
            let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
            let flags = AtFlags::empty();
            rustix::fs::chownat(&mount, name, Some(uid), Some(gid), flags)?;
        }
    }
    Ok(mount)
}

/// Gives it the size that its job may have; nothing is in it yet.
pub(super) fn resize(workspace: &OwnedFd, disk: u64) -> Result<(), Errno> {
    let flags = FsPickFlags::FSPICK_CLOEXEC | FsPickFlags::FSPICK_EMPTY_PATH;
    let context = rustix::mount::fspick(workspace, c"", flags)?;
    set_size(&context, disk)?;
    rustix::mount::fsconfig_reconfigure(context.as_fd())
}

fn set_size(context: &OwnedFd, disk: u64) -> Result<(), Errno> {
    let inodes = (disk / 4096).max(64);
    rustix::mount::fsconfig_set_string(context.as_fd(), c"size", disk.to_string())?;
    rustix::mount::fsconfig_set_string(context.as_fd(), c"nr_inodes", inodes.to_string())
}

/// No block or no inode is free (statfs(2)).
pub(super) fn is_full(workspace: &OwnedFd) -> bool {
    rustix::fs::fstatfs(workspace).is_ok_and(|fs| fs.f_bfree == 0 || fs.f_ffree == 0)
}
