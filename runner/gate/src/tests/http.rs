//! The HTTP door.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::rig::{Echo, IMPATIENT, Names, Rig, Site, patterns, policy, read_all, read_head};
use crate::Verdict;

const HOME: Names = &[("home", &["127.0.0.1"])];
const OK: &str =
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=5\r\nX-Own: 1\r\n\r\nok";

#[tokio::test]
async fn a_tunnel_passes_bytes_both_ways_and_the_half_close() {
    let echo = Echo::start();
    let rig = Rig::open(policy(echo.port), HOME);
    let (mut stream, status) = rig.connect(&format!("HOME.:{}", echo.port)).await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(read_all(&mut stream).await, "hello");
    let account = rig.close().await;
    let [connection] = account.connections.as_slice() else {
        panic!("{account:?}");
    };
    assert_eq!(
        (connection.host.as_str(), connection.port),
        ("home", echo.port)
    );
    assert_eq!(connection.address, Some([127, 0, 0, 1].into()));
    assert_eq!((connection.bytes_sent, connection.bytes_received), (5, 5));
    assert_eq!(
        (connection.verdict, account.unlisted),
        (Verdict::Allowed, 0)
    );
}

#[tokio::test]
async fn what_is_sent_before_the_answer_is_not_lost() {
    let echo = Echo::start();
    let rig = Rig::open(policy(echo.port), HOME);
    let said = rig
        .raw(format!("CONNECT home:{} HTTP/1.1\r\n\r\nearly", echo.port))
        .await;
    assert!(said.ends_with("\r\n\r\nearly"), "{said}");
}

#[tokio::test]
async fn a_plain_request_is_written_anew() {
    let site = Site::start(OK);
    let rig = Rig::open(policy(site.port), HOME);
    let port = site.port;
    let said = rig
        .raw(format!(
            "POST http://home:{port}/a?b=1 HTTP/1.1\r\nHost: other.example\r\nConnection: x-mine\r\nX-Mine: 1\r\n\
             Proxy-Authorization: Basic c2VjcmV0\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n\
             Upgrade: h2c\r\nX-Own: 2\r\nContent-Length: 4\r\n\r\nbody"
        ))
        .await;
    assert!(
        said.starts_with("HTTP/1.1 200 OK\r\n") && said.ends_with("\r\n\r\nok"),
        "{said}"
    );
    assert!(
        said.contains("x-own: 1") && !said.contains("keep-alive: timeout"),
        "{said}"
    );
    let seen = site.seen().await.concat();
    assert!(seen.starts_with("POST /a?b=1 HTTP/1.1\r\n"), "{seen}");
    assert!(
        seen.contains(&format!("\r\nhost: home:{port}\r\n")),
        "{seen}"
    );
    assert!(
        seen.contains("x-own: 2") && seen.contains("content-length: 4"),
        "{seen}"
    );
    assert!(
        seen.contains("connection: close") && seen.ends_with("\r\n\r\nbody"),
        "{seen}"
    );
    for gone in ["other.example", "x-mine", "proxy-", "te:", "upgrade"] {
        assert!(!seen.contains(gone), "{gone} in {seen}");
    }
}

#[tokio::test]
async fn each_request_of_a_connection_is_checked_by_itself() {
    let site = Site::start(OK);
    let mut policy = policy(site.port);
    policy.hosts.push(patterns(&["home"]));
    let rig = Rig::open(policy, HOME);
    let port = site.port;
    let mut said = String::new();
    let mut stream = TcpStream::connect(rig.http).await.unwrap();
    for (host, body) in [("home", 2), ("other", 107), ("home", 2)] {
        let request = format!("GET http://{host}:{port}/ HTTP/1.1\r\nHost: home\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let head = read_head(&mut stream).await;
        let length = head
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.lines().next());
        let mut content = vec![0; length.map_or(body, |length| length.parse().unwrap())];
        stream.read_exact(&mut content).await.unwrap();
        said += &head;
        said += &String::from_utf8_lossy(&content);
    }
    assert!(said.contains("403 Forbidden"), "{said}");
    assert!(
        said.contains(&format!("other:{port}: host_not_allowed\nuse a host that")),
        "{said}"
    );
    assert_eq!(site.seen().await.len(), 2);
    drop(stream);
    let verdicts = rig.verdicts().await;
    assert_eq!(
        verdicts,
        [Verdict::Allowed, Verdict::HostNotAllowed, Verdict::Allowed]
    );
}

