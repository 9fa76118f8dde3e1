//! The job's own process: it gives up one power after the other and becomes the program.
//!
//! Each step stands where it does for a reason, said at the step. Must never run a byte of the job
//! before the last one.

use std::marker::PhantomData;
use std::os::fd::{BorrowedFd, OwnedFd};

use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::setrlimit;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, FdFlags};
use rustix::process::{DumpableBehavior, Pid, Signal, setsid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::house::Housed;
use super::identity::{become_id, drop_bounding_set, drop_capabilities};
use super::{Entry, Identity, Stage, WORK, errno};
use crate::blueprint::{Filter, HTTP_DOOR, Network, SOCKS_DOOR};
use crate::cgroup::WayIn;
use crate::protocol::FileSpec;
use crate::report::{Failure, at};
use crate::step::Step;
use crate::sys::fds::borrow;
use crate::sys::fork::{Forked, exit_now, fork as clone};
use crate::sys::image::Image;
use crate::sys::landlock::{self, access};
use crate::sys::{seccomp, signals};

/// Where programs and libraries may be; beneath other folders nothing may be executed.
const PROGRAMS: [&std::ffi::CStr; 7] = [
    c"/usr", c"/bin", c"/sbin", c"/lib", c"/lib64", c"/opt", c"/env",
];

/// Forked from the housed init.
struct Forked_;
/// Under the cell's limits of memory, CPU and processes.
struct Grouped;
/// Own session, own stdio, own resource limits.
struct Limited;
/// The slot's uid, no group, no capability.
struct Powerless;
/// Its files are written, with its own uid.
struct Settled;
/// Dies with its parent, and can never gain a privilege.
struct Tied;
/// Under Landlock.
struct Fenced;
/// Under seccomp. Only exec is left.
struct Filtered;

/// Forks the job's process and waits until it has become the program or failed.
///
/// `CLONE_VFORK` gives the waiting for nothing. `CLONE_FILES` lets the listener that the child's
/// filter makes appear in init's table too; exec gives the program a table of its own.
pub(super) fn fork(housed: Stage<'_, Housed>) -> Result<Pid, Failure> {
    let entry = housed.entry;
    let born_in = match entry.way_in {
        WayIn::Born(folder) => Some(borrow(*folder)),
        WayIn::Tasks(_) | WayIn::None => None,
    };
    match clone(libc::CLONE_VFORK | libc::CLONE_FILES, born_in).map_err(at(Step::Fork))? {
        Forked::Parent { pid, pidfd } => {
            // The job is process 2 and init waits for children by wait(2): the pidfd is not needed.
            drop(pidfd);
            match entry.report.failure() {
                Some(failure) => Err(failure),
                None => Ok(pid),
            }
        }
        Forked::Child => become_the_program(entry),
    }
}

fn become_the_program(entry: &Entry<'_>) -> ! {
    let failure = match filtered(entry) {
        Ok(stage) => stage.exec(),
        Err(failure) => failure,
    };
    entry.report.fail(failure);
    exit_now(127)
}

/// The same for a process that was summoned from a template: every step but the last, after which it waits for its order.
#[cfg(feature = "inside")]
pub(crate) fn jail(entry: &Entry<'_>) -> Result<(), Failure> {
    filtered(entry).map(drop)
}

/// All steps in their order but exec.
fn filtered<'a>(entry: &'a Entry<'a>) -> Result<Stage<'a, Filtered>, Failure> {
    Stage::<Forked_> {
        entry,
        at: PhantomData,
    }
    .join_group()
    .and_then(Stage::limit)
    .and_then(Stage::give_up_power)
    .and_then(Stage::settle)
    .and_then(Stage::tie)
    .and_then(Stage::fence)
    .and_then(Stage::filter)
}

impl<'a> Stage<'a, Forked_> {
    /// First, so that everything after it counts against the job. The namespace comes after the
    /// group: the group of the moment becomes the root of what the namespace shows.
    fn join_group(self) -> Result<Stage<'a, Grouped>, Failure> {
        if let WayIn::Tasks(tasks) = self.entry.way_in {
            for file in tasks {
                rustix::io::write(borrow(*file), b"0").map_err(at(Step::Join))?;
            }
        }
        (self.entry.counted)();
        if !self.entry.without.cgroup_namespace {
            unshare(CloneFlags::CLONE_NEWCGROUP)
                .map_err(|error| at(Step::CgroupNamespace)(errno(error)))?;
        }
        Ok(self.next())
    }
}

