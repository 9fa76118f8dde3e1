//! Jobs in one process, without any service: the same pipeline, told of what happens instead of writing it down.
//!
//! Must never differ from the fleet in what it says of a job, and keeps nothing itself: what a job's result is for, and
//! for how long, is its caller's.

use std::sync::Arc;

use glovebox_cell::{Layer, Link};
use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::result::JobResult;
use tokio::sync::Semaphore;

use crate::Languages;
use crate::cancel::Cancellations;
use crate::health::Health;
use crate::launch::{Cells, LaunchError};
use crate::message::{Delivery, Parking};
use crate::pipeline::Pipeline;
use crate::result::Store;
use crate::valve::Valve;

/// Is told of what happens to jobs. It is called from the tasks that run them, and must not block.
pub trait Witness: Send + Sync {
    /// A job has a slot.
    fn begun(&self, id: &JobId);
    /// It has written something; only of jobs with `stream`. The stream is `stdout` or `stderr`.
    fn output(&self, id: &JobId, stream: &'static str, chunk: &[u8]);
    /// It has ended.
    fn done(&self, result: JobResult);
}

/// Slots for jobs in this process. Its clones share them.
#[derive(Clone)]
pub struct Workshop {
    pipeline: Arc<Pipeline>,
}

impl Workshop {
    /// Takes the slots that the warden at the other end of `link` was started with.
    ///
    /// # Errors
    /// When this host can't isolate as asked.
    pub async fn open(
        link: Link,
        languages: Languages,
        slots: u16,
        witness: Arc<dyn Witness>,
    ) -> Result<Workshop, LaunchError> {
        let cells = Cells::open(link, slots, &[], |_| {}).await?;
        let pipeline = Arc::new(Pipeline {
            runner: "embedded".to_owned(),
            languages,
            cells,
            store: Store::Witness(witness),
            cancellations: Cancellations::default(),
            health: Health::new(Valve::new()),
            parking: Parking::new(),
            callbacks: None,
            quarantine: Semaphore::new(1),
            watch: |_| {},
        });
        Ok(Workshop { pipeline })
    }

    /// Tells the warden, for as long as this is polled, that somebody is here: once it has heard that, it ends the cells
    /// of a process that is frozen.
    pub async fn stay_alive(&self) {
        self.pipeline.cells.stay_alive().await;
    }

    /// The isolation that is in force.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        self.pipeline.cells.layers()
    }

    /// Runs a job to its end, once a slot is free. What becomes of it, the witness is told.
    pub async fn run(&self, job: &Job) {
        self.handle(job.to_wire_json()).await;
    }

    /// The same for what may be a job's document.
    pub(crate) async fn handle(&self, body: Vec<u8>) {
        let delivery = Delivery::embedded(body);
        Arc::clone(&self.pipeline).handle(delivery).await;
    }

    /// How many jobs came from a template, and how many could have and did not.
    pub(crate) fn warmth(&self) -> (u64, u64) {
        self.pipeline.cells.warmth()
    }

    /// Cancels a job that waits for a slot or runs; false if it is not here.
    pub fn cancel(&self, id: &JobId) -> bool {
        self.pipeline.cancellations.cancel(id)
    }

    /// Cancels every job that is here.
    pub fn cancel_all(&self) {
        self.pipeline.cancellations.cancel_all();
    }
}
