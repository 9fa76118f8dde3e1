//! The relay does what it is told, on a server that says everything back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{Door, Flow, Relay};

/// Long enough for a byte to come if it ever does.
const A_MOMENT: Duration = Duration::from_millis(50);

async fn relay() -> Relay {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("echo://user:s@{}/x", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                drop(tokio::io::copy(&mut from, &mut to).await);
            });
        }
    });
    Relay::start(&url).unwrap()
}

async fn connect(relay: &Relay) -> TcpStream {
    let place = crate::services::place(relay.url()).unwrap();
    TcpStream::connect(place).await.unwrap()
}

async fn echo(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(text).await?;
    let mut back = vec![0; text.len()];
    stream.read_exact(&mut back).await?;
    Ok(back)
}

#[tokio::test]
async fn everything_passes_and_is_counted() {
    let relay = relay().await;
    assert!(relay.url().starts_with("echo://user:s@127.0.0.1:"));
    assert!(relay.url().ends_with("/x"));
    let text = vec![7; 1 << 20];
    for made in 1..=3 {
        let mut stream = connect(&relay).await;
        let (mut from, mut to) = stream.split();
        let mut back = Vec::new();
        let sent = async {
            to.write_all(&text).await.unwrap();
            to.shutdown().await.unwrap();
        };
        tokio::join!(sent, async { from.read_to_end(&mut back).await.unwrap() });
        assert!(back == text, "{} bytes", back.len());
        assert_eq!(relay.made(), made);
    }
    while relay.open() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_held_arrives_when_it_is_over() {
    let relay = relay().await;
    let mut stream = connect(&relay).await;
    for hold in [Relay::to_server, Relay::to_client] {
        hold(&relay, Flow::Hold);
        let mut answer = Box::pin(echo(&mut stream, b"held"));
        assert!(timeout(A_MOMENT, &mut answer).await.is_err());
        relay.mend();
        assert_eq!(answer.await.unwrap(), b"held");
    }
}

#[tokio::test]
async fn a_delay_holds_up_and_a_trickle_is_slow() {
    let relay = relay().await;
    let mut stream = connect(&relay).await;
    relay.both(Flow::Delay(Duration::from_millis(40)));
    let start = Instant::now();
    echo(&mut stream, b"late").await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(80));

    relay.mend();
    relay.to_client(Flow::Trickle(20_000));
    let start = Instant::now();
    echo(&mut stream, &[0; 5_000]).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn what_is_cut_ends_and_what_is_reset_breaks() {
    let relay = relay().await;
    let mut stream = connect(&relay).await;
    echo(&mut stream, b"there").await.unwrap();
    relay.cut();
    assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 0);

    let mut stream = connect(&relay).await;
    echo(&mut stream, b"there").await.unwrap();
    relay.reset();
    let error = stream.read(&mut [0; 9]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    echo(&mut connect(&relay).await, b"anew").await.unwrap();
}

#[tokio::test]
async fn a_forgotten_connection_says_nothing_and_a_new_one_works() {
    let relay = relay().await;
    let mut stream = connect(&relay).await;
    echo(&mut stream, b"there").await.unwrap();
    relay.forget();
    echo(&mut connect(&relay).await, b"anew").await.unwrap();
    let answer = timeout(A_MOMENT, echo(&mut stream, b"lost")).await;
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(relay.forgotten(), 1);
    relay.reset();
    assert!(stream.read(&mut [0; 9]).await.is_err());
    gives_up(&relay).await;
}

async fn gives_up(relay: &Relay) {
    let mut stream = connect(relay).await;
    echo(&mut stream, b"there").await.unwrap();
    relay.forget();
    while relay.forgotten() == 0 {
        tokio::task::yield_now().await;
    }
    drop(stream);
    while relay.forgotten() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_shut_door_resets_and_a_mute_one_is_silent() {
    let relay = relay().await;
    relay.door(Door::Shut);
    // The reset may come before connect(2) has returned.
    let place = crate::services::place(relay.url()).unwrap();
    let refused = async { echo(&mut TcpStream::connect(place).await?, b"no").await };
    assert!(refused.await.is_err());
    relay.door(Door::Mute);
    let mut mute = connect(&relay).await;
    let answer = timeout(A_MOMENT, echo(&mut mute, b"hello?")).await;
    assert!(answer.is_err(), "{answer:?}");
    relay.mend();
    echo(&mut connect(&relay).await, b"yes").await.unwrap();
    drop(relay);
    assert_eq!(mute.read(&mut [0; 9]).await.unwrap_or(0), 0);
}
