//! Launching: a plan in, evidence out. Talks to the warden and reads what the program prints.
//!
//! Every byte read here is hostile and bounded. Must never wait for the program's goodwill: the end
//! of a run is what the warden says, not the end of its output.

mod capture;
mod client;
mod files;

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use glovebox_cell::{Ending, Evidence, FileSpec, KillReason, Launch, Layer, Link, Step};
use glovebox_schemas::result::ErrorInfo;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::cancel::Registration;
use crate::plan::{Plan, Run};
use crate::result::Tap;
pub(crate) use capture::Captured;
pub(crate) use client::Line;
pub(crate) use files::File;

/// Why a cell could not be had. Always our failure.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// This host can't isolate as asked.
    #[error("this host can't isolate: {message}")]
    Unable {
        /// What is missing.
        message: String,
        /// How to mend it.
        mend: String,
    },
    /// A step on the way into the cell failed.
    #[error("{}: {}", step.label(), std::io::Error::from_raw_os_error(*errno))]
    Step {
        /// Which.
        step: Step,
        /// The kernel's answer.
        errno: i32,
    },
    /// The warden died while the cell was alive.
    #[error("the warden died")]
    WardenDied,
    /// The cell's init was killed by something that is not ours.
    #[error("the cell vanished: something on the host killed it")]
    Vanished,
    /// A pipe or memfd could not be made.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

impl LaunchError {
    /// For the result document: a stable code, what failed, and the mend.
    pub(crate) fn to_info(&self) -> ErrorInfo {
        let (code, hint) = match self {
            LaunchError::Unable { mend, .. } => ("host_cannot_isolate", mend.clone()),
            LaunchError::Step { step, .. } => ("cell_not_built", step.mend().to_owned()),
            LaunchError::WardenDied => ("warden_died", "look at the runner's log".to_owned()),
            LaunchError::Vanished => (
                "cell_vanished",
                "look at the kernel's log: the host itself may be out of memory".to_owned(),
            ),
            LaunchError::Io { .. } => (
                "runner_out_of_resources",
                "raise the runner's limit of open files, or free memory".to_owned(),
            ),
        };
        let cause = std::error::Error::source(self).map_or(String::new(), |e| format!(": {e}"));
        ErrorInfo {
            code: code.to_owned(),
            message: format!("{self}{cause}"),
            hint,
        }
    }
}

/// For `map_err`: what was being done.
fn io(doing: &'static str) -> impl Fn(std::io::Error) -> LaunchError {
    move |source| LaunchError::Io { doing, source }
}

/// What [`LaunchError::Vanished`] says in a result.
pub(crate) fn vanished() -> ErrorInfo {
    LaunchError::Vanished.to_info()
}

/// What became of a plan.
pub(crate) enum Launched {
    /// Its runs ended, each with what is known of it.
    Ended(Vec<RunEnded>),
    /// The runner is stopping: the job is to be given back.
    Interrupted,
}

/// One run that ended.
#[derive(Clone, Debug)]
pub(crate) struct RunEnded {
    pub(crate) evidence: Evidence,
    pub(crate) stdout: Captured,
    pub(crate) stderr: Captured,
    pub(crate) files: Vec<File>,
    pub(crate) started_at: jiff::Timestamp,
}

impl RunEnded {
    /// Whether more was printed or left to hand back than the limit allows.
    pub(crate) fn over_limit(&self) -> bool {
        self.stdout.truncated || self.stderr.truncated || self.files.iter().any(|file| file.omitted)
    }
}

/// The slots and the line to the warden.
pub(crate) struct Cells {
    line: Line,
    layers: Vec<Layer>,
    permits: Semaphore,
    free: Mutex<Vec<u16>>,
    tickets: AtomicU64,
    slots: u16,
}

/// Why a job was not given a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSlot {
    /// The runner stops.
    Stopping,
    /// The job's owner has cancelled it.
    Cancelled,
}

/// A slot in use; free again when dropped.
pub(crate) struct Slot<'a> {
    number: u16,
    cells: &'a Cells,
    _permit: SemaphorePermit<'a>,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        // Before the permit goes back, so that whoever gets that finds a number.
        self.cells.free().push(self.number);
    }
}

impl Cells {
    /// Waits for the first warden to be ready.
    ///
    /// # Errors
    /// [`LaunchError::Unable`] when this host can't isolate as asked.
    pub(crate) async fn open(link: Link, slots: u16) -> Result<Cells, LaunchError> {
        let (line, layers) = Line::open(link).await?;
        Ok(Cells {
            line,
            layers,
            permits: Semaphore::new(usize::from(slots)),
            free: Mutex::new((0..slots).rev().collect()),
            tickets: AtomicU64::new(1),
            slots,
        })
    }

    /// The isolation layers in force.
    pub(crate) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// How many slots there are, and how many are in use.
    pub(crate) fn load(&self) -> (u16, u16) {
        let free = u16::try_from(self.permits.available_permits()).unwrap_or(self.slots);
        (self.slots, self.slots.saturating_sub(free))
    }

