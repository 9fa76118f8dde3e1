//! In which order the tests of a job run, side by side, and when they stop; what is told does not depend on it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::run::Run;
use serde_json::{Value, json};

const ECHO: &str = "import sys; sys.stdout.write(sys.stdin.read())";

fn judged(run: &Run, tests: Value) -> JobResult {
    run.clone().with("tests", tests).result().result
}

fn statuses(result: &JobResult) -> Vec<(&str, Status)> {
    let tests = result.tests.iter();
    tests.map(|test| (&*test.name, test.ran.status)).collect()
}

/// A checker that is this program.
fn python(code: &str) -> Value {
    json!({ "language": "python", "code": code })
}

#[test]
fn results_come_in_the_order_of_the_tests_whichever_ends_first() {
    let code = "import sys, time; time.sleep(float(input())); print('slept')";
    let tests: Vec<_> = (0..6)
        .map(|n| json!({ "name": n.to_string(), "stdin": if n % 2 == 0 { "0.3" } else { "0" } }))
        .collect();
    let result = judged(&Run::python(code), tests.into());
    let names: Vec<_> = result.tests.iter().map(|test| &*test.name).collect();
    assert_eq!(names, ["0", "1", "2", "3", "4", "5"]);
    let usage = result.usage.unwrap();
    let walls = result
        .tests
        .iter()
        .map(|test| test.ran.usage.unwrap().wall_ms);
    assert!(
        (usage.wall_ms - walls.sum::<f64>()).abs() < 0.01,
        "{usage:?}"
    );
    let peaks = result
        .tests
        .iter()
        .map(|test| test.ran.usage.unwrap().memory_peak_bytes);
    assert_eq!(Some(usage.memory_peak_bytes), peaks.max());
}

#[test]
fn an_ordinary_users_tests_are_judged_as_well() {
    let tests: Vec<_> = (0..4)
        .map(|n| json!({ "name": n.to_string(), "stdin": n.to_string(), "compare": "checker" }))
        .collect();
    let code = "import sys; sys.exit(open('output.txt').read() == '2')";
    let run = Run::python(ECHO).with("checker", python(code));
    let result = judged(&run.as_user(), tests.into());
    let expected = [
        ("0", Status::Succeeded),
        ("1", Status::Succeeded),
        ("2", Status::Failed),
        ("3", Status::Succeeded),
    ];
    assert_eq!(statuses(&result), expected, "{result:#?}");
}

#[test]
fn tests_run_one_at_a_time_where_the_job_asks_for_that() {
    let code = "import time; a = time.monotonic(); time.sleep(0.05); print(a, time.monotonic())";
    let tests: Vec<_> = (0..4).map(|n| json!({ "name": n.to_string() })).collect();
    let result = judged(&Run::python(code).with("parallel", 1), tests.into());
    let times: Vec<f64> = result
        .tests
        .iter()
        .flat_map(|test| test.ran.stdout.split_whitespace())
        .map(|time| time.parse().unwrap())
        .collect();
    assert_eq!(times.len(), 8);
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn after_the_first_failure_nothing_is_run_if_nothing_is_wanted() {
    let code = "import time\nwhat = input()\nif what == 'loop': time.sleep(600)\nif what == 'b': time.sleep(1)\nprint(what)";
    let tests = json!([
        { "name": "good", "stdin": "a", "expected_stdout": "a" },
        { "name": "bad", "stdin": "b", "expected_stdout": "a" },
        { "name": "endless", "stdin": "loop" },
        { "name": "more", "stdin": "a" },
    ]);
    let started = Instant::now();
    let run = Run::python(code).limit("wall_ms", 60_000);
    let result = judged(&run.clone().with("stop_on_failure", true), tests);
    let expected = [("good", Status::Succeeded), ("bad", Status::Failed)];
    assert_eq!(statuses(&result), expected, "{result:#?}");
    assert_eq!(result.status, Status::Failed);
    // What ran beside it was ended, not waited for.
    assert!(started.elapsed() < Duration::from_secs(40));

    let tests = json!([{ "name": "one", "stdin": "a" }, { "name": "two", "stdin": "a" }]);
    let result = judged(&run.with("stop_on_failure", true), tests);
    assert_eq!((result.status, result.tests.len()), (Status::Succeeded, 2));
}

#[test]
fn a_checkers_word_and_fault_end_the_job_as_well() {
    let tests: Vec<_> = (0..20)
        .map(|n| json!({ "name": n.to_string(), "stdin": n.to_string(), "compare": "checker" }))
        .collect();
    for (code, status) in [
        (
            "import sys; sys.exit(open('input.txt').read() == '2')",
            Status::Failed,
        ),
        (
            "import sys; sys.exit(2 * (open('input.txt').read() == '2'))",
            Status::Rejected,
        ),
    ] {
        let run = Run::python(ECHO)
            .with("checker", python(code))
            .with("stop_on_failure", true);
        let result = judged(&run, tests.clone().into());
        let expected = [
            ("0", Status::Succeeded),
            ("1", Status::Succeeded),
            ("2", status),
        ];
        assert_eq!(statuses(&result), expected, "{result:#?}");
        assert_eq!(result.status, status);
    }
}
