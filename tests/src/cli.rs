//! The command `glovebox` itself: started in a pen, fed, read, watched, and searched afterwards.
//!
//! Whatever a run leaves on the host fails the test that ran it. Must never wait for a time: a
//! watchdog ends what hangs, and that is a failure.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::spawn;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub use crate::ended::Ended;
use crate::glovebox_bin;
use crate::pen::Pen;
use crate::remains;

/// Nothing that these tests do takes as long, however busy the host.
const WATCHDOG: Duration = Duration::from_secs(120);
/// What is killed without anybody to wait for it is gone long before.
const REMAINS: Duration = Duration::from_secs(10);
/// An ordinary user of the host.
pub const ORDINARY_USER: u32 = 1234;

/// A call of the command, not started yet. It runs in an empty folder of its own.
#[derive(Debug)]
pub struct Cli {
    args: Vec<String>,
    files: Vec<(String, Vec<u8>)>,
    stdin: Vec<u8>,
    user: Option<u32>,
    env: Vec<(String, String)>,
    /// Another program than `glovebox`, and words before it.
    program: Option<PathBuf>,
    prefix: Vec<String>,
}

impl Cli {
    /// `glovebox` with these arguments.
    #[must_use]
    pub fn new(args: &[&str]) -> Cli {
        Cli {
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            files: Vec::new(),
            stdin: Vec::new(),
            user: None,
            env: Vec::new(),
            program: None,
            prefix: Vec::new(),
        }
    }

    /// Another program in place of `glovebox`.
    #[must_use]
    pub fn program(mut self, path: impl Into<PathBuf>) -> Cli {
        self.program = Some(path.into());
        self
    }

