//! What is tried again, how often, and what becomes of it then.

use std::time::{Duration, Instant};

use glovebox_callbacks::{Schedule, Shares};
use glovebox_tests::Services;
use glovebox_tests::fleet::eventually;
use glovebox_tests::receiver::{Receiver, Reply};

use crate::rig::{QUICK, Rig};

#[tokio::test]
async fn a_receiver_that_fails_twice_gets_the_same_a_third_time() {
    let rig = Rig::start().await;
    let reply = |n| Reply::status(if n < 2 { 500 } else { 200 });
    let receiver = Receiver::start(reply).await.unwrap();
    let order = rig.order(&receiver.url("/")).await;
    for heard in receiver.heard(3).await.unwrap() {
        assert_eq!(heard.body, order.body());
        assert_eq!(heard.headers["glovebox-delivery"], order.id.as_str());
    }
    rig.stop_settled().await;
    assert_eq!(receiver.so_far().len(), 3);
}

#[tokio::test]
async fn after_the_last_attempt_it_is_a_dead_letter_with_its_history() {
    let rig = Rig::start().await;
    let receiver = Receiver::start(|_| Reply::status(503)).await.unwrap();
    let order = rig.order(&receiver.url("/")).await;
    let dead = rig.dead_letter().await;
    assert_eq!(dead.reason, "callback_http_503");
    assert_eq!(dead.ends(), ["http_503"; 3]);
    assert_eq!(dead.body, order.to_json());
    let numbers: Vec<u32> = dead.attempts.iter().map(|one| one.attempt).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(dead.attempts.iter().all(|one| one.runner == "deliverer-1"));
    assert!(dead.attempts.is_sorted_by_key(|one| one.started_at));
    rig.stop_settled().await;
    assert_eq!(receiver.so_far().len(), 3);
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_tried_as_often() {
    let rig = Rig::start().await;
    let nobody = Receiver::start(|_| Reply::status(200))
        .await
        .unwrap()
        .url("/");
    rig.order(&nobody).await;
    let dead = rig.dead_letter().await;
    assert_eq!(dead.ends(), ["unreachable"; 3]);
    rig.stop_settled().await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_for_good_is_asked_once() {
    let rig = Rig::start().await;
    let receiver = Receiver::start(|_| Reply::status(410)).await.unwrap();
    rig.order(&receiver.url("/")).await;
    let dead = rig.dead_letter().await;
    assert_eq!(
        (&*dead.reason, dead.ends()),
        ("callback_http_410", vec!["http_410"])
    );
    rig.stop_settled().await;
    assert_eq!(receiver.so_far().len(), 1);
}

#[tokio::test]
async fn a_receiver_may_ask_for_more_time_within_bounds() {
    const LONGEST: Duration = Duration::from_millis(1500);
    let schedule = Schedule {
        longest: LONGEST,
        ..QUICK
    };
    let rig = Rig::start_with(|config| config.schedule = schedule).await;
    let wait = "HTTP/1.1 429 X\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n";
    let reply = move |n| match n {
        0 => Reply::Say(wait.to_owned()),
        _ => Reply::status(200),
    };
    let receiver = Receiver::start(reply).await.unwrap();
    let began = Instant::now();
    rig.order(&receiver.url("/")).await;
    receiver.heard(2).await.unwrap();
    assert!(began.elapsed() >= LONGEST, "{:?}", began.elapsed());
    rig.stop_settled().await;
}

/// All of a receiver's share is taken by callbacks that it never answers; others wait in the broker and not here.
#[tokio::test]
async fn a_receiver_that_hangs_does_not_hold_up_another() {
    let rig = Rig::start_with(|config| {
        config.shares = Shares {
            all: 4,
            host: 2,
            tenant: 3,
        };
        config.schedule.attempts = 100;
    })
    .await;
    let hung = Receiver::start(|_| Reply::Hang("")).await.unwrap();
    let fine = Receiver::start(|_| Reply::status(200)).await.unwrap();
    for _ in 0..20 {
        rig.order(&hung.url("/")).await;
    }
    hung.heard(2).await.unwrap();
    for count in 1..=5 {
        rig.order(&fine.url("/")).await;
        fine.heard(count).await.unwrap();
    }
    assert_eq!(hung.so_far().len(), 2);
    // One tenant has another place, on whichever host; its share is not all.
    let third = Receiver::start(|_| Reply::Hang("")).await.unwrap();
    rig.order(&third.url("/")).await;
    rig.order(&third.url("/")).await;
    third.heard(1).await.unwrap();
    rig.order_of("other", &fine.url("/")).await;
    fine.heard(6).await.unwrap();
    assert_eq!(third.so_far().len(), 1);
}

/// What waits is the broker's: a deliverer that dies takes nothing along.
#[tokio::test]
async fn another_deliverer_goes_on_where_one_was_lost() {
    let rig = Rig::start().await;
    let receiver = Receiver::start(|n| match n {
        0 => Reply::Hang(""),
        _ => Reply::status(200),
    })
    .await
    .unwrap();
    let order = rig.order(&receiver.url("/")).await;
    receiver.heard(1).await.unwrap();
    rig.services.close_connections().unwrap();
    let heard = receiver.heard(2).await.unwrap();
    assert_eq!(heard[1].headers["glovebox-delivery"], order.id.as_str());
    let left = |services: &Services| services.messages("glovebox.callbacks");
    eventually("it is settled", async || Ok(left(&rig.services)? == 0))
        .await
        .unwrap();
}
