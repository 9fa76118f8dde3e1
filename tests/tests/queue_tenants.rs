//! Tenants: each has its share of a fleet whatever others send, stays within its limits, and is charged.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::names::{queue, running_key};
use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::fleet::{GATE, eventually, gate, python};
use glovebox_tests::{Fleet, Rabbit, Redis, Services};
use jiff::Timestamp;
use serde_json::Value;

/// A fleet with a Redis of its own: which tenants there are is known to all runners on it.
async fn fleet() -> (Fleet, Redis) {
    let redis = Redis::start().unwrap();
    let services = Services {
        amqp_url: Services::isolated_vhost().unwrap(),
        redis_url: redis.url().to_owned(),
    };
    (Fleet::on(services).await.unwrap(), redis)
}

fn of(tenant: &str, mut job: Job) -> Job {
    job.tenant = tenant.to_owned();
    job
}

async fn submit(fleet: &Fleet, jobs: &[Job]) {
    let submitted = stream::iter(jobs).map(|job| fleet.client.submit(job));
    let submitted = submitted.buffer_unordered(64);
    submitted
        .for_each(|one| {
            one.unwrap();
            std::future::ready(())
        })
        .await;
}

async fn glovebox(fleet: &Fleet, arguments: &[&str]) -> String {
    let said = fleet.glovebox(arguments).await.unwrap();
    assert_eq!(said.code, Some(0), "{said:?}");
    said.stdout
}

async fn runs(fleet: &Fleet, tenant: &str) -> usize {
    fleet.hash(&running_key(tenant)).await.unwrap().len()
}

/// When a job that has begun began, in milliseconds.
async fn since(fleet: &Fleet, id: &JobId) -> Option<i64> {
    let state = fleet.state(id).await.unwrap();
    state.get("since").and_then(|ms| ms.parse().ok())
}

#[tokio::test]
async fn one_job_waits_for_its_fair_share_behind_a_thousand_of_others() {
    const SLOTS: usize = 2;
    let (fleet, _redis) = fleet().await;
    // One has most of them; the others see to it that many wait in the runner, too.
    let big = (0..1000).map(|number| {
        let tenant = format!("big-{}", if number < 500 { 0 } else { number % 6 });
        of(&tenant, python("import time; time.sleep(0.05)"))
    });
    let big: Vec<Job> = big.collect();
    submit(&fleet, &big).await;
    // It was not there when the queue was made, and it is there when the next one is.
    let runner = fleet.runner(u16::try_from(SLOTS).unwrap()).await.unwrap();
    fleet.result(&big[0].id).await.unwrap();
    let first = fleet.run(&of("small", python(""))).await.unwrap();
    assert_eq!(first.status, Status::Succeeded);

    for _ in 0..5 {
        let small = of("small", python(""));
        let from = Timestamp::now().as_millisecond();
        let result = fleet.run(&small).await.unwrap();
        let to = result.times.started_at.unwrap().as_millisecond();
        let mut before = 0;
        for job in &big {
            let since = since(&fleet, &job.id).await;
            before += usize::from(since.is_some_and(|at| from < at && at < to));
        }
        // One start of another's in each slot is what it would wait for if every second start were its own.
        assert!(before <= 2 * SLOTS, "{before} of others' began before it");
    }
    assert!(fleet.waiting("default.big-0").await.unwrap() > 0);
    drop(runner);
}

/// The most results that ran at one time.
fn at_one_time(results: &[JobResult]) -> usize {
    let mut events: Vec<(Timestamp, i32)> = Vec::new();
    for result in results {
        events.push((result.times.started_at.unwrap(), 1));
        events.push((result.times.finished_at.unwrap(), -1));
    }
    events.sort_unstable();
    let running = events.iter().scan(0, |running, (_, change)| {
        *running += change;
        Some(*running)
    });
    usize::try_from(running.max().unwrap()).unwrap()
}