impl<'a> Stage<'a, Grouped> {
    /// A session of its own leaves no controlling terminal to inject input into (TIOCSTI). The
    /// resource limits come while raising a hard limit is still a matter of privilege.
    fn limit(self) -> Result<Stage<'a, Limited>, Failure> {
        if !self.entry.without.session {
            setsid().map_err(at(Step::Session))?;
        }
        let stdio = at(Step::Stdio);
        let [stdin, stdout, stderr] = self.entry.stdio;
        dup2_stdin(borrow(stdin)).map_err(&stdio)?;
        dup2_stdout(borrow(stdout)).map_err(&stdio)?;
        dup2_stderr(borrow(stderr)).map_err(&stdio)?;
        if let Some(library) = self.entry.library {
            rustix::io::fcntl_setfd(borrow(library), FdFlags::empty()).map_err(&stdio)?;
        }
        for (resource, soft, hard) in self.entry.rlimits {
            setrlimit(*resource, *soft, *hard).map_err(|error| at(Step::Rlimits)(errno(error)))?;
        }
        Ok(self.next())
    }
}

impl<'a> Stage<'a, Limited> {
    /// Before the job's files are touched: their names are a stranger's, and whatever trick one of
    /// them plays reaches no further than the job itself. The bounding set is empty already: the
    /// warden dropped it for itself and all its children when it started. A summoned process has got a full one
    /// with its user namespace.
    fn give_up_power(self) -> Result<Stage<'a, Powerless>, Failure> {
        if self.entry.summoned {
            drop_bounding_set().map_err(at(Step::Capabilities))?;
        }
        if let Identity::Host { job, .. } = self.entry.identity {
            become_id(job).map_err(at(Step::Identity))?;
        }
        if !self.entry.without.capabilities {
            drop_capabilities().map_err(at(Step::Capabilities))?;
        }
        Ok(self.next())
    }
}

impl<'a> Stage<'a, Powerless> {
    /// Writes the job's files as the job, within the job's limits of memory and disk.
    fn settle(self) -> Result<Stage<'a, Settled>, Failure> {
        rustix::process::umask(Mode::from_raw_mode(0o022));
        rustix::process::chdir(WORK).map_err(at(Step::Files))?;
        for folder in self.entry.folders {
            rustix::fs::mkdirat(CWD, folder.as_c_str(), Mode::from_raw_mode(0o755))
                .map_err(at(Step::Files))?;
        }
        let (contents, offset) = (borrow(self.entry.contents), self.entry.contents_offset);
        write_files(self.entry.files, offset, |target, offset, rest| {
            rustix::fs::sendfile(target, contents, Some(offset), rest)
        })?;
        Ok(self.next())
    }
}

/// Makes the files in the folder that this process is in; `copy` moves some of the bytes from `offset` on, at most so
/// many, and moves the offset with them.
pub(crate) fn write_files(
    files: &[FileSpec],
    mut offset: u64,
    mut copy: impl FnMut(&OwnedFd, &mut u64, usize) -> Result<usize, Errno>,
) -> Result<(), Failure> {
    for file in files {
        let mode = if file.executable { 0o755 } else { 0o644 };
        let target = rustix::fs::openat2(
            CWD,
            file.path.as_c_str(),
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC,
            Mode::from_raw_mode(mode),
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV,
        )
        .map_err(at(Step::Files))?;
        let end = offset + file.size;
        while offset < end {
            let rest = usize::try_from(end - offset).unwrap_or(usize::MAX);
            match copy(&target, &mut offset, rest) {
                Ok(0) => return Err(at(Step::Files)(Errno::NODATA)),
                Ok(_) => {}
                Err(error) => return Err(at(Step::Files)(error)),
            }
        }
    }
    Ok(())
}

