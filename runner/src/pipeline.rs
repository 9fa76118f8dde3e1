//! The whole product on one page: one delivery, from message to ack.
//!
//! Each stage is a function from one type to the next; nothing flows back. The ack is the last step:
//! a message is acknowledged only after its result is durable. Must never blame a job for a failure
//! of ours, never lose one, and never run one that may be running elsewhere.

use std::sync::Arc;
use std::time::Duration;

use glovebox_schemas::callback::Order;
use glovebox_schemas::job::Job;
use glovebox_schemas::names::DEFAULT_TENANT;
use glovebox_schemas::result::{ErrorInfo, JobResult, Status};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::Languages;
use crate::cancel::{Cancellations, Registration};
use crate::health::Health;
use crate::launch::{Cells, Launched, NoSlot, Slot};
use crate::lease::Claim;
use crate::message::{Callbacks, Delivery, Parking};
use crate::outcome;
use crate::plan;
use crate::result::{Before, Begun, Fate, GIVEN_BACK, Owed, Store};
use crate::stage::{Stage, Watch};

/// What every delivery is handled with.
pub(crate) struct Pipeline {
    pub(crate) runner: String,
    pub(crate) languages: Languages,
    pub(crate) cells: Cells,
    pub(crate) store: Store,
    pub(crate) cancellations: Cancellations,
    pub(crate) health: Health,
    pub(crate) parking: Parking,
    /// `None` if nobody is called back.
    pub(crate) callbacks: Option<Callbacks>,
    /// One permit, for a job that may have killed an earlier runner: two at once would be blamed for each other.
    pub(crate) quarantine: Semaphore,
    pub(crate) watch: Watch,
}

/// What becomes of the message.
pub(crate) enum Settlement {
    /// Its result is durable.
    Ack,
    /// Nobody can run it; its result, if it has an id, is durable. With the history of its attempts.
    DeadLetter(String, Begun),
    /// Somebody else is to run it.
    GiveBack,
}

