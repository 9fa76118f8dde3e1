//! The stages of a delivery's way, by name, for whoever watches a runner.
//!
//! Must never change what happens: a test that wants a runner to die at a stage brings the death itself.

/// A point on the way of a delivery that was just reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The message is here.
    Received,
    /// It is a job.
    Parsed,
    /// The job has a slot.
    Placed,
    /// Redis says that it runs here.
    Begun,
    /// Everything about its cell is decided.
    Planned,
    /// Its cell was asked for.
    Launched,
    /// Its last cell is gone.
    Ended,
    /// Its result is composed.
    Judged,
    /// Its result is durable.
    Stored,
    /// The broker has the order to call back, if the job wants that.
    CalledBack,
    /// Its message is settled with the broker.
    Settled,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Stage; 11] = [
        Stage::Received,
        Stage::Parsed,
        Stage::Placed,
        Stage::Begun,
        Stage::Planned,
        Stage::Launched,
        Stage::Ended,
        Stage::Judged,
        Stage::Stored,
        Stage::CalledBack,
        Stage::Settled,
    ];
}

/// Is told of each stage, in the task that reached it, before anything else happens there.
pub type Watch = fn(Stage);