    /// Through a command that becomes, or starts, the program that follows it.
    #[must_use]
    pub fn through(mut self, words: &[String]) -> Cli {
        self.prefix.extend_from_slice(words);
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args(mut self, args: &[&str]) -> Cli {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// A file in the folder that it runs in.
    #[must_use]
    pub fn file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Cli {
        self.files.push((name.to_owned(), content.into()));
        self
    }

    /// A variable in its own environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Cli {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What it reads on its own stdin.
    #[must_use]
    pub fn stdin(mut self, content: impl Into<Vec<u8>>) -> Cli {
        self.stdin = content.into();
        self
    }

    /// As [`ORDINARY_USER`], without any power.
    #[must_use]
    pub fn as_user(mut self) -> Cli {
        self.user = Some(ORDINARY_USER);
        self
    }

    /// Starts it.
    #[must_use]
    pub fn spawn(self) -> Running {
        self.spawn_in(Pen::new())
    }

    /// Starts it where another one has been, which is over but was not waited for.
    #[must_use]
    pub fn spawn_after(self, before: Running) -> Running {
        let Running { pen, .. } = before;
        self.spawn_in(pen)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a thread that feeds a pipe; nothing forks here"
    )]
    fn spawn_in(self, pen: Pen) -> Running {
        let folder = tempfile::tempdir().expect("a temporary folder");
        open_up(folder.path());
        let work = folder.path().join("here");
        fs::create_dir(&work).expect("a folder to run in");
        open_up(&work);
        for (name, content) in &self.files {
            fs::write(work.join(name), content).expect("a file to run with");
        }
        let glovebox = || glovebox_bin().expect("glovebox is built");
        let mut binary = self.program.clone().unwrap_or_else(glovebox);
        if self.user.is_some() {
            // The folder that it was built in may be closed to the user.
            let copy = folder.path().join("glovebox");
            fs::copy(&binary, &copy).expect("copying glovebox");
            open_up(&copy);
            binary = copy;
        }
        let mut command = pen.command();
        command.args(&self.prefix);
        if let Some(user) = self.user {
            command.args(["setpriv", "--clear-groups"]);
            command.args([format!("--reuid={user}"), format!("--regid={user}")]);
        }
        let mounts = remains::mounts();
        let mut child = command
            .arg(binary)
            .args(&self.args)
            .current_dir(&work)
            .env_remove("GLOVEBOX_POLICIES")
            .env_remove("GLOVEBOX_UID_BASE")
            .env_remove("GLOVEBOX_LOG")
            .env("SECRET_OF_THE_HOST", "must not be seen")
            .envs(self.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("/bin/sh starts");
        let mut stdin = child.stdin.take().expect("a pipe was asked for");
        let content = self.stdin;
        // One that does not read its stdin closes it: no failure.
        spawn(move || stdin.write_all(&content).unwrap_or_default());
        let (sender, chunks) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let never = Arc::new(AtomicBool::new(false));
        read(
            child.stdout.take(),
            Stream::Stdout,
            sender.clone(),
            Arc::clone(&stop),
        );
        read(child.stderr.take(), Stream::Stderr, sender, never);
        Running {
            child,
            pen,
            folder,
            chunks,
            stdout: Vec::new(),
            stderr: Vec::new(),
            mounts,
            deadline: Instant::now() + WATCHDOG,
            stop,
        }
    }

    /// Starts it and waits for its end. Nothing may be left then.
    #[must_use]
    pub fn finish(self) -> Ended {
        self.spawn().finish()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

/// Passes chunks on until the last holder of the pipe's other end has closed it.
#[expect(
    clippy::disallowed_methods,
    reason = "a thread that reads a pipe; nothing forks here"
)]
fn read(
    from: Option<impl Read + Send + 'static>,
    stream: Stream,
    to: Sender<(Stream, Vec<u8>)>,
    stop: Arc<AtomicBool>,
) {
    let mut from = from.expect("a pipe was asked for");
    spawn(move || {
        let mut chunk = vec![0; 65536];
        while let Ok(length @ 1..) = from.read(&mut chunk) {
            let bytes = chunk.get(..length).unwrap_or_default().to_vec();
            if to.send((stream, bytes)).is_err() || stop.load(Ordering::Relaxed) {
                break;
            }
        }
    });
}

/// A call of the command that was started.
#[derive(Debug)]
pub struct Running {
    child: Child,
    pen: Pen,
    folder: TempDir,
    chunks: Receiver<(Stream, Vec<u8>)>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    mounts: BTreeSet<String>,
    deadline: Instant,
    stop: Arc<AtomicBool>,
}

impl Running {
    /// The command's own process.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The processes in it, cells included, that are called so.
    #[must_use]
    pub fn processes_named(&self, name: &str) -> Vec<Pid> {
        let is_named = |pid: &Pid| {
            let path = format!("/proc/{}/comm", pid.as_raw_nonzero());
            fs::read_to_string(path).is_ok_and(|comm| comm.trim_end() == name)
        };
        self.pen.processes().into_iter().filter(is_named).collect()
    }

    /// Its warden. The inits of its cells have the same name, but another parent.
    #[must_use]
    pub fn warden(&self) -> Pid {
        let named = self.processes_named("glovebox-warden");
        let children = self.children_of(self.pid());
        let warden = children.iter().find(|child| named.contains(child));
        *warden.expect("it has a warden")
    }

    /// The processes in it whose parent is this one.
    #[must_use]
    pub fn children_of(&self, parent: Pid) -> Vec<Pid> {
        let parent = parent.as_raw_nonzero().to_string();
        let is_child = |pid: &Pid| {
            let path = format!("/proc/{}/status", pid.as_raw_nonzero());
            let status = fs::read_to_string(path).unwrap_or_default();
            let field = status.lines().find_map(|line| line.strip_prefix("PPid:"));
            field.is_some_and(|value| value.trim() == parent)
        };
        self.pen.processes().into_iter().filter(is_child).collect()
    }

    /// Waits until this many processes in it are called so, which has no event to wait for: looks
    /// again and again.
    pub fn wait_for_processes(&self, name: &str, count: usize) {
        while self.processes_named(name).len() < count {
            assert!(
                Instant::now() < self.deadline,
                "there are never {count} of {name}"
            );
            std::thread::yield_now();
        }
    }

    /// Stops reading, as `head` does.
    pub fn close_stdout(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Sends a signal to the command's own process.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it lives");
    }

    /// Waits until it has printed this; gives all of stdout so far.
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            let so_far = String::from_utf8_lossy(&self.stdout).into_owned();
            if so_far.contains(text) {
                return so_far;
            }
            assert!(
                self.pump(),
                "it ended without printing {text:?}:\n{so_far}\n{}",
                String::from_utf8_lossy(&self.stderr)
            );
        }
    }

