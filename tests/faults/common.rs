//! What the tests of several faults share.

use glovebox_schemas::job::Job;
use glovebox_schemas::result::JobResult;
use glovebox_tests::fleet::python;
use glovebox_tests::{Fleet, How, Runner, Services};

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

/// Its result now, which must be there and stay as it is to the end.
pub(crate) async fn stored(fleet: &Fleet, job: &Job) -> JobResult {
    let document = fleet.stored(&job.id).await.unwrap();
    JobResult::from_json(&document.expect("a result")).unwrap()
}
