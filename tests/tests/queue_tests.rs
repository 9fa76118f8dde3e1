//! The tests of a job on a runner: side by side where there is room, and never in anybody's way.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_schemas::job::{Checker, Compare, Job, JobId, LimitsRequest, TestCase, Tolerance};
use glovebox_schemas::names::runner_key;
use glovebox_schemas::result::{JobResult, Status, TestResult};
use glovebox_tests::Runner;
use glovebox_tests::fleet::{Fleet, GATE, eventually, python};
use glovebox_tests::processes::Process;
use nix::sys::signal::Signal;

fn test(name: &str, stdin: &str, expected: Option<&str>) -> TestCase {
    TestCase {
        name: name.to_owned(),
        stdin: stdin.to_owned(),
        args: Vec::new(),
        expected_stdout: expected.map(str::to_owned),
        compare: Compare::Trimmed,
        tolerance: Tolerance::default(),
    }
}

/// A job whose tests wait for [`Runner::release`].
fn gates(tests: usize) -> Job {
    let names = (0..tests).map(|n| n.to_string());
    let tests = names.map(|name| test(&name, "", Some("ready\nreleased")));
    Job {
        tests: tests.collect(),
        ..python(GATE)
    }
}

/// Waits until so many processes of jobs wait at a gate, and gives them.
async fn at_the_gate(runner: &Runner, count: usize) -> Vec<Process> {
    let mut waiting = Vec::new();
    eventually(&format!("{count} tests wait at the gate"), async || {
        waiting = runner
            .warden()
            .and_then(Process::leaves)
            .unwrap_or_default();
        let at_it = |process: &Process| process.waits_for_a_signal();
        Ok(waiting.len() == count && waiting.iter().all(at_it))
    })
    .await
    .unwrap_or_else(|error| panic!("{error}\n{}", runner.log()));
    waiting
}

fn statuses(result: &JobResult) -> Vec<(&str, Status)> {
    let tests = result.tests.iter();
    tests.map(|test| (&*test.name, test.ran.status)).collect()
}

