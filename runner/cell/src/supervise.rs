//! Two processes, two powers: this one starts both, and starts the warden anew when it dies.
//!
//! The calling process stays behind as their parent: it does nothing but wait for signals, so that
//! there is always somebody with the power to start a warden and to sweep what one left. Must run
//! before any thread exists.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, WaitOptions, wait, waitpid};

use crate::cgroup;
use crate::enter::{become_id, drop_bounding_set, drop_capabilities};
use crate::protocol;
use crate::sys::fork::{Forked, exit_now, fork};
use crate::warden::{self, WardenConfig};

/// Travels beside a warden's socket; an empty packet would look like the end of the line.
const HERE: u8 = 1;

/// Exit code when the worker could not be started in its unprivileged state.
const WORKER_BROKEN: i32 = 5;

/// The worker's end of its line to the supervisor: sockets of wardens arrive here.
#[derive(Debug)]
pub struct Link {
    socket: OwnedFd,
}

/// Why a worker got no warden.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The supervisor is gone.
    #[error("the supervisor is gone")]
    Orphaned,
    /// The line is broken.
    #[error("receiving a warden's socket")]
    Line(#[source] nix::Error),
}

impl Link {
    /// The socket on which wardens' sockets arrive; the first is on its way from the start.
    #[must_use]
    pub fn into_socket(self) -> OwnedFd {
        self.socket
    }

    /// Takes the next warden's socket from what [`Link::into_socket`] gave. Blocks unless that was
    /// made non-blocking.
    ///
    /// # Errors
    /// When the supervisor is gone or the line is broken, `EAGAIN` included.
    pub fn next_warden(socket: BorrowedFd<'_>) -> Result<OwnedFd, WorkerError> {
        match protocol::receive::<u8>(socket) {
            Ok(Some((_, mut descriptors))) => descriptors.pop().ok_or(WorkerError::Orphaned),
            Ok(None) => Err(WorkerError::Orphaned),
            Err(error) => Err(WorkerError::Line(error)),
        }
    }
}

/// Runs `worker` without any power beside a warden with all of it, until the worker returns; gives
/// the worker's exit code.
///
/// SIGTERM, SIGINT and SIGHUP are passed on to the worker. Both die with this process.
///
/// # Errors
/// When a process can't be made.
pub fn supervise(config: &WardenConfig, worker: impl FnOnce(Link) -> i32) -> std::io::Result<i32> {
    let mut mask = SigSet::empty();
    for signal in [
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
    ] {
        mask.add(signal);
    }
    mask.thread_block()?;
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    raise_open_files()?;
    let (ours, theirs) = protocol::pair()?;
    let worker_pid = match fork(0, None)? {
        Forked::Parent { pid, .. } => pid,
        Forked::Child => {
            drop((ours, signals));
            run_worker(config, theirs, worker)
        }
    };
    drop(theirs);
    let mut supervisor = Supervisor {
        config,
        link: ours,
        worker: worker_pid,
        warden: None,
        pause: FIRST_PAUSE,
    };
    supervisor.start_warden()?;
    supervisor.watch(&signals)
}

/// For both: a slot in use takes about twenty descriptors of the warden's, and of the worker's over a hundred if its
/// job opens all the connections that it may. The usual 1,024 would be gone with eight such jobs.
fn raise_open_files() -> std::io::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}

fn run_worker(config: &WardenConfig, socket: OwnedFd, worker: impl FnOnce(Link) -> i32) -> ! {
    let code = match become_worker(config) {
        Ok(()) => worker(Link { socket }),
        Err(error) => {
            let line = format!("glovebox: the runner could not give up its power: {error}\n");
            // If stderr is gone, the exit code has to say it alone.
            rustix::io::write(rustix::stdio::stderr(), line.as_bytes()).unwrap_or_default();
            WORKER_BROKEN
        }
    };
    std::process::exit(code)
}

fn become_worker(config: &WardenConfig) -> std::io::Result<()> {
    // A Ctrl-C in the terminal goes to its whole process group: the worker leaves that, so that each
    // signal reaches it once, through the supervisor.
    rustix::process::setpgid(None, None)?;
    become_unprivileged(config.uid_base)?;
    // After the change of uid, which clears it.
    let death = Some(rustix::process::Signal::KILL);
    rustix::process::set_parent_process_death_signal(death)?;
    SigSet::empty().thread_set_mask()?;
    Ok(())
}

