//! Launching: a plan in, evidence out. Talks to the warden and reads what the program prints.
//!
//! Every byte read here is hostile and bounded. Must never wait for the program's goodwill: the end
//! of a run is what the warden says, not the end of its output.

mod capture;
mod client;
mod files;
mod line;
mod run;
mod runs;

use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use glovebox_cell::{Ending, Evidence, KillReason, Layer, Link, Step};
use glovebox_gate::{Account, Gate};
use glovebox_schemas::result::ErrorInfo;

use crate::cancel::Registration;
use crate::order::{Lane, Place};
use crate::outcome::Assessment;
use crate::plan::{Input, Plan};
use crate::result::Tap;
use crate::stage::Watch;
pub(crate) use capture::{Captured, Keep};
pub(crate) use client::Line;
pub(crate) use files::File;
pub(crate) use line::{Line as Queue, Slot};
pub(crate) use run::Order;
use runs::Runs;

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
    Ended(Box<Ended>),
    /// The runner is stopping: the job is to be given back.
    Interrupted,
}

/// Why a job's cells were left before they had all been run.
enum Early {
    /// It is to be given back.
    Interrupted,
    /// One could not be had.
    Failed(LaunchError),
}

impl From<LaunchError> for Early {
    fn from(error: LaunchError) -> Early {
        Early::Failed(error)
    }
}

/// The cells of a job, each with what it left.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// The compiler's, if there is one. If it failed, nothing else was started.
    pub(crate) compile: Option<RunEnded>,
    /// That of the checker's compiler, if there is one. If it failed, nothing else was started.
    pub(crate) checker: Option<RunEnded>,
    pub(crate) runs: Vec<RunEnded>,
}

/// One run that ended.
#[derive(Clone, Debug)]
pub(crate) struct RunEnded {
    pub(crate) evidence: Evidence,
    pub(crate) stdout: Captured,
    pub(crate) stderr: Captured,
    pub(crate) files: Vec<File>,
    /// What it reached through the gate.
    pub(crate) account: Account,
    pub(crate) started_at: jiff::Timestamp,
    /// What was thought of its output when it had ended, if it ended well: before that was cut.
    pub(crate) assessment: Option<Assessment>,
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
    /// Those who wait for a slot.
    pub(crate) queue: Queue,
    tickets: AtomicU64,
    slots: u16,
    /// Jobs that came from a template, and those that could have and did not.
    warm: AtomicU64,
    cold: AtomicU64,
    watch: Watch,
    /// Started with the first job that has a network.
    gate: OnceLock<Gate>,
}

/// Why a job was not given a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSlot {
    /// The runner stops.
    Stopping,
    /// The job's owner has cancelled it.
    Cancelled,
}

impl Cells {
    /// Waits for the first warden to be ready.
    ///
    /// # Errors
    /// [`LaunchError::Unable`] when this host can't isolate as asked.
    pub(crate) async fn open(
        link: Link,
        slots: u16,
        lanes: &[Lane],
        watch: Watch,
    ) -> Result<Cells, LaunchError> {
        let (line, layers) = Line::open(link).await?;
        Ok(Cells {
            line,
            layers,
            queue: Queue::new(slots, lanes),
            tickets: AtomicU64::new(1),
            slots,
            warm: AtomicU64::new(0),
            cold: AtomicU64::new(0),
            watch,
            gate: OnceLock::new(),
        })
    }

    /// The isolation layers in force.
    pub(crate) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Tells the warden, for ever, that this process runs.
    pub(crate) async fn stay_alive(&self) {
        self.line.stay_alive().await;
    }

    /// How many slots there are, and how many are in use.
    pub(crate) fn load(&self) -> (u16, u16) {
        let free = u16::try_from(self.queue.free()).unwrap_or(self.slots);
        (self.slots, self.slots.saturating_sub(free))
    }

    /// How many jobs came from a template, and how many started cold that could have.
    pub(crate) fn warmth(&self) -> (u64, u64) {
        (
            self.warm.load(Ordering::Relaxed),
            self.cold.load(Ordering::Relaxed),
        )
    }