#[tokio::test]
async fn no_more_run_than_may_in_a_whole_fleet() {
    let (fleet, _redis) = fleet().await;
    glovebox(&fleet, &["tenants", "set", "acme", "--max-running", "3"]).await;
    let runners = [
        fleet.runner(3).await.unwrap(),
        fleet.runner(3).await.unwrap(),
    ];
    let jobs: Vec<Job> = (0..40)
        .map(|_| of("acme", python("import time; time.sleep(0.05)")))
        .collect();
    submit(&fleet, &jobs).await;
    let mut results = Vec::new();
    for job in &jobs {
        results.push(fleet.result(&job.id).await.unwrap());
    }
    assert_eq!(at_one_time(&results), 3);
    assert_eq!(runs(&fleet, "acme").await, 0);
    for mut runner in runners {
        runner.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_tenant_at_its_limit_keeps_no_other_waiting_and_a_killed_runners_places_come_free() {
    let (fleet, _redis) = fleet().await;
    glovebox(&fleet, &["tenants", "set", "*", "--max-running", "2"]).await;
    glovebox(&fleet, &["tenants", "set", "free", "--max-running", "none"]).await;
    let first = fleet.runner(4).await.unwrap();
    let jobs: Vec<Job> = (0..6).map(|_| of("acme", gate())).collect();
    submit(&fleet, &jobs).await;
    eventually("two run", async || Ok(runs(&fleet, "acme").await == 2))
        .await
        .unwrap();
    // Two slots are left, and nobody else is at its limit.
    let other = fleet.run(&of("other", python("print(1)"))).await.unwrap();
    assert_eq!(other.stdout, "1\n");
    let free: Vec<Job> = (0..2).map(|_| of("free", gate())).collect();
    submit(&fleet, &free).await;
    for job in &free {
        fleet.started(&job.id, 1).await.unwrap();
    }
    let mut starts = 0;
    for job in &jobs {
        starts += fleet.starts(&job.id).await.unwrap();
    }
    assert_eq!(starts, 2);

    let next = fleet.runner(8).await.unwrap();
    first
        .supervisor()
        .signal(nix::sys::signal::Signal::SIGKILL)
        .unwrap();
    // Jobs that lost their runner run one by one, and those behind them have the place that is left.
    eventually("two run there", async || {
        let running = fleet.hash(&running_key("acme")).await?;
        assert!(running.len() <= 2);
        Ok(running.len() == 2 && running.values().all(|one| one.ends_with(&next.name)))
    })
    .await
    .unwrap();
    eventually("all are done", async || {
        assert!(runs(&fleet, "acme").await <= 2);
        // Between two there may be none.
        next.release().ok();
        let mut done = 0;
        for job in jobs.iter().chain(&free) {
            done += usize::from(fleet.stored(&job.id).await?.is_some());
        }
        Ok(done == jobs.len() + free.len())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_foreign_clients_send_for_a_tenant_at_its_limit_keeps_no_other_waiting() {
    let (fleet, _redis) = fleet().await;
    glovebox(&fleet, &["tenants", "set", "acme", "--max-running", "1"]).await;
    let mut runner = fleet.runner(2).await.unwrap();
    for _ in 0..6 {
        let job = of("acme", gate());
        // Into the queue of the whole lane.
        fleet
            .publish("default", &job.to_wire_json(), None)
            .await
            .unwrap();
    }
    eventually("one runs", async || Ok(runs(&fleet, "acme").await == 1))
        .await
        .unwrap();
    let other = fleet.run(&python("print('ran')")).await.unwrap();
    assert_eq!(other.stdout, "ran\n");
    runner.terminate().unwrap();
    runner.says("nothing new is taken").await.unwrap();
    runner.release().unwrap();
    runner.ended().await.unwrap();
}

#[tokio::test]
async fn what_a_tenant_has_used_is_the_sum_of_its_results() {
    let (fleet, _redis) = fleet().await;
    let runner = fleet.runner(2).await.unwrap();
    let programs = [
        "print('x' * 1000)",
        "raise SystemExit(3)",
        "import time; time.sleep(0.1)",
    ];
    let (mut wall_us, mut cpu_us, mut bytes) = (0.0, 0.0, 0);
    for program in programs {
        let job = of("acme", python(program));
        let result = fleet.run(&job).await.unwrap();
        let usage = result.usage.unwrap();
        wall_us += usage.wall_ms * 1000.0;
        cpu_us += (usage.cpu_user_ms + usage.cpu_system_ms) * 1000.0;
        bytes += fleet.stored(&job.id).await.unwrap().unwrap().len();
    }
    fleet.run(&python("")).await.unwrap();

    let said = glovebox(&fleet, &["tenants", "usage", "--json", "--days", "2"]).await;
    let days: Vec<Value> = serde_json::from_str(&said).unwrap();
    let sum = |tenant: &str, what: &str| -> u64 {
        let days = days.iter().filter(|day| day["tenant"] == tenant);
        days.map(|day| day[what].as_u64().unwrap()).sum()
    };
    assert_eq!((sum("acme", "jobs"), sum("default", "jobs")), (3, 1));
    // Each result is rounded to a microsecond.
    let is_close = |exact: f64, counted: u64| (exact - counted as f64).abs() <= 3.0;
    assert!(is_close(wall_us, sum("acme", "wall_us")), "{said}");
    assert!(is_close(cpu_us, sum("acme", "cpu_us")), "{said}");
    assert_eq!(sum("acme", "result_bytes"), bytes as u64);
    assert!(sum("acme", "memory_mib_ms") > 0);
    let table = glovebox(&fleet, &["tenants", "usage", "acme", "--days", "2"]).await;
    assert!(
        table.contains("acme") && !table.contains("default"),
        "{table}"
    );
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn the_queue_of_a_tenant_outlives_its_broker() {
    let redis = Redis::start().unwrap();
    let rabbit = Rabbit::start().unwrap();
    let services = Services {
        amqp_url: rabbit.url().to_owned(),
        redis_url: redis.url().to_owned(),
    };
    let fleet = Fleet::on(services.clone()).await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    // A quorum queue that is younger than a second may lose what it has confirmed, and answer nobody afterwards.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        fleet.run(&of("acme", python(""))).await.unwrap();
    }
    let gate = of("acme", gate());
    fleet.client.submit(&gate).await.unwrap();
    fleet.started(&gate.id, 1).await.unwrap();
    let job = of("acme", python("print('here')"));
    fleet.client.submit(&job).await.unwrap();
    eventually("the queue has settled", async || {
        Ok(services.messages(&queue("default.acme"))? == 2)
    })
    .await
    .unwrap();
    rabbit.kill().unwrap();
    rabbit.restart().unwrap();
    eventually("it goes on", async || {
        runner.release().ok();
        Ok(fleet.stored(&job.id).await?.is_some())
    })
    .await
    .unwrap_or_else(|error| panic!("{error}:\n{}", runner.log()));
    assert_eq!(fleet.result(&gate.id).await.unwrap().attempt, 1);
    // The client makes the next connection itself.
    let again = fleet
        .run(&of("acme", python("print('again')")))
        .await
        .unwrap();
    assert_eq!(again.stdout, "again\n");
}

#[tokio::test]
async fn tenants_are_listed_with_their_limits_and_forgotten() {
    let (fleet, _redis) = fleet().await;
    let set = [
        "tenants",
        "set",
        "acme",
        "--rate",
        "2.5",
        "--max-queued",
        "9",
        "--burst",
        "none",
    ];
    glovebox(&fleet, &set).await;
    fleet
        .client
        .submit(&of("acme", python(GATE)))
        .await
        .unwrap();
    let said = glovebox(&fleet, &["tenants", "show", "acme", "--json"]).await;
    let expected = serde_json::json!([{
        "name": "acme",
        "running": 0,
        "queued": 1,
        "limits": { "max_running": null, "max_queued": 9.0, "rate": 2.5, "burst": 0.0 },
    }]);
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), expected);
    glovebox(&fleet, &["tenants", "set", "acme", "--rate", "default"]).await;
    let table = glovebox(&fleet, &["tenants", "list"]).await;
    assert!(table.contains("acme") && !table.contains("2.5"), "{table}");
    glovebox(&fleet, &["tenants", "remove", "acme"]).await;
    let said = glovebox(&fleet, &["tenants", "show", "acme", "--json"]).await;
    assert!(said.contains("\"max_queued\":null"), "{said}");
    for wrong in [
        &["tenants", "set", "a b", "--rate", "1"][..],
        &["tenants", "set", "acme", "--rate", "-1"],
        &["tenants", "set", "acme", "--max-running", "1.5"],
        &["tenants", "set", "acme"],
        &["tenants", "show", "nobody"],
    ] {
        let said = fleet.glovebox(wrong).await.unwrap();
        assert_eq!(said.code, Some(2), "{said:?}");
    }
}