impl Pipeline {
    /// Handles one delivery to its end.
    pub(crate) async fn handle(self: Arc<Self>, delivery: Delivery) {
        (self.watch)(Stage::Received);
        let settlement = self.settle(&delivery).await;
        delivery.settle(settlement).await;
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
                    let result = delivery.stamp(result);
                    self.publish(delivery, DEFAULT_TENANT, &result).await;
                }
                return Settlement::DeadLetter(rejection.code.to_owned(), Begun::default());
            }
        };
        (self.watch)(Stage::Parsed);
        // Listens to cancellations first and looks for earlier ones then: none slips through between.
        let registered = self.cancellations.register(&job.id);
        let registered = self.parking.meanwhile(delivery, registered).await;
        let Some(registration) = registered else {
            return Settlement::GiveBack;
        };
        let place = self.cells.queue.place(delivery.lane(), &job.tenant);
        loop {
            let slot = self.cells.take_slot(&place, &registration);
            let slot = match delivery.is_among_others(&job.tenant) {
                true => self.parking.meanwhile(delivery, slot).await,
                false => slot.await,
            };
            let slot = match slot {
                Ok(slot) => Some(slot),
                Err(NoSlot::Stopping) => return Settlement::GiveBack,
                Err(NoSlot::Cancelled) => None,
            };
            if self.health.is_ill() {
                self.health.is_isolated().await;
                return Settlement::GiveBack;
            }
            (self.watch)(Stage::Placed);
            let quarantine = self.quarantine.try_acquire().ok();
            let before = self.store.begin(&job, delivery, quarantine.is_some()).await;
            let written = before != Before::Away;
            let begun = match before {
                Before::Done => {
                    drop((slot, quarantine));
                    return self.call_back(delivery, &job, None).await;
                }
                Before::Deadly(begun) => {
                    drop((slot, quarantine));
                    let error = killed_its_runners();
                    return self.give_up(delivery, &job, begun, error).await;
                }
                Before::Begun(begun) => begun,
                Before::Away if self.may_start_unasked(delivery, &job) => Begun::default(),
                Before::Limited if slot.is_some() => {
                    self.cells.queue.hold(&job.tenant);
                    continue;
                }
                Before::Cancelled | Before::Limited => {
                    drop((slot, quarantine));
                    return self.conclude(delivery, &job, Status::Cancelled).await;
                }
                Before::Later(_) | Before::Elsewhere | Before::Away => {
                    drop((slot, quarantine));
                    if !self
                        .parking
                        .wait(delivery, &before, &self.store, &registration)
                        .await
                    {
                        return Settlement::GiveBack;
                    }
                    continue;
                }
            };
            // A result may have to wait for Redis: nobody is to wait for its slot meanwhile.
            return match slot {
                None => {
                    drop(quarantine);
                    self.conclude(delivery, &job, Status::Cancelled).await
                }
                Some(slot) if plan::is_expired(&job) => {
                    drop((slot, quarantine));
                    self.conclude(delivery, &job, Status::Expired).await
                }
                Some(slot) => {
                    let alone = quarantine.filter(|_| begun.is_suspect());
                    registration.claim(Claim {
                        session: delivery.session,
                        written,
                    });
                    let run = self.run(delivery, &job, begun, slot, &registration);
                    let settlement = alone_for_a_while(alone, run).await;
                    registration.unclaim();
                    settlement
                }
            };
        }
    }

    /// While Redis is away: only what was sent once and delivered once can't have run anywhere.
    fn may_start_unasked(&self, delivery: &Delivery, job: &Job) -> bool {
        delivery.is_only_copy && !self.cancellations.was_cancelled(&job.id)
    }

    /// job → plan → launch → outcome → result
    async fn run(
        &self,
        delivery: &Delivery,
        job: &Job,
        begun: Begun,
        slot: Slot,
        registration: &Registration,
    ) -> Settlement {
        (self.watch)(Stage::Begun);
        let plan = match plan::decide(job, &self.languages) {
            Ok(plan) => plan,
            Err(rejection) => {
                drop(slot);
                let result = JobResult::rejected(job.id.clone(), &rejection, &self.runner);
                return self.answer(delivery, job, begun, result).await;
            }
        };
        (self.watch)(Stage::Planned);
        let tap = self.store.tap(job);
        let launched = tokio::select! {
            launched = self.cells.launch(&slot, &plan, registration, tap) => launched,
            never = self.store.write_later(job, delivery, registration) => match never {},
        };
        match launched {
            Ok(Launched::Ended(ended)) => {
                (self.watch)(Stage::Ended);
                drop(slot);
                self.health.succeeded();
                let outcome = outcome::judge(&plan, *ended);
                let result = outcome::compose(job, &plan, outcome, &self.runner);
                self.answer(delivery, job, begun, result).await
            }
            Ok(Launched::Interrupted) => {
                self.store.release(job, GIVEN_BACK).await;
                Settlement::GiveBack
            }
            Err(error) => {
                // First, so that whoever gets the slot sees it.
                self.health.failed();
                drop(slot);
                self.fail(delivery, job, begun, error.to_info()).await
            }
        }
    }

    /// A cell that can't be built is our failure: somebody else tries again, until nobody is left to.
    async fn fail(
        &self,
        delivery: &Delivery,
        job: &Job,
        begun: Begun,
        error: ErrorInfo,
    ) -> Settlement {
        let attempt = begun.number();
        tracing::error!(job = %job.id, attempt, error = error.message, "the cell could not be built");
        if begun.is_last() || delivery.is_embedded() {
            return self.give_up(delivery, job, begun, error).await;
        }
        self.store.release(job, &error.code).await;
        self.health.is_isolated().await;
        Settlement::GiveBack
    }

    /// Nobody will try again: the job has an `error` for a result, and its message is kept aside.
    async fn give_up(
        &self,
        delivery: &Delivery,
        job: &Job,
        begun: Begun,
        error: ErrorInfo,
    ) -> Settlement {
        let mut result = JobResult::new(job.id.clone(), Status::Error, &self.runner);
        let code = error.code.clone();
        result.error = Some(error);
        match self.answer(delivery, job, begun.clone(), result).await {
            Settlement::Ack => Settlement::DeadLetter(code, begun),
            other => other,
        }
    }

    async fn conclude(&self, delivery: &Delivery, job: &Job, status: Status) -> Settlement {
        let result = JobResult::new(job.id.clone(), status, &self.runner);
        self.answer(delivery, job, Begun::default(), result).await
    }

    async fn answer(
        &self,
        delivery: &Delivery,
        job: &Job,
        begun: Begun,
        mut result: JobResult,
    ) -> Settlement {
        result.metadata = job.metadata.clone();
        result.attempt = begun.number();
        result.earlier_attempts = begun.earlier;
        let result = delivery.stamp(result);
        let stored = self.publish(delivery, &job.tenant, &result).await;
        self.cells.queue.let_go(&job.tenant);
        match stored {
            Fate::Stored => self.call_back(delivery, job, Some(&result)).await,
            Fate::Other => self.call_back(delivery, job, None).await,
            Fate::Elsewhere => Settlement::GiveBack,
        }
    }

    /// result → Redis. Returns only when it is durable, however long the store is away.
    async fn publish(&self, delivery: &Delivery, tenant: &str, result: &JobResult) -> Fate {
        (self.watch)(Stage::Judged);
        let put = self.store.put(result, tenant, delivery.bytes_held());
        tokio::pin!(put);
        let stored = tokio::select! {
            stored = &mut put => stored,
            () = self.store.gone() => {
                let _place = self.parking.park(delivery);
                put.await
            }
        };
        (self.watch)(Stage::Stored);
        stored
    }
}

