//! Which addresses are connected to.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, mpsc};

use super::rig::{Echo, IMPATIENT, Names, Rig, listen, patterns, ping, policy};
use crate::keeper::Patience;
use crate::{Doors, Gate, Permit, Verdict};

const NAMES: Names = &[
    ("home", &["127.0.0.1"]),
    ("rebound", &["127.0.0.1"]),
    (
        "metadata",
        &["169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0", "::1"],
    ),
    ("mixed", &["10.255.255.1", "127.0.0.2"]),
    ("twice", &["127.0.0.3", "127.0.0.1"]),
];

#[tokio::test]
async fn a_private_address_is_open_only_where_the_intranet_says_so() {
    let echo = Echo::start();
    let rig = Rig::open(policy(echo.port), NAMES);
    for (host, status) in [
        ("home", "200 OK"),
        ("rebound", "403 Forbidden"),
        ("metadata", "403 Forbidden"),
        ("127.0.0.1", "403 Forbidden"),
        ("2130706433", "403 Forbidden"),
        ("0177.1", "403 Forbidden"),
        ("[::ffff:127.0.0.1]", "403 Forbidden"),
        ("0.0.0.0", "403 Forbidden"),
    ] {
        let (mut stream, said) = rig.connect(&format!("{host}:{}", echo.port)).await;
        assert!(said.ends_with(status), "{host}: {said}");
        if status == "200 OK" {
            ping(&mut stream).await;
        }
    }
    assert_eq!(echo.accepted(), 1);
    assert_eq!(rig.verdicts().await[1..], [Verdict::PrivateAddress; 7]);
}

#[tokio::test]
async fn closed_addresses_are_skipped_and_open_ones_tried_in_turn() {
    let echo = Echo::start();
    let mut policy = policy(echo.port);
    policy.intranet = patterns(&["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
    let rig = Rig::open(policy, NAMES);
    // The server listens at 127.0.0.1 only, so the first one of `twice` refuses.
    let (_stream, said) = rig.connect(&format!("twice:{}", echo.port)).await;
    assert_eq!(said, "HTTP/1.1 200 OK");
    let (_stream, said) = rig.connect(&format!("mixed:{}", echo.port)).await;
    assert_eq!(said, "HTTP/1.1 502 Bad Gateway");
    let account = rig.close().await;
    assert_eq!(account.connections[0].address, Some([127, 0, 0, 1].into()));
    assert_eq!(account.connections[1].verdict, Verdict::Unreachable);
}

/// The second answer would be open; nobody asks for it.
#[tokio::test]
async fn a_name_is_resolved_once() {
    let echo = Echo::start();
    let answers = Mutex::new(vec![[127, 0, 0, 1], [10, 0, 0, 1]]);
    let lookup = Arc::new(move |_: &str| {
        Ok(answers
            .lock()
            .unwrap()
            .pop()
            .map(Into::into)
            .into_iter()
            .collect())
    });
    let mut policy = policy(echo.port);
    policy.intranet = patterns(&["127.0.0.1"]);
    let gate = Gate::start().unwrap();
    let (http, socks) = (listen("127.0.0.1:0"), listen("127.0.0.1:0"));
    let address = http.local_addr().unwrap();
    let doors = Doors {
        http: http.into(),
        socks: socks.into(),
    };
    let passage = gate
        .open_with(doors, policy, Permit::always(), Patience::default(), lookup)
        .unwrap();
    let mut rig = Rig::open(super::rig::policy(1), NAMES);
    rig.http = address;
    let (_stream, said) = rig.connect(&format!("fickle:{}", echo.port)).await;
    assert_eq!(said, "HTTP/1.1 403 Forbidden");
    let account = passage.close().await;
    assert_eq!(account.connections[0].verdict, Verdict::PrivateAddress);
    assert_eq!(echo.accepted(), 0);
}

#[tokio::test]
async fn a_name_that_is_not_open_is_not_looked_up() {
    let mut policy = policy(80);
    policy.hosts.push(patterns(&["home"]));
    let rig = Rig::open(policy, NAMES);
    rig.connect("secret.example:80").await;
    rig.connect("home:81").await;
    assert_eq!(rig.lookups.load(Ordering::SeqCst), 0);
    assert_eq!(
        rig.verdicts().await,
        [Verdict::HostNotAllowed, Verdict::PortNotAllowed]
    );
}

#[tokio::test]
async fn a_resolver_that_hangs_is_not_waited_for() {
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let lookup = Arc::new(move |_: &str| {
        // Until the test has seen the verdict.
        held.lock().unwrap().recv().unwrap_or_default();
        Ok(vec![])
    });
    let gate = Gate::start().unwrap();
    let (http, socks) = (listen("127.0.0.1:0"), listen("127.0.0.1:0"));
    let mut rig = Rig::open(policy(1), NAMES);
    rig.http = http.local_addr().unwrap();
    let doors = Doors {
        http: http.into(),
        socks: socks.into(),
    };
    let passage = gate
        .open_with(doors, policy(80), Permit::always(), IMPATIENT, lookup)
        .unwrap();
    let (_stream, said) = rig.connect("hangs:80").await;
    assert_eq!(said, "HTTP/1.1 502 Bad Gateway");
    assert_eq!(
        passage.close().await.connections[0].verdict,
        Verdict::Unresolved
    );
    drop(gate);
    drop(release);
}
