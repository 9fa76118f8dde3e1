//! Handing back the files that a job asks for.
//!
//! What a job left behind is hostile: links, devices, a million names. So a process of its own does
//! this, with the job's uid, no capability, and only files that lie beneath the working folder and
//! are regular (openat2(2), RESOLVE_BENEATH). The warden itself never looks into the folder.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::enter::{Identity, become_powerless};
use crate::protocol::CollectedFile;
use crate::report::{Failure, at};
use crate::step::Step;
use crate::sys::fds::close_all_but;
use crate::sys::fork::{Forked, exit_now, fork};

/// The most entries that are looked at, and the deepest folder.
const MOST_ENTRIES: usize = 20_000;
const DEEPEST: usize = 64;
/// The most files that are handed back.
const MOST_FILES: usize = 1_000;

/// Starts the collector; its pidfd becomes readable when it is done.
pub(super) fn start(
    workspace: &OwnedFd,
    identity: Identity,
    globs: &[String],
    most: u64,
    pipe: &OwnedFd,
) -> Result<OwnedFd, Failure> {
    match fork(0, None).map_err(at(Step::Collect))? {
        Forked::Parent { pidfd, .. } => Ok(pidfd),
        Forked::Child => {
            let done = enter(workspace, identity, pipe)
                .map_err(io::Error::from)
                .and_then(|()| collect(workspace.as_fd(), globs, most, pipe));
            exit_now(i32::from(done.is_err()))
        }
    }
}

fn enter(workspace: &OwnedFd, identity: Identity, pipe: &OwnedFd) -> Result<(), Errno> {
    let mut keep = [workspace.as_raw_fd(), pipe.as_raw_fd()];
    keep.sort_unstable();
    close_all_but(&keep)?;
    become_powerless(identity)?;
    // If the warden died before this line, nobody reads the pipe any more, and writing ends us.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
}

fn collect(
    workspace: BorrowedFd<'_>,
    globs: &[String],
    most: u64,
    pipe: &OwnedFd,
) -> io::Result<()> {
    let wanted = compile(globs).map_err(io::Error::other)?;
    // A job that has locked its own folder has nothing to hand back.
    let Ok(work) = open(workspace, Path::new("work"), OFlags::DIRECTORY) else {
        return Ok(());
    };
    let mut walk = Walk {
        work: work.as_fd(),
        wanted,
        room: most,
        seen: 0,
        files: 0,
        overflowed: false,
        pipe: io::BufWriter::new(File::from(pipe.try_clone()?)),
    };
    walk.folder(Path::new(""), 0)?;
    walk.pipe.flush()
}

fn compile(globs: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(GlobBuilder::new(glob).literal_separator(true).build()?);
    }
    set.build()
}

fn open(beneath: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::openat2(
        beneath,
        path,
        flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV,
    )
}

struct Walk<'a> {
    work: BorrowedFd<'a>,
    wanted: GlobSet,
    room: u64,
    seen: usize,
    files: usize,
    overflowed: bool,
    pipe: io::BufWriter<File>,
}

impl Walk<'_> {
    /// Goes through a folder in the order of names, so that the same files give the same answer.
    fn folder(&mut self, path: &Path, depth: usize) -> io::Result<()> {
        let here = if depth == 0 { Path::new(".") } else { path };
        let Ok(fd) = open(self.work, here, OFlags::DIRECTORY) else {
            return Ok(());
        };
        let mut names: Vec<(OsString, FileType)> = Vec::new();
        for entry in Dir::read_from(fd)?.flatten() {
            let name = entry.file_name().to_bytes();
            self.seen += 1;
            if self.seen > MOST_ENTRIES {
                break;
            }
            if name != b"." && name != b".." {
                names.push((OsStr::from_bytes(name).to_owned(), entry.file_type()));
            }
        }
        names.sort_by(|one, other| one.0.cmp(&other.0));
        for (name, kind) in names {
            let path = path.join(name);
            match kind {
                FileType::Directory if depth < DEEPEST => self.folder(&path, depth + 1)?,
                FileType::RegularFile if self.wanted.is_match(&path) => self.file(&path)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> io::Result<()> {
        // One that its owner may not read is not there for anybody.
        let Ok(fd) = open(self.work, path, OFlags::empty()) else {
            return Ok(());
        };
        let file = File::from(fd);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(());
        }
        // A name takes room, too, and an empty file has one.
        let cost = path.as_os_str().len() as u64 + metadata.len();
        if cost > self.room || self.files == MOST_FILES {
            return self.leave_out(path);
        }
        self.files += 1;
        // The cell is dead: nobody can make the file longer or shorter now.
        let mut content = Vec::new();
        file.take(metadata.len()).read_to_end(&mut content)?;
        self.room -= cost;
        let executable = metadata.permissions().mode() & 0o100 != 0;
        self.head(path, content.len() as u64, executable, false)?;
        self.pipe.write_all(&content)
    }

    /// Says so once: the first file without room stands for all that follow.
    fn leave_out(&mut self, path: &Path) -> io::Result<()> {
        self.room = 0;
        match std::mem::replace(&mut self.overflowed, true) {
            false => self.head(path, 0, false, true),
            true => Ok(()),
        }
    }

    fn head(&mut self, path: &Path, size: u64, executable: bool, omitted: bool) -> io::Result<()> {
        let head = CollectedFile {
            path: path.as_os_str().as_bytes().to_vec(),
            size,
            executable,
            omitted,
        };
        let bytes = postcard::to_stdvec(&head).map_err(io::Error::other)?;
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.pipe.write_all(&length.to_le_bytes())?;
        self.pipe.write_all(&bytes)
    }
}
