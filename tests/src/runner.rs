//! A runner as a real process, watched through its log.
//!
//! It must never outlive the test: it dies with the thread that started it, and
//! dropping it waits until the last of its processes is gone.

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::binary::glovebox_bin;
use crate::fleet::PATIENCE;
use crate::pen::Pen;
use crate::processes::Process;
use crate::services::Services;

/// How a runner is started.
#[derive(Debug, Clone, Copy, Default)]
pub struct How<'a> {
    /// Instead of `glovebox`, with the same arguments.
    pub program: Option<&'a str>,
    /// The cgroups in which it lives; the test's own if absent.
    pub pen: Option<&'a Pen>,
    /// A command that runs the rest of its arguments, such as `prlimit` with its options.
    pub through: &'a [&'a str],
    /// Besides `--name`.
    pub arguments: &'a [&'a str],
    /// Variables of the environment.
    pub variables: &'a [(&'a str, &'a str)],
    /// Its name; a new one if absent.
    pub name: Option<&'a str>,
    /// The folder for its spool; one of its own if absent.
    pub spool: Option<&'a Path>,
}

/// A running `glovebox runner`.
#[derive(Debug)]
pub struct Runner {
    /// As in results and in Redis.
    pub name: String,
    child: Child,
    /// Removed after it.
    _spool: TempDir,
    log: watch::Receiver<Log>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Log {
    lines: Vec<String>,
    /// Nobody holds the other end any more: every process of the runner is gone.
    ended: bool,
}

impl Runner {
    /// Starts one with these arguments besides `--name`. It is not ready yet.
    ///
    /// # Errors
    ///
    /// When the binary is not built.
    pub fn spawn(services: &Services, arguments: &[&str]) -> anyhow::Result<Self> {
        Self::start(
            services,
            How {
                arguments,
                ..How::default()
            },
        )
    }

    /// The same with variables in its environment.
    ///
    /// # Errors
    ///
    /// When the binary is not built.
    pub fn spawn_with(
        services: &Services,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        Self::start(
            services,
            How {
                arguments,
                variables,
                ..How::default()
            },
        )
    }