impl Pipeline {
    /// result → an order in the queue of callbacks, if the job wants one. Returns only when the broker has it; without
    /// `result`, when another delivery of the job has a result, it is looked up.
    async fn call_back(
        &self,
        delivery: &Delivery,
        job: &Job,
        result: Option<&JobResult>,
    ) -> Settlement {
        let (Some(callbacks), Some(callback)) = (&self.callbacks, &job.callback) else {
            return Settlement::Ack;
        };
        let order = match result {
            Some(result) => Order::new(job, callback, result),
            None => match self.store.owed(&job.id, &job.tenant).await {
                Owed::Nothing => return Settlement::Ack,
                Owed::Callback(result) => Order::new(job, callback, &result),
                Owed::Lost => {
                    return Settlement::DeadLetter(RESULT_GONE.to_owned(), Begun::default());
                }
            },
        };
        let sent = callbacks.send(&order);
        self.parking.after_a_while(delivery, sent).await;
        self.store.called_back(&job.id).await;
        (self.watch)(Stage::CalledBack);
        Settlement::Ack
    }
}

/// Why a message is a dead letter whose job is done, and its result expired before anybody was called back.
const RESULT_GONE: &str = "callback_result_gone";

/// A job that has not killed its runner by then is no suspect any more.
const QUARANTINE: Duration = Duration::from_secs(60);

async fn alone_for_a_while<T>(
    alone: Option<SemaphorePermit<'_>>,
    run: impl Future<Output = T>,
) -> T {
    tokio::pin!(run);
    tokio::select! {
        done = &mut run => return done,
        () = tokio::time::sleep(QUARANTINE), if alone.is_some() => {}
    }
    drop(alone);
    run.await
}

/// What is said of a job whose every earlier attempt ended with the death of its runner.
fn killed_its_runners() -> ErrorInfo {
    ErrorInfo {
        code: "runner_killed".to_owned(),
        message: "every runner that started this job died before it ended".to_owned(),
        hint: "look at the logs of the runners and their hosts; the message is in glovebox.dead"
            .to_owned(),
    }
}
