//! The way out for requests of our own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::rig::{Echo, patterns, ping};
use crate::Verdict;
use crate::out::WayOut;
use crate::resolve::Lookup;

const SOON: Duration = Duration::from_secs(10);

/// Gives these addresses, one after the other, whatever the name.
fn fickle(answers: &'static [[u8; 4]]) -> (Lookup, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let lookup: Lookup = Arc::new(move |_| {
        let turn = count.fetch_add(1, Ordering::SeqCst);
        Ok(vec![answers[turn % answers.len()].into()])
    });
    (lookup, asked)
}

#[tokio::test]
async fn what_is_internal_is_closed_but_for_the_intranet() {
    let echo = Echo::start();
    let closed = WayOut::new(patterns(&["*", "other.example"]), SOON, 1);
    for host in [
        "localhost",
        "127.0.0.1",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "[::1]",
    ] {
        let refused = closed.connect(host, echo.port).await.unwrap_err();
        assert_eq!(refused, Verdict::PrivateAddress, "{host}");
    }
    assert_eq!(echo.accepted(), 0);
    let refused = closed.connect("a b", 80).await.unwrap_err();
    assert_eq!(refused, Verdict::Malformed);
    let open = WayOut::new(patterns(&["localhost", "127.0.0.1"]), SOON, 1);
    for host in ["localhost", "127.0.0.1"] {
        ping(&mut open.connect(host, echo.port).await.unwrap()).await;
    }
}

/// The first answer is checked, and nobody asks again: the second, which would be open, is never seen.
#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let echo = Echo::start();
    let (lookup, asked) = fickle(&[[10, 0, 0, 1], [127, 0, 0, 1]]);
    let way = WayOut::with_lookup(patterns(&["127.0.0.1"]), SOON, 1, lookup);
    let refused = way.connect("fickle.example", echo.port).await.unwrap_err();
    assert_eq!(
        (refused, asked.load(Ordering::SeqCst)),
        (Verdict::PrivateAddress, 1)
    );
    ping(&mut way.connect("fickle.example", echo.port).await.unwrap()).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_resolver_that_hangs_is_not_waited_for() {
    let (release, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let lookup: Lookup = Arc::new(move |_| {
        // Until the test has seen the verdict.
        held.lock().unwrap().recv().unwrap_or_default();
        Ok(vec![])
    });
    let way = WayOut::with_lookup(vec![], Duration::from_millis(50), 1, lookup);
    for _ in 0..2 {
        let refused = way.connect("hangs.example", 80).await.unwrap_err();
        assert_eq!(refused, Verdict::Unresolved);
    }
    drop(release);
}
