//! A runner as its operator sees it: its sign of life, its privileges, its cost at rest, its refusals.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use glovebox_schemas::names::runner_key;
use glovebox_tests::fleet::{eventually, python};
use glovebox_tests::{Fleet, Runner};

#[tokio::test]
async fn its_sign_of_life_is_there_while_it_lives() {
    let fleet = Fleet::new().await.unwrap();
    let mut runner = fleet.runner(3).await.unwrap();
    let key = runner_key(&runner.name);
    eventually("a heartbeat", async || {
        Ok(!fleet.hash(&key).await?.is_empty())
    })
    .await
    .unwrap();
    let sign = fleet.hash(&key).await.unwrap();
    assert_eq!((&*sign["slots"], &*sign["busy"]), ("3", "0"));
    assert_eq!(sign["version"], env!("CARGO_PKG_VERSION"));
    for layer in ["seccomp", "cgroup", "namespaces"] {
        assert!(sign["layers"].split(',').any(|l| l == layer), "{sign:?}");
    }
    let mut redis = fleet.redis.clone();
    let mut ttl = redis::cmd("TTL");
    let ttl: i64 = ttl.arg(&key).query_async(&mut redis).await.unwrap();
    assert!((1..=30).contains(&ttl), "{ttl}");

    runner.stop().await.unwrap();
    assert!(fleet.hash(&key).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_worker_has_no_power_and_the_warden_no_network() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(2).await.unwrap();
    let (worker, warden) = (runner.worker().unwrap(), runner.warden().unwrap());

    let ids = worker.status("Uid").unwrap() + "\t" + &worker.status("Gid").unwrap();
    for id in ids.split_whitespace() {
        let id: u32 = id.parse().unwrap();
        assert!((0x7000_0000..0x7fff_0000).contains(&id), "{ids}");
    }
    assert_eq!(worker.status("Groups").unwrap(), "");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(worker.status(set).unwrap(), "0000000000000000", "{set}");
    }
    assert_eq!(worker.status("NoNewPrivs").unwrap(), "1");

    assert_eq!(warden.network_interfaces().unwrap(), ["lo"]);
    assert_eq!(warden.status("Threads").unwrap(), "1");
    assert_eq!(warden.status("CapBnd").unwrap(), "0000000000000000");
    assert_eq!(runner.supervisor().status("Threads").unwrap(), "1");
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn at_rest_it_costs_next_to_nothing() {
    costs_next_to_nothing(&["--warm-memory", "0"], 0).await;
}

#[tokio::test]
async fn at_rest_what_is_warm_costs_next_to_nothing() {
    costs_next_to_nothing(&[], 4).await;
}

/// The one test that lets time pass: rest is what it measures.
async fn costs_next_to_nothing(more: &[&str], kept_ready: usize) {
    let fleet = Fleet::new().await.unwrap();
    let arguments = [&["--slots", "4"], more].concat();
    let runner = Runner::spawn(&fleet.services, &arguments).unwrap();
    runner.says("consuming").await.unwrap();
    fleet.run(&python("")).await.unwrap();
    let parts = runner.parts().unwrap();
    eventually("whatever is kept ready is ready", async || {
        Ok(runner.warden()?.called("glovebox-ready")?.len() == kept_ready)
    })
    .await
    .unwrap();
    let ticks = || parts.map(|part| part.cpu_ticks().unwrap());
    let before = ticks();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = ticks();
    assert_eq!(before[..2], after[..2], "supervisor and warden only wait");
    // A heartbeat falls into any three seconds.
    assert!(after[2] <= before[2] + 2, "{before:?} {after:?}");

    let memory_kib = runner.memory_kib().unwrap();
    assert!(memory_kib < 30 * 1024, "{memory_kib} KiB");
    fleet.stop_settled(runner).await.unwrap();
}