    /// Waits for a slot, as long as the job is to be started.
    pub(crate) async fn take_slot(
        &self,
        place: &Place,
        registration: &Registration,
    ) -> Result<Slot, NoSlot> {
        tokio::select! {
            // A runner that stops starts nothing, free slots or not.
            biased;
            () = registration.stopping() => Err(NoSlot::Stopping),
            () = registration.cancelled() => Err(NoSlot::Cancelled),
            slot = self.queue.take(place) => Ok(slot),
        }
    }

    /// Compiles the program if its language is compiled, and runs it: once, or once a test, each time in a
    /// fresh cell. All is done in the slot; tests use what other slots are free as well.
    pub(crate) async fn launch(
        &self,
        slot: &Slot,
        plan: &Plan,
        registration: &Registration,
        tap: Option<Tap>,
    ) -> Result<Launched, LaunchError> {
        match self.launch_all(slot, plan, registration, tap).await {
            Ok(ended) => Ok(Launched::Ended(Box::new(ended))),
            Err(Early::Interrupted) => Ok(Launched::Interrupted),
            Err(Early::Failed(error)) => Err(error),
        }
    }

    async fn launch_all(
        &self,
        slot: &Slot,
        plan: &Plan,
        registration: &Registration,
        tap: Option<Tap>,
    ) -> Result<Ended, Early> {
        let mut ended = Ended::default();
        let program = self.compile(slot, plan, registration, &mut ended.compile);
        let Some(program) = program.await? else {
            return Ok(ended);
        };
        let checker = match &plan.checker {
            Some(checker) => {
                self.compile(slot, checker, registration, &mut ended.checker)
                    .await?
            }
            None => Some(Vec::new()),
        };
        let Some(checker) = checker else {
            return Ok(ended);
        };
        let runs = Runs {
            cells: self,
            plan,
            program: &program,
            checker: &checker,
            registration,
            tap,
        };
        ended.runs = runs.all(slot).await?;
        Ok(ended)
    }

    /// Compiles a program, if its language is compiled. Gives what that made; `None` if it made nothing of use.
    async fn compile(
        &self,
        slot: &Slot,
        plan: &Plan,
        registration: &Registration,
        ended: &mut Option<RunEnded>,
    ) -> Result<Option<Vec<Input>>, Early> {
        let Some(compile) = &plan.compile else {
            return Ok(Some(Vec::new()));
        };
        let order = Order::compiler(compile, &plan.files);
        let ran = self.run(slot, &order, registration, None, std::future::pending());
        let mut one = settled(ran.await?)?;
        let made = artifacts(&mut one.files);
        let succeeded = one.evidence.ending == Ending::Code(0) && !one.over_limit();
        *ended = Some(one);
        Ok((succeeded && !made.is_empty()).then_some(made))
    }
}

/// A run that leads to an outcome.
fn settled(run: RunEnded) -> Result<RunEnded, Early> {
    match run.evidence.ending {
        Ending::Killed(KillReason::Shutdown) => Err(Early::Interrupted),
        Ending::Vanished => Err(LaunchError::Vanished.into()),
        _ => Ok(run),
    }
}

/// What the compiler left, as the program's input. A name that is no text was made printable on its way, so two may
/// be one by now: no program needs them.
fn artifacts(files: &mut Vec<File>) -> Vec<Input> {
    std::mem::take(files)
        .into_iter()
        .filter(|file| !file.omitted && !file.path.contains(char::REPLACEMENT_CHARACTER))
        .filter_map(|file| {
            Some(Input {
                path: std::ffi::CString::new(file.path).ok()?,
                content: file.content,
                executable: file.executable,
            })
        })
        .collect()
}

/// Lends each descriptor.
fn lend<'a>(descriptors: &'a [&OwnedFd]) -> Vec<std::os::fd::BorrowedFd<'a>> {
    descriptors.iter().map(|fd| fd.as_fd()).collect()
}