impl<'a> Stage<'a, Settled> {
    /// The death signal comes after the change of uid, which clears it (prctl(2),
    /// PR_SET_PDEATHSIG). no_new_privs is what Landlock and seccomp ask of a process without power.
    fn tie(self) -> Result<Stage<'a, Tied>, Failure> {
        if self.entry.summoned {
            // The process between it and the template ends at once: then its parent is the cell's init.
            while rustix::process::getppid() != Some(Pid::INIT) {
                rustix::thread::sched_yield();
            }
            // As after exec: it is this process's own memory from here on.
            rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)
                .map_err(at(Step::Identity))?;
        }
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
            .map_err(at(Step::DeathSignal))?;
        if !self.entry.without.no_new_privs {
            rustix::thread::set_no_new_privs(true).map_err(at(Step::NoNewPrivs))?;
        }
        Ok(self.next())
    }
}

impl<'a> Stage<'a, Tied> {
    /// After the files, which it would keep from being written elsewhere; before seccomp, which does
    /// not allow its calls.
    fn fence(self) -> Result<Stage<'a, Fenced>, Failure> {
        let abi = self.entry.landlock_abi;
        if abi == 0 || self.entry.without.landlock {
            return Ok(self.next());
        }
        let landlock = at(Step::Landlock);
        let read = access::READ_FILE | access::READ_DIR;
        let mut own = access::READ_FILE
            | access::READ_DIR
            | access::WRITE_FILE
            | access::TRUNCATE
            | access::REMOVE_DIR
            | access::REMOVE_FILE
            | access::MAKE_DIR
            | access::MAKE_REG
            | access::MAKE_SOCK
            | access::MAKE_FIFO
            | access::MAKE_SYM
            | access::REFER;
        if self.entry.exec_workdir {
            own |= access::EXECUTE;
        }
        let device = access::READ_FILE | access::WRITE_FILE | access::READ_DIR | access::TRUNCATE;
        let ruleset = landlock::deny_everything(abi).map_err(&landlock)?;
        let visible = [
            (c"/", read),
            (c"/dev", device),
            (WORK, own),
            (c"/tmp", own),
            (c"/dev/shm", own),
        ];
        for folder in PROGRAMS {
            match rustix::fs::open(folder, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
                Ok(fd) => allow(&ruleset, &fd, access::EXECUTE, abi).map_err(&landlock)?,
                Err(Errno::NOENT) => {}
                Err(error) => return Err(landlock(error)),
            }
        }
        let env = self.entry.builds_env.then_some((c"/env", own));
        for (path, rights) in visible.into_iter().chain(env) {
            let folder = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
                .map_err(&landlock)?;
            allow(&ruleset, &folder, rights, abi).map_err(&landlock)?;
        }
        if self.entry.reaches == Network::Doors {
            for port in [HTTP_DOOR, SOCKS_DOOR] {
                landlock::allow_connect(std::os::fd::AsFd::as_fd(&ruleset), port, abi)
                    .map_err(&landlock)?;
            }
        }
        landlock::restrict_self(std::os::fd::AsFd::as_fd(&ruleset)).map_err(&landlock)?;
        Ok(self.next())
    }
}

fn allow(
    ruleset: &impl std::os::fd::AsFd,
    folder: &impl std::os::fd::AsFd,
    rights: u64,
    abi: u32,
) -> Result<(), Errno> {
    let (ruleset, folder): (BorrowedFd<'_>, BorrowedFd<'_>) = (ruleset.as_fd(), folder.as_fd());
    landlock::allow(ruleset, folder, rights, abi)
}

impl<'a> Stage<'a, Fenced> {
    /// Last of all: none of the calls above is needed afterwards, so none must be allowed.
    fn filter(self) -> Result<Stage<'a, Filtered>, Failure> {
        signals::reset_mask().map_err(at(Step::Seccomp))?;
        if self.entry.without.seccomp {
            return Ok(self.next());
        }
        let Filter {
            program, listens, ..
        } = self.entry.filter;
        let listener = seccomp::install(program, *listens).map_err(at(Step::Seccomp))?;
        self.entry.report.set_listener(listener);
        Ok(self.next())
    }
}

impl Stage<'_, Filtered> {
    fn exec(self) -> Failure {
        let image = self.entry.image;
        at(Step::Exec)(image.map_or(Errno::NOEXEC, Image::exec))
    }
}