    /// Starts one in whichever way. It is not ready yet.
    ///
    /// # Errors
    ///
    /// When the binary is not built.
    pub fn start(services: &Services, how: How<'_>) -> anyhow::Result<Self> {
        let program = match how.program {
            Some(program) => program.into(),
            None => glovebox_bin()?,
        };
        let name = how.name.map_or_else(
            || format!("test-{}", uuid::Uuid::now_v7().simple()),
            str::to_owned,
        );
        let spool = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o755))
            .tempdir()?;
        // With the thread that starts it, so that a killed test leaves nothing.
        let mut command = Command::new("setpriv");
        if let Some(pen) = how.pen {
            command = pen.command();
            command.arg("setpriv");
        }
        let mut child = command
            .args(["--pdeathsig", "KILL"])
            .args(how.through)
            .arg(program)
            .args(["runner", "--name", &name])
            .args(how.arguments)
            .env("GLOVEBOX_AMQP_URL", &services.amqp_url)
            .env("GLOVEBOX_REDIS_URL", &services.redis_url)
            .env_remove("GLOVEBOX_LOG")
            .env("GLOVEBOX_SPOOL", how.spool.unwrap_or(spool.path()))
            .env("NO_COLOR", "1")
            .envs(how.variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("the runner could not be started")?;
        let stderr = child
            .stderr
            .take()
            .context("the runner's stderr is no pipe")?;
        let (sender, log) = watch::channel(Log::default());
        #[expect(
            clippy::disallowed_methods,
            reason = "this process forks nothing, and drop has to read on without a runtime"
        )]
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                sender.send_modify(|log| log.lines.push(line));
            }
            sender.send_modify(|log| log.ended = true);
        });
        Ok(Self {
            name,
            child,
            _spool: spool,
            log,
            reader: Some(reader),
        })
    }

    /// Waits until a line of its log, from line `from` on, contains `text`; gives the number of the next.
    ///
    /// # Errors
    ///
    /// When it ends or is silent instead; the error has the whole log.
    pub async fn says_from(&self, from: usize, text: &str) -> anyhow::Result<usize> {
        let mut log = self.log.clone();
        let mut found = None;
        let said = log.wait_for(|log| {
            let later = log.lines.iter().enumerate().skip(from);
            found = later
                .filter(|(_, line)| line.contains(text))
                .map(|(at, _)| at + 1)
                .next();
            found.is_some() || log.ended
        });
        // The outcome is in `found`, whichever way the wait ended.
        drop(timeout(PATIENCE, said).await);
        found.with_context(|| format!("the runner did not say {text:?}:\n{}", self.log()))
    }

    /// Waits until its log contains `text`.
    ///
    /// # Errors
    ///
    /// As [`says_from`](Self::says_from).
    pub async fn says(&self, text: &str) -> anyhow::Result<()> {
        self.says_from(0, text).await.map(drop)
    }

    /// Everything it has said.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.borrow().lines.join("\n")
    }

    /// The process that was started: the parent of the other two.
    #[must_use]
    pub fn supervisor(&self) -> Process {
        Process(i32::try_from(self.child.id()).unwrap_or(-1))
    }

    /// The process with the power.
    ///
    /// # Errors
    ///
    /// When there is none just now.
    pub fn warden(&self) -> anyhow::Result<Process> {
        self.part(|name| name == "glovebox-warden")
    }

    /// The process with the connections.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn worker(&self) -> anyhow::Result<Process> {
        self.part(|name| name != "glovebox-warden")
    }

    fn part(&self, wanted: impl Fn(&str) -> bool) -> anyhow::Result<Process> {
        for child in self.supervisor().children()? {
            if child.is_alive() && child.name().is_ok_and(|name| wanted(&name)) {
                return Ok(child);
            }
        }
        bail!("a part of the runner is not there:\n{}", self.log())
    }

    /// Supervisor, warden, worker, and every process of every job.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn everything(&self) -> anyhow::Result<Vec<Process>> {
        let mut all = vec![self.supervisor()];
        let mut next = 0;
        while let Some(process) = all.get(next) {
            all.extend(process.children()?);
            next += 1;
        }
        Ok(all)
    }

    /// Whether every process of it is gone.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.log.borrow().ended
    }

    /// The memory of all three processes, in KiB.
    ///
    /// # Errors
    ///
    /// When one is not there.
    pub fn memory_kib(&self) -> anyhow::Result<u64> {
        self.parts()?.into_iter().map(Process::memory_kib).sum()
    }

    /// The same without what comes from files.
    ///
    /// # Errors
    ///
    /// When one is not there.
    pub fn own_memory_kib(&self) -> anyhow::Result<u64> {
        self.parts()?.into_iter().map(Process::own_memory_kib).sum()
    }

    /// Supervisor, warden and worker.
    ///
    /// # Errors
    ///
    /// When one is not there.
    pub fn parts(&self) -> anyhow::Result<[Process; 3]> {
        Ok([self.supervisor(), self.warden()?, self.worker()?])
    }

    /// Lets every job that waits for `SIGUSR1` go on.
    ///
    /// # Errors
    ///
    /// When no job is running.
    pub fn release(&self) -> anyhow::Result<()> {
        let jobs = self.warden()?.leaves()?;
        if jobs.is_empty() {
            bail!("no job is running:\n{}", self.log());
        }
        jobs.into_iter()
            .try_for_each(|job| job.signal(Signal::SIGUSR1))
    }

    /// Tells it to stop.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.supervisor().signal(Signal::SIGTERM)
    }

    /// Waits until every process of it is gone; gives the exit code, or 128 + the signal that ended it.
    ///
    /// # Errors
    ///
    /// When one stays.
    pub async fn ended(&mut self) -> anyhow::Result<i32> {
        use std::os::unix::process::ExitStatusExt as _;
        let ended = self.log.wait_for(|log| log.ended);
        let gone = timeout(PATIENCE, ended).await.map(drop);
        if gone.is_err() {
            bail!("the runner did not end:\n{}", self.log());
        }
        let status = self.child.wait()?;
        let signal = status.signal().map(|signal| 128 + signal);
        status.code().or(signal).context("no exit code")
    }

    /// Stops it in order and checks that it calls that a success.
    ///
    /// # Errors
    ///
    /// When it ends otherwise.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.terminate()?;
        match self.ended().await? {
            0 => Ok(()),
            code => bail!("exit code {code}:\n{}", self.log()),
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
        let deadline = Instant::now() + Duration::from_secs(30);
        let Some(reader) = self.reader.take() else {
            return;
        };
        while !reader.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(
            reader.is_finished() || std::thread::panicking(),
            "a process of the runner outlived it:\n{}",
            self.log()
        );
    }
}