#[tokio::test]
async fn tests_use_the_slots_that_are_free() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(3).await.unwrap();
    let job = gates(5);
    fleet.client.submit(&job).await.unwrap();
    at_the_gate(&runner, 3).await;
    runner.release().unwrap();
    at_the_gate(&runner, 2).await;
    runner.release().unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    let passed = ["0", "1", "2", "3", "4"].map(|name| (name, Status::Succeeded));
    assert_eq!(statuses(&result), passed, "{result:#?}");
    assert_eq!(result.status, Status::Succeeded);
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_job_says_how_many_at_most() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(3).await.unwrap();
    let job = Job {
        parallel: Some(2),
        ..gates(3)
    };
    fleet.client.submit(&job).await.unwrap();
    at_the_gate(&runner, 2).await;
    // Another job finds the third slot free for as long as it likes.
    let other = gates(1);
    fleet.client.submit(&other).await.unwrap();
    at_the_gate(&runner, 3).await;
    runner.release().unwrap();
    assert_eq!(
        fleet.result(&other.id).await.unwrap().status,
        Status::Succeeded
    );
    at_the_gate(&runner, 1).await;
    runner.release().unwrap();
    assert_eq!(
        fleet.result(&job.id).await.unwrap().status,
        Status::Succeeded
    );
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_slot_that_becomes_free_is_used_at_once() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(2).await.unwrap();
    let first = gates(1);
    fleet.client.submit(&first).await.unwrap();
    let [first_process] = at_the_gate(&runner, 1).await[..] else {
        panic!("one test runs");
    };
    let job = gates(2);
    fleet.client.submit(&job).await.unwrap();
    at_the_gate(&runner, 2).await;
    // The other test of the second job still waits at the gate while the first job ends.
    first_process.signal(Signal::SIGUSR1).unwrap();
    fleet.result(&first.id).await.unwrap();
    at_the_gate(&runner, 2).await;
    runner.release().unwrap();
    assert_eq!(
        fleet.result(&job.id).await.unwrap().status,
        Status::Succeeded
    );
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_job_that_waits_comes_before_the_next_test() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(2).await.unwrap();
    let many = gates(9);
    fleet.client.submit(&many).await.unwrap();
    let tests = at_the_gate(&runner, 2).await;
    let other = python("");
    fleet.client.submit(&other).await.unwrap();
    eventually("the runner has taken it", async || {
        Ok(fleet.waiting("default").await? == 0)
    })
    .await
    .unwrap();
    // It takes the place of whichever test ends, although seven wait: both places are given back after each.
    for (ended, test) in tests.into_iter().enumerate() {
        test.signal(Signal::SIGUSR1).unwrap();
        if ended == 0 {
            at_the_gate(&runner, 2).await;
        }
    }
    let result = fleet.result(&other.id).await.unwrap();
    assert_eq!(result.status, Status::Succeeded);
    assert_eq!(fleet.stored(&many.id).await.unwrap(), None);
    fleet.client.cancel(&many.id).await.unwrap();
    fleet.result(&many.id).await.unwrap();
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn all_that_runs_of_a_cancelled_job_is_ended() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(2).await.unwrap();
    let job = gates(4);
    fleet.client.submit(&job).await.unwrap();
    let tests = at_the_gate(&runner, 2).await;
    fleet.client.cancel(&job.id).await.unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!(result.status, Status::Cancelled, "{result:#?}");
    let ended = ["0", "1"].map(|name| (name, Status::Cancelled));
    assert_eq!(statuses(&result), ended);
    assert!(tests.iter().all(|process| !process.is_alive()));
    fleet.run(&python("")).await.unwrap();
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_checker_is_cancelled_with_its_job() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let judged = TestCase {
        compare: Compare::Checker,
        ..test("one", "", None)
    };
    let job = Job {
        tests: vec![judged],
        checker: Some(Checker {
            language: "python".to_owned(),
            profile: None,
            code: GATE.to_owned(),
            files: Vec::new(),
            limits: LimitsRequest::default(),
        }),
        ..python("")
    };
    fleet.client.submit(&job).await.unwrap();
    at_the_gate(&runner, 1).await;
    fleet.client.cancel(&job.id).await.unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!(result.status, Status::Cancelled, "{result:#?}");
    assert_eq!(statuses(&result), [("one", Status::Cancelled)]);
    fleet.stop_settled(runner).await.unwrap();
}

/// The job comes to `runner` once more, whole; lets it go on.
async fn is_run_again(fleet: &Fleet, runner: &Runner, job: &Job) -> JobResult {
    at_the_gate(runner, 2).await;
    assert_eq!(fleet.stored(&job.id).await.unwrap(), None);
    runner.release().unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    let passed = ["0", "1"].map(|name| (name, Status::Succeeded));
    assert_eq!(statuses(&result), passed, "{result:#?}");
    assert_eq!(result.attempt, 2);
    result
}

#[tokio::test]
async fn tests_are_given_back_with_their_job() {
    let fleet = Fleet::new().await.unwrap();
    let mut runner = fleet.runner(2).await.unwrap();
    let job = gates(2);
    fleet.client.submit(&job).await.unwrap();
    let tests = at_the_gate(&runner, 2).await;
    let next = fleet.runner(2).await.unwrap();
    runner.terminate().unwrap();
    runner.says("nothing new is taken").await.unwrap();
    // It drains: what has begun may end.
    assert!(tests.iter().all(|process| process.is_alive()));
    runner.terminate().unwrap();
    assert_eq!(runner.ended().await.unwrap(), 0, "{}", runner.log());
    assert!(tests.iter().all(|process| !process.is_alive()));
    let result = is_run_again(&fleet, &next, &job).await;
    assert_eq!(result.earlier_attempts[0].ended, "given_back");
    fleet.stop_settled(next).await.unwrap();
}

