//! One cell from its order to its end: what goes in, what comes out, and what ends it before its time.
//!
//! Must never return while anything of the cell is left.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use glovebox_cell::{Evidence, FileSpec, KillReason, Launch};
use glovebox_gate::{Account, Doors, Gate, Passage, Policy};
use tokio::sync::Notify;

use super::capture::{self, Keep};
use super::client::{CellHandle, Ended as CellEnded};
use super::{Cells, LaunchError, RunEnded, Slot, files, io};
use crate::cancel::Registration;
use crate::plan::{Cell, Compile, Input, Plan, Run};
use crate::result::Tap;
use crate::stage::Stage;

/// What is to be run in one cell.
pub(crate) struct Order<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) argv: &'a [CString],
    pub(crate) stdin: &'a [u8],
    pub(crate) files: Vec<&'a Input>,
    /// Globs of the files to hand back, and how many bytes of them.
    pub(crate) outputs: &'a [String],
    pub(crate) outputs_bytes: u64,
    pub(crate) gate: Option<&'a Policy>,
    /// Where stdout is kept.
    pub(crate) stdout: Keep,
}

impl<'a> Order<'a> {
    /// The compiler's: what it makes may fill its disk.
    pub(super) fn compiler(compile: &'a Compile, files: &'a [Input]) -> Order<'a> {
        Order {
            cell: &compile.cell,
            argv: &compile.argv,
            stdin: &[],
            files: files.iter().collect(),
            outputs: &compile.artifacts,
            outputs_bytes: compile.cell.limits.disk,
            gate: None,
            stdout: Keep::Memory(compile.cell.output_bytes),
        }
    }

    /// The program's, with what the compiler made in place of what the job has in its way.
    pub(crate) fn program(plan: &'a Plan, run: &'a Run, made: &'a [Input]) -> Order<'a> {
        let replaced = |file: &&Input| made.iter().any(|artifact| artifact.conflicts(file));
        Order {
            cell: &plan.cell,
            argv: &run.argv,
            stdin: &run.stdin,
            files: plan
                .files
                .iter()
                .filter(|file| !replaced(file))
                .chain(made)
                .collect(),
            outputs: &plan.outputs,
            outputs_bytes: plan.cell.output_bytes,
            gate: plan.gate.as_ref(),
            stdout: Keep::Memory(plan.cell.output_bytes),
        }
    }

    /// With these files as well, which none of the program's own may hide.
    pub(super) fn beside(mut self, files: &'a [Input]) -> Order<'a> {
        self.files
            .retain(|own| !files.iter().any(|file| file.conflicts(own)));
        self.files.extend(files);
        self
    }

    fn launch(&self) -> Launch {
        Launch {
            blueprint: self.cell.blueprint,
            limits: self.cell.limits,
            argv: self.argv.to_vec(),
            env: self.cell.env.clone(),
            files: self
                .files
                .iter()
                .map(|file| FileSpec {
                    path: file.path.clone(),
                    size: file.content.len() as u64,
                    executable: file.executable,
                })
                .collect(),
            outputs: self.outputs.to_vec(),
            outputs_bytes: self.outputs_bytes,
            warm: self.cell.warm,
        }
    }
}

impl Cells {
    /// Runs one cell of the slot to its end, which comes at the latest when `until` does.
    pub(crate) async fn run(
        &self,
        slot: &Slot,
        order: &Order<'_>,
        registration: &Registration,
        tap: Option<Tap>,
        until: impl Future<Output = ()>,
    ) -> Result<RunEnded, LaunchError> {
        let slot = slot.number;
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let (stdin, feed) = capture::stdin(order.stdin)?;
        let (stdout, stdout_end) = capture::pipe()?;
        let (stderr, stderr_end) = capture::pipe()?;
        let (files, files_end) = match order.outputs.is_empty() {
            true => (None, None),
            false => capture::pipe().map(|(ours, theirs)| (Some(ours), Some(theirs)))?,
        };
        let contents: Vec<&[u8]> = order.files.iter().map(|file| &*file.content).collect();
        let (memfd, launch_bytes) = glovebox_cell::protocol::pack(&order.launch(), &contents)
            .map_err(io("packing the launch"))?;
        let beside: Vec<&OwnedFd> = [&stdin, &stdout_end, &stderr_end, &memfd]
            .into_iter()
            .chain(&files_end)
            .collect();
        let started_at = jiff::Timestamp::now();
        let mut cell = self
            .line
            .launch(slot, ticket, launch_bytes, &beside)
            .await?;
        drop((stdin, stdout_end, stderr_end, files_end, memfd));
        (self.watch)(Stage::Launched);

        let passage = match self.open_gate(order, registration, &mut cell).await {
            Ok(passage) => passage,
            Err(error) => {
                // Without its network the cell is of no use to anybody; how it ends does not matter.
                self.line.kill(slot, ticket, KillReason::Shutdown).await;
                drop(cell.ended().await);
                return Err(error);
            }
        };
        let flooded = Arc::new(Notify::new());
        let out_tap = match order.stdout {
            Keep::Memory(_) => tap.clone().map(|tap| tap.of(capture::STDOUT)),
            Keep::File(..) => None,
        };
        let err_tap = tap.map(|tap| tap.of(capture::STDERR));
        let stderr_kept = Keep::Memory(order.cell.output_bytes);
        let (ended, stdout, stderr, files, ()) = tokio::join!(
            self.attend(cell, (slot, ticket), registration, &flooded, until),
            capture::read(stdout, &order.stdout, out_tap, &flooded),
            capture::read(stderr, &stderr_kept, err_tap, &flooded),
            files::read(files, order.outputs_bytes),
            capture::feed(feed, order.stdin),
        );
        let account = match passage {
            Some(passage) => passage.close().await,
            None => Account::default(),
        };
        Ok(RunEnded {
            evidence: self.count(order.cell.warm, ended?),
            stdout,
            stderr,
            files: files.map_err(io("reading the job's output files"))?,
            account,
            started_at,
            assessment: None,
        })
    }

    /// Counts a cell that could have come from a template, by whether it did.
    fn count(&self, possible: bool, ended: CellEnded) -> Evidence {
        match (possible, ended.warm) {
            (_, true) => self.warm.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.cold.fetch_add(1, Ordering::Relaxed),
            (false, false) => 0,
        };
        ended.evidence
    }

    /// Takes the doors that the warden has made for the cell, and lets them lead somewhere.
    async fn open_gate(
        &self,
        order: &Order<'_>,
        registration: &Registration,
        cell: &mut CellHandle,
    ) -> Result<Option<Passage>, LaunchError> {
        let Some(policy) = order.gate else {
            return Ok(None);
        };
        // A cell that was not built has none, and its end says why.
        let Some([http, socks]) = cell.doors().await else {
            return Ok(None);
        };
        let gate = match self.gate.get() {
            Some(gate) => gate,
            None => {
                let gate = Gate::start().map_err(io("starting the network gate"))?;
                self.gate.get_or_init(|| gate)
            }
        };
        gate.open(Doors { http, socks }, policy.clone(), registration.permit())
            .map(Some)
            .map_err(io("opening the network gate"))
    }

    /// Waits for the end that the warden reports, and passes on what ends the cell before its time.
    async fn attend(
        &self,
        mut cell: CellHandle,
        (slot, ticket): (u16, u64),
        registration: &Registration,
        flooded: &Notify,
        until: impl Future<Output = ()>,
    ) -> Result<CellEnded, LaunchError> {
        let reason = tokio::select! {
            ended = cell.ended() => return ended,
            () = flooded.notified() => KillReason::Output,
            () = registration.cancelled() => KillReason::Cancelled,
            () = registration.interrupted() => KillReason::Shutdown,
            () = until => KillReason::Cancelled,
        };
        self.line.kill(slot, ticket, reason).await;
        cell.ended().await
    }
}
