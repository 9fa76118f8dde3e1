//! What ends a job's connections.

use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::rig::{Echo, Names, Rig, Site, ping, policy, read_all, read_head};
use crate::Verdict;

const HOME: Names = &[("home", &["127.0.0.1"])];

#[tokio::test]
async fn bytes_are_cut_at_the_limit_over_all_connections() {
    let echo = Echo::start();
    let mut policy = policy(echo.port);
    policy.bytes = 100;
    let rig = Rig::open(policy, HOME);
    let target = format!("home:{}", echo.port);
    let (mut first, _) = rig.connect(&target).await;
    first.write_all(&[7; 30]).await.unwrap();
    first.read_exact(&mut [0; 30]).await.unwrap();
    let (mut second, _) = rig.connect(&target).await;
    second.write_all(&[7; 35]).await.unwrap();
    assert!(read_all(&mut second).await.len() <= 5);
    let (_third, said) = rig.connect(&target).await;
    assert_eq!(said, "HTTP/1.1 403 Forbidden");
    let account = rig.close().await;
    let bytes = account
        .connections
        .iter()
        .map(|one| one.bytes_sent + one.bytes_received);
    assert_eq!(bytes.sum::<u64>(), 100);
    let verdicts: Vec<Verdict> = account.connections.iter().map(|one| one.verdict).collect();
    assert_eq!(
        verdicts,
        [Verdict::Allowed, Verdict::ByteLimit, Verdict::ByteLimit]
    );
}

#[tokio::test]
async fn nothing_passes_once_the_permit_is_gone() {
    let echo = Echo::start();
    let rig = Rig::open(policy(echo.port), HOME);
    let (mut open, _) = rig.connect(&format!("home:{}", echo.port)).await;
    open.write_all(&[7; 30]).await.unwrap();
    open.read_exact(&mut [0; 30]).await.unwrap();
    rig.permitted.store(false, Ordering::SeqCst);
    // The job's end may be closed by the time it is written to.
    open.write_all(&[7; 30]).await.ok();
    assert_eq!(read_all(&mut open).await, "");
    let account = rig.close().await;
    assert_eq!(account.connections[0].bytes_sent, 30);
}