/// The runner reads what strangers sent: it keeps no id of the host's and no capability. An ordinary
/// user's runner keeps the user's id.
fn become_unprivileged(uid_base: Option<u32>) -> Result<(), rustix::io::Errno> {
    if warden::is_privileged() {
        drop_bounding_set()?;
        become_id(warden::id_base(
            uid_base,
            std::os::unix::process::parent_id(),
        ))?;
    }
    drop_capabilities()?;
    rustix::thread::set_no_new_privs(true)
}

struct Supervisor<'a> {
    config: &'a WardenConfig,
    link: OwnedFd,
    worker: Pid,
    warden: Option<Pid>,
    /// How long to wait before the next warden is started, while there is none.
    pause: Duration,
}

/// The pause before the first restart of a warden; it doubles with each until the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Supervisor<'_> {
    /// Forks a warden and sends its socket to the worker.
    fn start_warden(&mut self) -> std::io::Result<()> {
        let (wardens, workers) = protocol::pair()?;
        match fork(0, None)? {
            Forked::Parent { pid, .. } => self.warden = Some(pid),
            Forked::Child => {
                drop(workers);
                rustix::thread::set_name(c"glovebox-warden").unwrap_or_default();
                exit_now(warden::run(self.config, &wardens))
            }
        }
        // A worker that has just ended is seen by the caller's next wait.
        protocol::send(self.link.as_fd(), &HERE, &[workers.as_fd()]).unwrap_or_default();
        Ok(())
    }

    fn watch(&mut self, signals: &SignalFd) -> std::io::Result<i32> {
        loop {
            if let Some(code) = self.reap()? {
                return Ok(code);
            }
            let fd = signals.as_fd();
            let pause = Timespec {
                tv_sec: i64::try_from(self.pause.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(self.pause.subsec_nanos()),
            };
            let timeout = self.warden.is_none().then_some(&pause);
            match poll(&mut [PollFd::new(&fd, PollFlags::IN)], timeout) {
                Ok(0) => {
                    self.pause = LONGEST_PAUSE.min(self.pause * 2);
                    self.start_warden()?;
                }
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            while let Some(signal) = signals.read_signal()? {
                self.pass_on(signal.ssi_signo);
            }
        }
    }

    fn pass_on(&self, number: u32) {
        let signal = match i32::try_from(number).map(Signal::try_from) {
            Ok(Ok(Signal::SIGTERM)) => rustix::process::Signal::TERM,
            Ok(Ok(Signal::SIGINT)) => rustix::process::Signal::INT,
            Ok(Ok(Signal::SIGHUP)) => rustix::process::Signal::HUP,
            _ => return,
        };
        // A worker that has just ended is reaped in the next turn.
        rustix::process::kill_process(self.worker, signal).unwrap_or_default();
    }

    /// Reaps both children as they end. The worker's end is the end; a warden's is mended.
    fn reap(&mut self) -> std::io::Result<Option<i32>> {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.worker => {
                    self.bury_warden()?;
                    let code = status.exit_status();
                    let signal = status.terminating_signal().map(|signal| 128 + signal);
                    return Ok(code.or(signal));
                }
                // Whatever ended it: another one is started after a pause, as long as the worker lives.
                Ok(Some((pid, _))) if Some(pid) == self.warden => self.warden = None,
                Ok(Some(_)) => {}
                Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(None),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The worker is gone, so the warden's socket is closed and it ends by itself; wait for it, since
    /// nothing may be left when we return. One that was killed leaves its cgroups: they are swept.
    fn bury_warden(&self) -> std::io::Result<()> {
        let mut in_order = false;
        if let Some(pid) = self.warden {
            in_order = loop {
                match waitpid(Some(pid), WaitOptions::empty()) {
                    Err(rustix::io::Errno::INTR) => {}
                    Ok(status) => {
                        break status.is_some_and(|(_, status)| status.exit_status() == Some(0));
                    }
                    Err(rustix::io::Errno::CHILD) => break false,
                    Err(error) => return Err(error.into()),
                }
            };
        }
        if !in_order {
            cgroup::sweep_stale(&cgroup::locate());
        }
        Ok(())
    }
}
