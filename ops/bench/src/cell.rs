//! The same program in a cell of a kept slot, through the warden, as the runner does it.

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use glovebox_cell::protocol::{self, Event, Request};
use glovebox_cell::{Ending, Launch, Limits, Link};

/// A line to a warden with one slot.
pub(crate) struct Cells {
    warden: OwnedFd,
    limits: Limits,
    ticket: u64,
}

impl Cells {
    /// Waits until the warden is ready.
    pub(crate) fn open(link: Link, limits: Limits) -> anyhow::Result<Cells> {
        let socket = link.into_socket();
        let warden = Link::next_warden(socket.as_fd())?;
        match protocol::receive(warden.as_fd())? {
            Some((Event::Ready { .. }, _)) => {}
            other => bail!("the warden is not ready: {other:?}"),
        }
        Ok(Cells {
            warden,
            limits,
            ticket: 0,
        })
    }

    /// CPU time of the warden and of all its cells so far (proc_pid_stat(5): in ticks of 10 ms, so that
    /// only a sum over many cells means anything).
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let mine = std::os::unix::process::parent_id();
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
                continue;
            };
            let Some((name, rest)) = stat.rsplit_once(')') else {
                continue;
            };
            let fields: Vec<u64> = rest
                .split_whitespace()
                .map(|field| field.parse().unwrap_or(0))
                .collect();
            let is_ours = fields.get(1) == Some(&u64::from(mine));
            if is_ours && name.ends_with("(glovebox-warden") {
                let ticks: u64 = fields.iter().skip(11).take(4).sum();
                return Ok(Duration::from_millis(ticks * 10));
            }
        }
        bail!("the warden is not among the supervisor's children")
    }

    /// Runs `argv` in a fresh cell, reads its output, waits for its end.
    pub(crate) fn once(&mut self, argv: &[&str]) -> anyhow::Result<Duration> {
        let start = Instant::now();
        self.ticket += 1;
        let argv: Vec<CString> = argv
            .iter()
            .map(|word| CString::new(*word))
            .collect::<Result<_, _>>()?;
        let launch = Launch {
            blueprint: 0,
            limits: self.limits,
            argv,
            env: vec![c"PATH=/usr/bin:/bin".into(), c"LANG=C.UTF-8".into()],
            files: vec![],
            outputs: vec![],
            outputs_bytes: 0,
            warm: false,
        };
        let (memfd, launch_bytes) = protocol::pack(&launch, &[])?;
        let stdin = OwnedFd::from(File::open("/dev/null")?);
        let (out, out_end) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
        let (err, err_end) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
        let beside = [&stdin, &out_end, &err_end, &memfd].map(AsFd::as_fd);
        let request = Request::Launch {
            slot: 0,
            ticket: self.ticket,
            launch_bytes,
        };
        protocol::send(self.warden.as_fd(), &request, &beside)?;
        drop((out_end, err_end));
        let mut output = Vec::new();
        File::from(out).read_to_end(&mut output)?;
        File::from(err).read_to_end(&mut output)?;
        let (event, _) = protocol::receive(self.warden.as_fd())?.context("the warden is gone")?;
        let took = start.elapsed();
        match event {
            Event::Ended { evidence, .. } => {
                ensure!(
                    evidence.ending == Ending::Code(0),
                    "the cell ended as {:?}: {}",
                    evidence.ending,
                    String::from_utf8_lossy(&output)
                );
                Ok(took)
            }
            other => bail!("no cell: {other:?}"),
        }
    }
}