#[tokio::test]
async fn no_request_can_be_two() {
    let site = Site::start(OK);
    let rig = Rig::open(policy(site.port), HOME);
    let url = format!("http://home:{}/", site.port);
    let hidden = format!("GET {url}hidden HTTP/1.1\r\nHost: x\r\n\r\n");
    // What has two lengths is read in one way, and passed on with only that one.
    let both = format!(
        "POST {url} HTTP/1.1\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
        5 + hidden.len()
    );
    let said = rig.raw(both).await;
    assert_eq!(said.matches("HTTP/1.1").count(), 1, "{said}");
    for refused in [
        format!("POST {url} HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab{hidden}"),
        format!("POST {url} HTTP/1.1\r\nContent-Length: +1\r\n\r\na{hidden}"),
        format!("POST {url} HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!(
            "POST {url} HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}"
        ),
        format!("POST {url} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("GET {url} HTTP/1.1\r\nX: a\r\n b\r\n\r\n"),
        format!("GET {url} HTTP/1.1\r\nX: a\rY: b\r\n\r\n"),
        format!("GET {url} HTTP/1.1\r\nX : a\r\n\r\n"),
        format!("GET {url} HTTP/1.1\r\nX: a\0\r\n\r\n"),
        format!("GET {url}\u{b}a HTTP/1.1\r\n\r\n"),
        "\x16\x03\x01 no HTTP at all\r\n\r\n".to_owned(),
    ] {
        let said = rig.raw(&refused).await;
        assert!(
            said.starts_with("HTTP/1.1 400 Bad Request"),
            "{refused:?}: {said}"
        );
    }
    let seen = site.seen().await;
    assert_eq!(seen.len(), 1);
    assert!(
        !seen[0].contains("content-length") && !seen[0].contains("hidden"),
        "{seen:?}"
    );
    let verdicts = rig.verdicts().await;
    assert_eq!(verdicts[1..], [Verdict::Malformed; 11]);
}

#[tokio::test]
async fn what_is_no_destination_is_refused_and_shown_escaped() {
    let rig = Rig::open(policy(80), HOME);
    for target in [
        "/",
        "*",
        "https://home/",
        "ftp://home/",
        "http://user@home/",
        "http://home:0/",
        "http://home:99999/",
        "http://%31/",
        "http://home%00/",
        "http://[fe80::1%25lo]/",
        "http://[::1/",
        "http://:80/",
        "http://a..b/",
    ] {
        let said = rig.raw(format!("GET {target} HTTP/1.1\r\n\r\n")).await;
        assert!(
            said.starts_with("HTTP/1.1 400 Bad Request"),
            "{target}: {said}"
        );
    }
    for target in [
        "home",
        "user@home:80",
        "http://home:80",
        "home:80/x",
        "home:",
        ":80",
        "home:+80",
    ] {
        let said = rig.raw(format!("CONNECT {target} HTTP/1.1\r\n\r\n")).await;
        assert!(
            said.starts_with("HTTP/1.1 400 Bad Request"),
            "{target}: {said}"
        );
    }
    let verdicts = rig.verdicts().await;
    assert_eq!(verdicts, [Verdict::Malformed; 20]);
}

#[tokio::test]
async fn a_head_has_a_size_and_a_time() {
    let rig = Rig::open_with(policy(80), HOME, IMPATIENT);
    let long = format!(
        "GET http://home/ HTTP/1.1\r\nX: {}\r\n\r\n",
        "a".repeat(70_000)
    );
    let said = rig.raw(long).await;
    assert!(
        said.is_empty() || said.starts_with("HTTP/1.1 431"),
        "{said}"
    );
    let mut slow = TcpStream::connect(rig.http).await.unwrap();
    slow.write_all(b"GET http://home/ HTTP/1.1\r\nX")
        .await
        .unwrap();
    // Ends by the gate's doing: this side keeps it open.
    read_all(&mut slow).await;
    assert_eq!(rig.lookups.load(std::sync::atomic::Ordering::SeqCst), 0);
}
