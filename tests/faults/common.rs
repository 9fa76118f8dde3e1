//! What the tests of several faults share.

use glovebox_schemas::callback::Order;
use glovebox_schemas::job::{Callback, Job, JobId};
use glovebox_schemas::names::CALLBACKS;
use glovebox_schemas::result::JobResult;
use glovebox_tests::fleet::python;
use glovebox_tests::{Fleet, How, Runner, Services};
use lapin::options::BasicGetOptions;

/// A runner of one slot that dies or freezes at a stage.
pub(crate) async fn faulty(services: &Services, stage: &str, what: &str) -> Runner {
    let how = How {
        program: Some(env!("CARGO_BIN_EXE_faulty")),
        arguments: &["--slots", "1"],
        variables: &[("FAULTY_STAGE", stage), ("FAULTY_WHAT", what)],
        ..How::default()
    };
    let runner = Runner::start(services, how).unwrap();
    runner.says("consuming").await.unwrap();
    runner
}

/// A job that says `ready` and ends.
pub(crate) fn brief() -> Job {
    let mut job = python("print('ready')");
    job.stream = true;
    job
}

/// The same, and its end is to be told.
pub(crate) fn calling_back() -> Job {
    let mut job = brief();
    // Nobody listens there, and nobody asks.
    job.callback = Some(Callback::new("http://127.0.0.1:1/"));
    job
}

/// The jobs whose end is ordered to be told, in the order of the orders, which are taken.
pub(crate) async fn ordered(fleet: &Fleet) -> Vec<JobId> {
    let mut ids = Vec::new();
    let options = BasicGetOptions { no_ack: true };
    while let Some(message) = fleet
        .channel
        .basic_get(CALLBACKS.into(), options)
        .await
        .unwrap()
    {
        ids.push(Order::parse(&message.delivery.data).unwrap().id);
    }
    ids
}

/// Its result now, which must be there and stay as it is to the end.
pub(crate) async fn stored(fleet: &Fleet, job: &Job) -> JobResult {
    let document = fleet.stored(&job.id).await.unwrap();
    JobResult::from_json(&document.expect("a result")).unwrap()
}
