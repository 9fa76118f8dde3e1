//! A short soak; `ops/soak` is the long one, of another seed each time. Here it is always the same, so that a change
//! is judged by what it changes; `GLOVEBOX_SOAK_SEED=N` is another.

use std::time::Duration;

use glovebox_tests::soak::{Options, run};

const JOBS: usize = 2_000;
const FAULTS: usize = 20;

#[tokio::test]
async fn whatever_happens_each_job_has_one_result_and_nothing_is_left() {
    let seed = match std::env::var("GLOVEBOX_SOAK_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => 4,
    };
    let options = Options {
        fault_lasts: (Duration::from_millis(300), Duration::from_secs(2)),
        freezes: 1,
        patience: Duration::from_secs(3),
        ..Options::new(seed, JOBS, FAULTS, Duration::from_secs(130))
    };
    let mut said = String::new();
    let report = run(&options, |line| said += &format!("{line}\n")).await;
    let report = report.unwrap_or_else(|error| panic!("seed {seed}: {error:#}\n{said}"));
    assert!(report.violations.is_empty(), "{said}\n{report}");
    assert_eq!(
        (report.jobs, report.faults.len()),
        (JOBS, FAULTS),
        "{report}"
    );
}
