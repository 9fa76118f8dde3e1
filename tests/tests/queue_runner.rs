//! A runner as its operator sees it: its sign of life, its privileges, its cost at rest, its refusals.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use glovebox_schemas::names::runner_key;
use glovebox_tests::fleet::{eventually, glovebox, python};
use glovebox_tests::{Fleet, Services};

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

/// The one test that lets time pass: rest is what it measures.
#[tokio::test]
async fn at_rest_it_costs_next_to_nothing() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(4).await.unwrap();
    fleet.run(&python("")).await.unwrap();
    let parts = runner.parts().unwrap();
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

/// `scheme://user:password@host:port/path` with one part exchanged.
fn with(url: &str, from: &str, to: &str) -> String {
    assert!(url.contains(from), "{url}");
    url.replacen(from, to, 1)
}

/// A port of the loopback on which nothing listens: it was ours a moment ago.
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// `host:port` of a URL.
fn place(url: &str) -> &str {
    let rest = url.split_once("://").unwrap().1;
    let rest = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    rest.split('/').next().unwrap()
}

#[tokio::test]
async fn a_service_that_cannot_be_used_is_named_with_the_mend() {
    let good = Services::isolated().unwrap();
    // Only a client that finds a queue gets as far as publishing; it is the connection that is tested here.
    let _fleet = Fleet::on(good.clone()).await.unwrap();
    let (rabbit, redis) = (place(&good.amqp_url), place(&good.redis_url));
    let vhost = good.amqp_url.rsplit_once('/').unwrap().1;
    let closed = format!("127.0.0.1:{}", closed_port());
    let amqp = |url: String| Services {
        amqp_url: url,
        redis_url: good.redis_url.clone(),
    };
    let store = |url: String| Services {
        amqp_url: good.amqp_url.clone(),
        redis_url: url,
    };
    let cases = [
        (
            amqp(with(&good.amqp_url, "guest:guest", "guest:s3cret")),
            "refused the user name or the password",
        ),
        (
            amqp(format!("amqp://nobody:s3cret@{rabbit}/{vhost}")),
            "refused the user name or the password",
        ),
        (
            amqp(with(&good.amqp_url, vhost, "not-there")),
            "gives no access to the virtual host \"not-there\"",
        ),
        (
            amqp(format!("amqp://guest:s3cret@{closed}/{vhost}")),
            "is out of reach",
        ),
        (
            amqp("amqp//guest:s3cret@127.0.0.1".into()),
            "cannot be used",
        ),
        (
            store(format!("redis://:s3cret@{redis}/0")),
            "refused the user name or the password",
        ),
        (
            store(format!("redis://:s3cret@{closed}/0")),
            "is out of reach",
        ),
        (store(format!("redis://{rabbit}/0")), "is not Redis"),
        (store("redis:s3cret".into()), "cannot be used"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("main.py");
    std::fs::write(&program, "").unwrap();
    let submit = ["submit", program.to_str().unwrap()];
    for (services, expected) in &cases {
        for arguments in [&["runner", "--slots", "1"][..], &submit[..]] {
            let said = glovebox(services, arguments).await.unwrap();
            let shown = format!("{services:?} {arguments:?}: {said:#?}");
            assert_eq!(said.code, Some(4), "{shown}");
            assert_eq!(said.stdout, "", "{shown}");
            assert!(!said.stderr.contains("s3cret"), "{shown}");
            // lapin logs on its own account.
            let lines = said
                .stderr
                .lines()
                .filter(|line| !line.contains(" lapin::"));
            let lines: Vec<_> = lines.collect();
            let [line, mend] = lines[..] else {
                panic!("one line and its mend: {shown}");
            };
            assert!(line.starts_with("glovebox: "), "{shown}");
            assert!(line.contains(expected), "{expected}: {shown}");
            assert!(mend.starts_with("  mend: "), "{shown}");
        }
    }
}
