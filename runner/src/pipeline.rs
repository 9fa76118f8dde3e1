//! The whole product on one page: one delivery, from message to ack.
//!
//! Each stage is a function from one type to the next; nothing flows back. The ack is the last step:
//! a message is acknowledged only after its result is durable. Must never blame a job for a failure
//! of ours, and never lose one.

use std::sync::Arc;

use glovebox_schemas::job::Job;
use glovebox_schemas::result::{JobResult, Status};

use crate::cancel::{Cancellations, Registration};
use crate::launch::{Cells, Launched};
use crate::message::Delivery;
use crate::outcome;
use crate::plan::{self, Plan};
use crate::result::{Before, Store};
use crate::{Languages, LaunchError};

/// What every delivery is handled with.
pub(crate) struct Pipeline {
    pub(crate) runner: String,
    pub(crate) languages: Languages,
    pub(crate) cells: Cells,
    pub(crate) store: Store,
    pub(crate) cancellations: Cancellations,
}

/// What becomes of the message.
enum Settlement {
    /// Its result is durable.
    Ack,
    /// It can't become a job; its result, if it has an id, is durable.
    DeadLetter,
    /// Somebody else is to try.
    GiveBack,
}

impl Pipeline {
    /// Handles one delivery to its end.
    pub(crate) async fn handle(self: Arc<Self>, delivery: Delivery) {
        let settlement = self.settle(&delivery).await;
        match settlement {
            Settlement::Ack => delivery.ack().await,
            Settlement::DeadLetter => delivery.dead_letter().await,
            Settlement::GiveBack => delivery.give_back().await,
        }
    }

    /// message → job → plan → launch → outcome → result
    async fn settle(&self, delivery: &Delivery) -> Settlement {
        let job = match delivery.job() {
            Ok(job) => job,
            Err(rejection) => {
                if let Some(id) = rejection.id.clone() {
                    let result = JobResult::rejected(id, &rejection, &self.runner);
                    self.publish(delivery.stamp(result)).await;
                }
                tracing::warn!(code = rejection.code, "dead-lettered what is not a job");
                return Settlement::DeadLetter;
            }
        };
        // Listens to cancellations first and looks for earlier ones then: none slips through between.
        let registration = self.cancellations.register(&job.id);
        match self.store.begin(&job, delivery, &self.runner).await {
            Before::Done => return Settlement::Ack,
            Before::Cancelled => {
                return self.conclude(delivery, &job, Status::Cancelled).await;
            }
            Before::New => {}
        }
        if plan::is_expired(&job) {
            return self.conclude(delivery, &job, Status::Expired).await;
        }
        let plan = match plan::decide(&job, &self.languages) {
            Ok(plan) => plan,
            Err(rejection) => {
                let mut result = JobResult::rejected(job.id.clone(), &rejection, &self.runner);
                result.metadata = job.metadata.clone();
                self.publish(delivery.stamp(result)).await;
                return Settlement::Ack;
            }
        };
        self.run(delivery, &job, &plan, &registration).await
    }

    /// plan → launch → outcome → result
    async fn run(
        &self,
        delivery: &Delivery,
        job: &Job,
        plan: &Plan,
        registration: &Registration,
    ) -> Settlement {
        let tap = self.store.tap(job);
        match self.cells.launch(plan, registration, tap).await {
            Ok(Launched::Ended(runs)) => {
                let outcome = outcome::judge(plan, &runs);
                let result = outcome::compose(job, plan, outcome, &self.runner);
                self.publish(delivery.stamp(result)).await;
                Settlement::Ack
            }
            Ok(Launched::Interrupted) => Settlement::GiveBack,
            Err(error) => self.fail(delivery, job, &error).await,
        }
    }

    /// A cell that can't be built is our failure: somebody else tries, until nobody is left to.
    async fn fail(&self, delivery: &Delivery, job: &Job, error: &LaunchError) -> Settlement {
        tracing::error!(job = %job.id, attempt = delivery.attempt, %error, "the cell could not be built");
        if !delivery.is_last_attempt() {
            return Settlement::GiveBack;
        }
        let mut result = JobResult::new(job.id.clone(), Status::Error, &self.runner);
        result.error = Some(error.to_info());
        result.metadata = job.metadata.clone();
        self.publish(delivery.stamp(result)).await;
        Settlement::DeadLetter
    }

    async fn conclude(&self, delivery: &Delivery, job: &Job, status: Status) -> Settlement {
        let mut result = JobResult::new(job.id.clone(), status, &self.runner);
        result.metadata = job.metadata.clone();
        self.publish(delivery.stamp(result)).await;
        Settlement::Ack
    }

    /// Returns only when the result is durable, however long the store is away.
    async fn publish(&self, result: JobResult) {
        self.store.put(&result).await;
    }
}