#[tokio::test]
async fn a_runner_that_drains_ends_all_tests_of_its_job() {
    let fleet = Fleet::new().await.unwrap();
    let mut runner = fleet.runner(2).await.unwrap();
    let job = gates(4);
    fleet.client.submit(&job).await.unwrap();
    at_the_gate(&runner, 2).await;
    runner.terminate().unwrap();
    runner.says("nothing new is taken").await.unwrap();
    runner.release().unwrap();
    at_the_gate(&runner, 2).await;
    runner.release().unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!((result.status, result.tests.len()), (Status::Succeeded, 4));
    assert_eq!(runner.ended().await.unwrap(), 0, "{}", runner.log());
}

#[tokio::test]
async fn when_the_warden_dies_midway_the_job_is_tried_again() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(2).await.unwrap();
    let job = gates(2);
    fleet.client.submit(&job).await.unwrap();
    let tests = at_the_gate(&runner, 2).await;
    let warden = runner.warden().unwrap();
    warden.signal(Signal::SIGKILL).unwrap();
    eventually("its cells are gone", async || {
        Ok(tests.iter().all(|process| !process.is_alive()))
    })
    .await
    .unwrap();
    let result = is_run_again(&fleet, &runner, &job).await;
    assert_eq!(result.earlier_attempts[0].ended, "warden_died");
    assert_ne!(runner.warden().unwrap(), warden);
    fleet.stop_settled(runner).await.unwrap();
}

/// Everything about a result but what differs from run to run.
fn without_measures(mut result: JobResult) -> JobResult {
    result.usage = None;
    result.times = Default::default();
    result.runner = String::new();
    for test in &mut result.tests {
        test.ran.usage = None;
    }
    result
}

#[tokio::test]
async fn tests_and_checkers_are_the_same_from_templates() {
    let fleet = Fleet::new().await.unwrap();
    let code = "import sys; print(sum(map(int, sys.stdin.read().split())))";
    let judge = "import sys\nif open('output.txt').read() != '7\\n': sys.exit('not 7')";
    let mut job = python(code);
    job.tests = (0..12)
        .map(|n| {
            let judged = TestCase {
                compare: Compare::Checker,
                ..test(&n.to_string(), &format!("{n} 2"), None)
            };
            let plain = test(&n.to_string(), &format!("{n} 1"), Some("5"));
            if n % 2 == 0 { plain } else { judged }
        })
        .collect();
    job.checker = Some(Checker {
        language: "python".to_owned(),
        profile: None,
        code: judge.to_owned(),
        files: Vec::new(),
        limits: LimitsRequest::default(),
    });
    let mut results = Vec::new();
    for memory in ["0", "536870912"] {
        let arguments = ["--slots", "2", "--warm-memory", memory];
        let mut runner = Runner::spawn(&fleet.services, &arguments).unwrap();
        let warm = async || {
            let beat = fleet.hash(&runner_key(&runner.name)).await.unwrap();
            beat.get("warm").map_or(0, |warm| warm.parse().unwrap())
        };
        let is_ready = async || {
            fleet.run(&python("")).await?;
            Ok(memory == "0" || warm().await > 0)
        };
        eventually("a template is ready", is_ready).await.unwrap();
        let before: u64 = warm().await;
        job.id = JobId::new_v7();
        let mut result = fleet.run(&job).await.unwrap();
        eventually("the beat tells of it", async || {
            Ok(memory == "0" || warm().await > before)
        })
        .await
        .unwrap();
        result.id = "same".parse().unwrap();
        results.push(without_measures(result));
        runner.stop().await.unwrap();
    }
    let [cold, warm] = &results[..] else {
        panic!("there are two");
    };
    assert_eq!(cold, warm);
    let passed = |test: &&TestResult| test.ran.status == Status::Succeeded;
    let passed: Vec<_> = cold.tests.iter().filter(passed).collect();
    let names: Vec<_> = passed.iter().map(|test| &*test.name).collect();
    assert_eq!(names, ["4", "5"], "{cold:#?}");
    assert_eq!(cold.tests[1].diff.as_deref(), Some("checker: not 7"));
}
