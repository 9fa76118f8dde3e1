//! The whole product on one page: one delivery, from message to ack.
//!
//! Each stage is a function from one type to the next; nothing flows back. The ack is the last step:
//! a message is acknowledged only after its result is durable. Must never blame a job for a failure
//! of ours, and never lose one.

use std::sync::Arc;

use glovebox_schemas::job::Job;
use glovebox_schemas::result::{ErrorInfo, JobResult, Status};

use crate::cancel::{Cancellations, Registration};
use crate::launch::{Cells, Launched, NoSlot, Slot};
use crate::message::Delivery;
use crate::outcome;
use crate::plan;
use crate::result::{Before, Store};
use crate::stage::{Stage, Watch};
use crate::{Languages, LaunchError};

/// What every delivery is handled with.
pub(crate) struct Pipeline {
    pub(crate) runner: String,
    pub(crate) languages: Languages,
    pub(crate) cells: Cells,
    pub(crate) store: Store,
    pub(crate) cancellations: Cancellations,
    pub(crate) watch: Watch,
}

/// What becomes of the message.
enum Settlement {
    /// Its result is durable.
    Ack,
    /// Nobody can run it; its result, if it has an id, is durable.
    DeadLetter,
    /// The runner stops: somebody else is to run it.
    GiveBack,
    /// It failed for a reason of ours: somebody is to try again, a little later.
    Retry,
}

impl Pipeline {
    /// Handles one delivery to its end.
    pub(crate) async fn handle(self: Arc<Self>, delivery: Delivery) {
        (self.watch)(Stage::Received);
        match self.settle(&delivery).await {
            Settlement::Ack => delivery.ack().await,
            Settlement::DeadLetter => delivery.dead_letter().await,
            Settlement::GiveBack => delivery.give_back().await,
            Settlement::Retry => delivery.retry().await,
        }
        (self.watch)(Stage::Settled);
    }

    /// message → job, and whether it may start here and now
    async fn settle(&self, delivery: &Delivery) -> Settlement {
        let job = match delivery.job() {
            Ok(job) => job,
            Err(rejection) => {
                tracing::warn!(code = rejection.code, "dead-lettered what is not a job");
                if let Some(id) = rejection.id.clone() {
                    let result = JobResult::rejected(id, &rejection, &self.runner);
                    self.publish(delivery, result).await;
                }
                return Settlement::DeadLetter;
            }
        };
        (self.watch)(Stage::Parsed);
        // Listens to cancellations first and looks for earlier ones then: none slips through between.
        let Some(registration) = self.cancellations.register(&job.id).await else {
            return Settlement::GiveBack;
        };
        let slot = match self.cells.take_slot(&registration).await {
            Ok(slot) => slot,
            Err(NoSlot::Stopping) => return Settlement::GiveBack,
            Err(NoSlot::Cancelled) => {
                return self.conclude(delivery, &job, Status::Cancelled).await;
            }
        };
        (self.watch)(Stage::Placed);
        match self.store.begin(&job, delivery, &self.runner).await {
            Before::Done => Settlement::Ack,
            Before::Cancelled => self.conclude(delivery, &job, Status::Cancelled).await,
            Before::New if plan::is_expired(&job) => {
                self.conclude(delivery, &job, Status::Expired).await
            }
            Before::New => self.run(delivery, &job, slot, &registration).await,
            Before::Deadly => self.give_up(delivery, &job, killed_its_runners()).await,
        }
    }

    /// job → plan → launch → outcome → result
    async fn run(
        &self,
        delivery: &Delivery,
        job: &Job,
        slot: Slot<'_>,
        registration: &Registration,
    ) -> Settlement {
        (self.watch)(Stage::Begun);
        let plan = match plan::decide(job, &self.languages) {
            Ok(plan) => plan,
            Err(rejection) => {
                let result = JobResult::rejected(job.id.clone(), &rejection, &self.runner);
                return self.answer(delivery, job, result).await;
            }
        };
        (self.watch)(Stage::Planned);
        let tap = self.store.tap(job);
        match self.cells.launch(&slot, &plan, registration, tap).await {
            Ok(Launched::Ended(ended)) => {
                (self.watch)(Stage::Ended);
                let outcome = outcome::judge(&plan, *ended);
                let result = outcome::compose(job, &plan, outcome, &self.runner);
                self.answer(delivery, job, result).await
            }
            Ok(Launched::Interrupted) => {
                self.store.release(&job.id).await;
                Settlement::GiveBack
            }
            Err(error) => self.fail(delivery, job, &error).await,
        }
    }

    /// A cell that can't be built is our failure: somebody tries again, until nobody is left to.
    async fn fail(&self, delivery: &Delivery, job: &Job, error: &LaunchError) -> Settlement {
        tracing::error!(job = %job.id, attempt = delivery.attempt, %error, "the cell could not be built");
        if delivery.is_last_attempt() {
            return self.give_up(delivery, job, error.to_info()).await;
        }
        self.store.release(&job.id).await;
        Settlement::Retry
    }

    /// Nobody will try again: the job has an `error` for a result, and the broker keeps the message.
    async fn give_up(&self, delivery: &Delivery, job: &Job, error: ErrorInfo) -> Settlement {
        let mut result = JobResult::new(job.id.clone(), Status::Error, &self.runner);
        result.error = Some(error);
        self.answer(delivery, job, result).await;
        Settlement::DeadLetter
    }

    async fn conclude(&self, delivery: &Delivery, job: &Job, status: Status) -> Settlement {
        let result = JobResult::new(job.id.clone(), status, &self.runner);
        self.answer(delivery, job, result).await
    }

    async fn answer(&self, delivery: &Delivery, job: &Job, mut result: JobResult) -> Settlement {
        result.metadata = job.metadata.clone();
        self.publish(delivery, result).await;
        Settlement::Ack
    }

    /// result → Redis. Returns only when it is durable, however long the store is away.
    async fn publish(&self, delivery: &Delivery, result: JobResult) {
        (self.watch)(Stage::Judged);
        self.store.put(&delivery.stamp(result)).await;
        (self.watch)(Stage::Stored);
    }
}

/// What is said of a job whose every earlier delivery ended with the death of its runner.
fn killed_its_runners() -> ErrorInfo {
    ErrorInfo {
        code: "runner_killed".to_owned(),
        message: "every runner that started this job died before it ended".to_owned(),
        hint: "look at the logs of the runners and their hosts; the message is in glovebox.dead"
            .to_owned(),
    }
}
