//! The SOCKS5 door.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::rig::{Echo, IMPATIENT, Names, Rig, listen, policy, read_all};
use crate::Verdict;

const NAMES: Names = &[("home", &["127.0.0.1"]), ("inside", &["10.0.0.1"])];

fn name(name: &[u8], port: u16) -> Vec<u8> {
    let length = u8::try_from(name.len()).unwrap();
    [&[5, 1, 0, 3, length], name, &port.to_be_bytes()].concat()
}

fn v4(port: u16) -> Vec<u8> {
    [&[5, 1, 0, 1, 127, 0, 0, 1][..], &port.to_be_bytes()].concat()
}

/// Greets and asks; gives the reply's code.
async fn ask(rig: &Rig, request: &[u8]) -> (TcpStream, u8) {
    let mut stream = TcpStream::connect(rig.socks).await.unwrap();
    // The greeting offers more than what is taken, and all comes at once.
    stream
        .write_all(&[&[5, 2, 2, 0], request].concat())
        .await
        .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(
        (&answer[..3], &answer[4..]),
        (&[5, 0, 5][..], &[0, 1, 0, 0, 0, 0, 0, 0][..])
    );
    (stream, answer[3])
}

#[tokio::test]
async fn names_and_addresses_are_connected() {
    let echo = Echo::start();
    let mut policy = policy(echo.port);
    policy.intranet.push("127.0.0.0/8".parse().unwrap());
    let rig = Rig::open(policy, NAMES);
    let mapped = [
        &[
            5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1,
        ][..],
        &echo.port.to_be_bytes(),
    ];
    assert_eq!(
        ask(&rig, &mapped.concat()).await.1,
        2,
        "an IPv4 address in IPv6's clothes"
    );
    for request in [
        name(b"Home", echo.port),
        name(b"0x7f.1", echo.port),
        v4(echo.port),
    ] {
        let (mut stream, reply) = ask(&rig, &request).await;
        assert_eq!(reply, 0);
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(read_all(&mut stream).await, "hello");
    }
    let account = rig.close().await;
    let hosts: Vec<&str> = account
        .connections
        .iter()
        .map(|one| one.host.as_str())
        .collect();
    assert_eq!(
        hosts,
        ["[::ffff:127.0.0.1]", "home", "127.0.0.1", "127.0.0.1"]
    );
}

#[tokio::test]
async fn an_ipv6_server_is_reached() {
    let server = listen("[::1]:0");
    let port = server.local_addr().unwrap().port();
    let mut policy = policy(port);
    policy.intranet.push("::1".parse().unwrap());
    let rig = Rig::open(policy, NAMES);
    let request = [
        &[5, 1, 0, 4][..],
        &std::net::Ipv6Addr::LOCALHOST.octets(),
        &port.to_be_bytes(),
    ];
    assert_eq!(ask(&rig, &request.concat()).await.1, 0);
    server.accept().unwrap();
}

#[tokio::test]
async fn each_refusal_has_its_reply() {
    let echo = Echo::start();
    let port = echo.port;
    let mut policy = policy(port);
    let free = listen("127.0.0.1:0").local_addr().unwrap().port();
    policy.ports.push(free);
    let rig = Rig::open(policy, NAMES);
    let mut bind = name(b"home", port);
    bind[1] = 2;
    let mut kind = name(b"home", port);
    kind[3] = 9;
    for (request, reply) in [
        (name(b"home", 1), 2),
        (name(b"inside", port), 2),
        (v4(port), 2),
        (name(b"nowhere", port), 4),
        (name(b"home", free), 5),
        (bind, 7),
        (kind, 8),
        (name(b"home", 0), 1),
        (name(b"", port), 1),
        (name(b"home\0", port), 1),
        (name(b"home\r\nX", port), 1),
        (name(b"\xff\xfe", port), 1),
    ] {
        let (mut stream, got) = ask(&rig, &request).await;
        assert_eq!(got, reply, "{request:?}");
        assert_eq!(read_all(&mut stream).await, "");
    }
    assert_eq!(echo.accepted(), 0);
    let account = rig.close().await;
    assert_eq!(account.connections[10].host, r"home\r\nX");
    let verdicts: Vec<Verdict> = account.connections.iter().map(|one| one.verdict).collect();
    let refused = [
        Verdict::PortNotAllowed,
        Verdict::PrivateAddress,
        Verdict::PrivateAddress,
        Verdict::Unresolved,
        Verdict::Unreachable,
    ];
    assert_eq!(
        (&verdicts[..5], &verdicts[5..]),
        (&refused[..], &[Verdict::Malformed; 7][..])
    );
}

#[tokio::test]
async fn other_versions_other_methods_and_the_slow_are_sent_away() {
    let rig = Rig::open_with(policy(80), NAMES, IMPATIENT);
    let talks: [(&[u8], &[u8]); 4] = [
        (&[4, 1, 0, 80, 127, 0, 0, 1, 0], &[]),
        (&[5, 2, 1, 2], &[5, 0xff]),
        (
            &[5, 1, 0, 4, 1, 0, 1],
            &[5, 0, 5, 1, 0, 1, 0, 0, 0, 0, 0, 0],
        ),
        (&[5, 1, 0, 5, 1], &[5, 0]),
    ];
    for (said, expected) in talks {
        let mut stream = TcpStream::connect(rig.socks).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut answer = vec![0; expected.len()];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, expected);
        assert_eq!(read_all(&mut stream).await, "");
    }
    assert_eq!(rig.verdicts().await, [Verdict::Malformed; 3]);
}
