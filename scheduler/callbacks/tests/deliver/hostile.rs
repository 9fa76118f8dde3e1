//! Receivers that mean harm, or are not what they seem.

use std::time::Duration;

use glovebox_callbacks::Patience;
use glovebox_tests::receiver::{Receiver, Reply};

use crate::rig::Rig;

/// Each of three attempts ends so, and the receiver hears `requests` of them.
async fn ends(reply: Reply, ended: &str, requests: usize) {
    let rig = Rig::start_with(|config| {
        config.patience = Patience {
            connect: Duration::from_secs(5),
            total: Duration::from_millis(300),
        };
    })
    .await;
    let receiver = Receiver::start(move |_| reply.clone()).await.unwrap();
    rig.order(&receiver.url("/")).await;
    let dead = rig.dead_letter().await;
    assert_eq!(dead.ends(), vec![ended; requests]);
    rig.stop_settled().await;
    assert_eq!(receiver.so_far().len(), requests);
}

#[tokio::test]
async fn what_is_internal_is_never_asked() {
    let rig = Rig::start_with(|config| config.intranet.clear()).await;
    let receiver = Receiver::start(|_| Reply::status(200)).await.unwrap();
    let port = receiver.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
    ] {
        rig.order(&format!("http://{host}:{port}/")).await;
        let dead = rig.dead_letter().await;
        assert_eq!(dead.reason, "callback_private_address", "{host}");
        assert_eq!(dead.ends(), ["private_address"], "{host}");
    }
    rig.order("http://169.254.169.254/latest/meta-data/").await;
    assert_eq!(rig.dead_letter().await.ends(), ["private_address"]);
    rig.stop_settled().await;
    assert_eq!(receiver.so_far().len(), 0);
}

/// The address is open, the name is not: what was checked is the name's address.
#[tokio::test]
async fn a_network_is_opened_and_a_name_in_it_with_it() {
    let rig = Rig::start().await;
    let receiver = Receiver::start(|_| Reply::status(200)).await.unwrap();
    rig.order(&format!("http://localhost:{}/", receiver.port()))
        .await;
    receiver.heard(1).await.unwrap();
    rig.stop_settled().await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let rig = Rig::start().await;
    let other = Receiver::start(|_| Reply::status(200)).await.unwrap();
    let to = other.url("/");
    let reply = move |_| {
        Reply::Say(format!(
            "HTTP/1.1 307 X\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
        ))
    };
    let receiver = Receiver::start(reply).await.unwrap();
    rig.order(&receiver.url("/")).await;
    assert_eq!(rig.dead_letter().await.ends(), ["http_307"; 3]);
    rig.stop_settled().await;
    assert_eq!(other.so_far().len(), 0);
}

#[tokio::test]
async fn one_that_says_nothing_is_given_up() {
    ends(Reply::Hang(""), "timeout", 3).await;
}

#[tokio::test]
async fn one_that_drips_its_head_is_given_up() {
    ends(Reply::Hang("HTTP/1.1 200 X\r\nX-A: "), "timeout", 3).await;
}

#[tokio::test]
async fn one_whose_head_has_no_end_is_given_up() {
    ends(Reply::Flood("HTTP/1.1 200 X\r\n\tmore"), "broken", 3).await;
}

#[tokio::test]
async fn one_that_says_continue_for_ever_is_given_up() {
    ends(Reply::Flood("HTTP/1.1 100 Continue\r\n\r\n"), "timeout", 3).await;
}

#[tokio::test]
async fn one_that_does_not_speak_http_is_given_up() {
    ends(
        Reply::Say("220 smtp.example.org ESMTP\r\n".to_owned()),
        "broken",
        3,
    )
    .await;
}

/// What comes after the status is not waited for, and not kept.
#[tokio::test]
async fn a_body_without_end_delays_nothing() {
    let rig = Rig::start().await;
    let head = "HTTP/1.1 200 X\r\nContent-Length: 999999999999\r\n\r\n";
    for reply in [Reply::Hang(head), Reply::Flood(head)] {
        let receiver = Receiver::start(move |_| reply.clone()).await.unwrap();
        rig.order(&receiver.url("/")).await;
        receiver.heard(1).await.unwrap();
    }
    rig.stop_settled().await;
}

#[tokio::test]
async fn a_receiver_without_tls_is_no_https() {
    let rig = Rig::start().await;
    let receiver = Receiver::start(|_| Reply::status(200)).await.unwrap();
    rig.order(&receiver.url("/").replace("http:", "https:"))
        .await;
    let dead = rig.dead_letter().await;
    assert_eq!(dead.ends(), ["tls_failed"; 3]);
    rig.stop_settled().await;
}