#[tokio::test]
async fn plain_requests_are_cut_at_the_limit() {
    let site = Site::start("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    let mut policy = policy(site.port);
    policy.bytes = 20;
    let rig = Rig::open(policy, HOME);
    let said = rig
        .raw(format!("GET http://home:{}/ HTTP/1.1\r\n\r\n", site.port))
        .await;
    assert!(
        said.contains("403 Forbidden") && said.contains("byte_limit"),
        "{said}"
    );
    let account = rig.close().await;
    assert_eq!(account.connections[0].bytes_sent, 20);
    assert_eq!(account.connections[0].verdict, Verdict::ByteLimit);
}

#[tokio::test]
async fn connections_are_counted_and_refused_beyond_the_limit() {
    let echo = Echo::start();
    let mut policy = policy(echo.port);
    policy.connections = 2;
    let rig = Rig::open(policy, HOME);
    let target = format!("home:{}", echo.port);
    for status in ["200 OK", "200 OK", "403 Forbidden"] {
        let (mut stream, said) = rig.connect(&target).await;
        assert!(said.ends_with(status), "{said}");
        if status == "200 OK" {
            ping(&mut stream).await;
        }
    }
    assert_eq!(echo.accepted(), 2);
    let verdicts = rig.verdicts().await;
    assert_eq!(
        verdicts,
        [Verdict::Allowed, Verdict::Allowed, Verdict::ConnectionLimit]
    );
}

#[tokio::test]
async fn a_job_that_goes_on_asking_finds_the_gate_closed() {
    let mut policy = policy(1);
    policy.connections = 2;
    let rig = Rig::open(policy, HOME);
    let asked = 5_000;
    let mut stream = TcpStream::connect(rig.http).await.unwrap();
    let (mut answers, mut requests) = stream.split();
    let ask = async {
        for _ in 0..asked {
            // Fails once the gate has closed.
            let request = b"GET http://home:2/ HTTP/1.1\r\n\r\n";
            if requests.write_all(request).await.is_err() {
                return;
            }
        }
    };
    let mut said = Vec::new();
    // A reset, where requests were left unread.
    let (read, ()) = tokio::join!(answers.read_to_end(&mut said), ask);
    drop(read);
    let answered = String::from_utf8_lossy(&said)
        .matches("403 Forbidden")
        .count();
    assert!(answered <= 1_002, "{answered}");
    // Whoever comes afterwards finds nobody, or is let go at once.
    for door in [rig.http, rig.socks] {
        if let Ok(mut late) = TcpStream::connect(door).await {
            late.write_all(&[5, 1, 0]).await.unwrap_or_default();
            assert!(matches!(late.read(&mut [0; 9]).await, Ok(0) | Err(_)));
        }
    }
    let account = rig.close().await;
    assert_eq!(account.connections.len() as u64 + account.unlisted, 1_002);
}

#[tokio::test]
async fn so_many_are_open_at_once_and_the_next_waits() {
    let echo = Echo::start();
    let rig = Rig::open(policy(echo.port), HOME);
    let target = format!("home:{}", echo.port);
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(rig.connect(&target).await.0);
    }
    let mut next = TcpStream::connect(rig.http).await.unwrap();
    next.write_all(format!("CONNECT {target} HTTP/1.1\r\n\r\n").as_bytes())
        .await
        .unwrap();
    // A whole turn of an open one: had the next been let in, the server would have seen it by now.
    for stream in &mut open {
        ping(stream).await;
    }
    assert_eq!(echo.accepted(), 64);
    open.pop();
    assert!(read_head(&mut next).await.starts_with("HTTP/1.1 200 OK"));
    ping(&mut next).await;
    assert_eq!(echo.accepted(), 65);
}

#[tokio::test]
async fn the_books_are_bounded() {
    let mut policy = policy(80);
    policy.hosts = vec![];
    let rig = Rig::open(policy, HOME);
    let said = rig
        .raw("GET http://home/ HTTP/1.1\r\n\r\n".repeat(1_007))
        .await;
    assert_eq!(said.matches("403 Forbidden").count(), 1_007);
    let account = rig.close().await;
    assert_eq!((account.connections.len(), account.unlisted), (1_000, 7));
}

#[tokio::test]
async fn closing_cuts_everything_and_dropping_closes() {
    let echo = Echo::start();
    for closes in [true, false] {
        let mut rig = Rig::open(policy(echo.port), HOME);
        let (mut tunnel, _) = rig.connect(&format!("home:{}", echo.port)).await;
        let mut idle = TcpStream::connect(rig.http).await.unwrap();
        let mut half = TcpStream::connect(rig.socks).await.unwrap();
        half.write_all(&[5, 1]).await.unwrap();
        let passage = rig.passage.take().unwrap();
        match closes {
            true => assert_eq!(passage.close().await.connections.len(), 1),
            false => drop(passage),
        }
        for stream in [&mut tunnel, &mut idle, &mut half] {
            assert_eq!(read_all(stream).await, "");
        }
        if closes {
            assert!(TcpStream::connect(rig.http).await.is_err());
            assert!(TcpStream::connect(rig.socks).await.is_err());
        }
    }
}

#[tokio::test]
async fn a_gate_that_ends_takes_its_passages_along() {
    let echo = Echo::start();
    let mut rig = Rig::open(policy(echo.port), HOME);
    let (mut tunnel, _) = rig.connect(&format!("home:{}", echo.port)).await;
    let passage = rig.passage.take().unwrap();
    drop(rig.gate);
    assert_eq!(read_all(&mut tunnel).await, "");
    assert_eq!(passage.close().await.connections.len(), 1);
}