    /// Waits for a slot, as long as the job is to be started.
    pub(crate) async fn take_slot(&self, registration: &Registration) -> Result<Slot<'_>, NoSlot> {
        let permit = tokio::select! {
            // A runner that stops starts nothing, free slots or not.
            biased;
            () = registration.stopping() => return Err(NoSlot::Stopping),
            () = registration.cancelled() => return Err(NoSlot::Cancelled),
            permit = self.permits.acquire() => permit.map_err(|_| NoSlot::Stopping)?,
        };
        let number = self.free().pop().ok_or(NoSlot::Stopping)?;
        Ok(Slot {
            number,
            cells: self,
            _permit: permit,
        })
    }

    fn free(&self) -> MutexGuard<'_, Vec<u16>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a plan, one run after the other, each in a fresh cell of the slot.
    pub(crate) async fn launch(
        &self,
        slot: &Slot<'_>,
        plan: &Plan,
        registration: &Registration,
        tap: Option<Tap>,
    ) -> Result<Launched, LaunchError> {
        let slot = slot.number;
        let mut ended = Vec::with_capacity(plan.runs.len());
        for run in &plan.runs {
            let one = self.run(slot, plan, run, registration, tap.clone()).await?;
            match one.evidence.ending {
                Ending::Killed(KillReason::Shutdown) => return Ok(Launched::Interrupted),
                Ending::Vanished => return Err(LaunchError::Vanished),
                Ending::Killed(KillReason::Cancelled) => {
                    ended.push(one);
                    break;
                }
                _ => ended.push(one),
            }
        }
        Ok(Launched::Ended(ended))
    }

    async fn run(
        &self,
        slot: u16,
        plan: &Plan,
        run: &Run,
        registration: &Registration,
        tap: Option<Tap>,
    ) -> Result<RunEnded, LaunchError> {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let (stdin, feed) = capture::stdin(&run.stdin)?;
        let (stdout, stdout_end) = capture::pipe()?;
        let (stderr, stderr_end) = capture::pipe()?;
        let (files, files_end) = match plan.outputs.is_empty() {
            true => (None, None),
            false => capture::pipe().map(|(ours, theirs)| (Some(ours), Some(theirs)))?,
        };
        let contents: Vec<&[u8]> = plan
            .files
            .iter()
            .map(|(_, bytes)| bytes.as_slice())
            .collect();
        let (memfd, launch_bytes) = glovebox_cell::protocol::pack(&launch(plan, run), &contents)
            .map_err(io("packing the launch"))?;
        let beside: Vec<&OwnedFd> = [&stdin, &stdout_end, &stderr_end, &memfd]
            .into_iter()
            .chain(&files_end)
            .collect();
        let started_at = jiff::Timestamp::now();
        let cell = self
            .line
            .launch(slot, ticket, launch_bytes, &beside)
            .await?;
        drop((stdin, stdout_end, stderr_end, files_end, memfd));

        let flooded = Arc::new(tokio::sync::Notify::new());
        let most = usize::try_from(plan.output_bytes).unwrap_or(usize::MAX);
        let out_tap = tap.clone().map(|tap| tap.of(capture::STDOUT));
        let err_tap = tap.map(|tap| tap.of(capture::STDERR));
        let (evidence, stdout, stderr, files, ()) = tokio::join!(
            self.attend(cell, slot, ticket, registration, &flooded),
            capture::read(stdout, most, out_tap, &flooded),
            capture::read(stderr, most, err_tap, &flooded),
            files::read(files, plan.output_bytes),
            capture::feed(feed, &run.stdin),
        );
        Ok(RunEnded {
            evidence: evidence?,
            stdout,
            stderr,
            files: files.map_err(io("reading the job's output files"))?,
            started_at,
        })
    }

    /// Waits for the end that the warden reports, and passes on what ends the cell before its time.
    async fn attend(
        &self,
        mut cell: client::CellHandle,
        slot: u16,
        ticket: u64,
        registration: &Registration,
        flooded: &tokio::sync::Notify,
    ) -> Result<Evidence, LaunchError> {
        let reason = tokio::select! {
            ended = cell.ended() => return ended,
            () = flooded.notified() => KillReason::Output,
            () = registration.cancelled() => KillReason::Cancelled,
            () = registration.interrupted() => KillReason::Shutdown,
        };
        self.line.kill(slot, ticket, reason).await;
        cell.ended().await
    }
}

fn launch(plan: &Plan, run: &Run) -> Launch {
    Launch {
        blueprint: plan.blueprint,
        limits: plan.limits,
        argv: run.argv.clone(),
        env: plan.env.clone(),
        files: plan
            .files
            .iter()
            .map(|(path, content)| FileSpec {
                path: path.clone(),
                size: content.len() as u64,
                executable: false,
            })
            .collect(),
        outputs: plan.outputs.clone(),
        outputs_bytes: plan.output_bytes,
    }
}

/// Lends each descriptor.
fn lend<'a>(descriptors: &'a [&OwnedFd]) -> Vec<std::os::fd::BorrowedFd<'a>> {
    descriptors.iter().map(|fd| fd.as_fd()).collect()
}