    /// Takes one chunk of output. False at the end of both streams.
    fn pump(&mut self) -> bool {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.chunks.recv_timeout(left) {
            Ok((Stream::Stdout, chunk)) => self.stdout.extend(chunk),
            Ok((Stream::Stderr, chunk)) => self.stderr.extend(chunk),
            Err(Disconnected) => return false,
            Err(Timeout) => panic!(
                "it hangs; in its pen: {:#?}\nstdout: {}\nstderr: {}",
                self.pen.leftovers(),
                String::from_utf8_lossy(&self.stdout),
                String::from_utf8_lossy(&self.stderr)
            ),
        }
        true
    }

    /// Kills every process of the command itself at once, as a power cut does; its cells have to end by
    /// themselves. Reaps the first.
    pub fn cut_power(&mut self) {
        let mut own = self.children_of(self.pid());
        own.push(self.pid());
        for pid in own {
            match kill_process(pid, Signal::KILL) {
                // The warden ends by itself as soon as the worker is gone, and may be quicker than we are.
                Ok(()) | Err(Errno::SRCH) => {}
                Err(error) => panic!("{pid:?} can't be killed: {error}"),
            }
        }
        self.child.wait().expect("a child can be waited for");
        assert!(
            self.pen.wait_until_empty(REMAINS),
            "processes outlive the command: {:#?}",
            self.pen.leftovers()
        );
    }

    /// Waits for its end. Nothing may be left at that moment.
    #[must_use]
    pub fn finish(mut self) -> Ended {
        self.end(false)
    }

    /// Waits for the end of one of whose own processes one was killed: nobody is left who could wait
    /// for the rest, so the rest may end a moment later.
    #[must_use]
    pub fn finish_killed(mut self) -> Ended {
        self.end(true)
    }

    fn end(&mut self, killed: bool) -> Ended {
        while self.pump() {}
        let status = self.child.wait().expect("a child can be waited for");
        if killed {
            self.pen.wait_until_empty(REMAINS);
        }
        let ended = Ended {
            status,
            stdout: std::mem::take(&mut self.stdout),
            stderr: std::mem::take(&mut self.stderr),
        };
        let mut left = self.leftovers();
        // A process that is ending has left its cgroup already, and there is no event to wait for.
        let patience = Instant::now() + REMAINS;
        while killed && !left.is_empty() && Instant::now() < patience {
            std::thread::yield_now();
            left = self.leftovers();
        }
        assert!(left.is_empty(), "left on the host: {left:#?}\n{ended}");
        ended
    }

    fn leftovers(&self) -> Vec<String> {
        let mut left = self.pen.leftovers();
        left.extend(remains::of(self.child.id()));
        let new = remains::mounts()
            .difference(&self.mounts)
            .cloned()
            .collect::<Vec<_>>();
        left.extend(new.iter().map(|mount| format!("mount {mount}")));
        left
    }
}

impl Running {
    /// The names in the folder that it runs in.
    #[must_use]
    pub fn folder(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join("here")).into_iter();
        let names = entries.flatten().flatten().map(|entry| entry.file_name());
        let mut names: Vec<_> = names.map(|n| n.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn open_up(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
}
