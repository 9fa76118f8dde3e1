//! Through a proxy of somebody else's.

use tokio::io::AsyncReadExt;

use super::rig::{Names, Rig, Site, patterns, policy};
use crate::{Policy, Verdict, Wishes};

const NAMES: Names = &[
    ("site", &["10.0.0.7", "192.0.2.7"]),
    ("inside", &["10.0.0.7"]),
    ("home", &["127.0.0.1"]),
    ("proxy", &["127.0.0.1"]),
];
/// It speaks first, as mail servers do.
const CONNECTED: &str = "HTTP/1.1 200 Connection established\r\n\r\nhello from the site";

fn behind(proxy: &Site, resolves: bool) -> Policy {
    let mut policy = policy(443);
    policy.ports.push(80);
    let mut upstream: crate::Upstream = format!("http://proxy:{}", proxy.port).parse().unwrap();
    upstream.resolves = resolves;
    policy.upstream = Some(upstream);
    policy
}

#[tokio::test]
async fn the_checked_address_is_what_the_proxy_gets() {
    let proxy = Site::start(CONNECTED);
    let rig = Rig::open(behind(&proxy, false), NAMES);
    let (mut stream, said) = rig.connect("site:443").await;
    assert_eq!(said, "HTTP/1.1 200 OK");
    let mut hello = [0; 19];
    stream.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello from the site");
    drop(stream);
    for closed in ["inside:443", "127.0.0.1:443", "site:22"] {
        assert_eq!(
            rig.connect(closed).await.1,
            "HTTP/1.1 403 Forbidden",
            "{closed}"
        );
    }
    let account = rig.close().await;
    assert_eq!(account.connections[0].address, Some([192, 0, 2, 7].into()));
    assert_eq!(account.connections[0].bytes_received, 19);
    let seen = proxy.seen().await;
    assert_eq!(seen.len(), 1);
    assert!(
        seen[0].starts_with("CONNECT 192.0.2.7:443 HTTP/1.1\r\nhost: 192.0.2.7:443\r\n"),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_proxy_that_resolves_gets_the_name_and_never_a_private_address() {
    let proxy = Site::start(CONNECTED);
    let rig = Rig::open(behind(&proxy, true), NAMES);
    let (stream, said) = rig.connect("only.the.proxy.knows:443").await;
    assert_eq!(said, "HTTP/1.1 200 OK");
    drop(stream);
    assert_eq!(
        rig.connect("10.0.0.7:443").await.1,
        "HTTP/1.1 403 Forbidden"
    );
    assert_eq!(
        rig.raw("GET http://10.0.0.7/ HTTP/1.1\r\n\r\n")
            .await
            .matches("403")
            .count(),
        1
    );
    rig.close().await;
    let seen = proxy.seen().await;
    assert_eq!(seen.len(), 1);
    assert!(
        seen[0].starts_with("CONNECT only.the.proxy.knows:443 HTTP/1.1\r\n"),
        "{seen:?}"
    );
}

#[tokio::test]
async fn plain_requests_are_absolute_where_the_proxy_resolves_and_tunnelled_where_not() {
    const REQUEST: &str = "GET http://site/a HTTP/1.1\r\nHost: x\r\n\r\n";
    let proxy = Site::start("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let rig = Rig::open(behind(&proxy, true), NAMES);
    assert!(rig.raw(REQUEST).await.ends_with("\r\n\r\nok"));
    let seen = proxy.seen().await.concat();
    assert!(seen.starts_with("GET http://site/a HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("\r\nhost: site\r\n"), "{seen}");

    let proxy =
        Site::start("HTTP/1.1 200 Yes\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let rig = Rig::open(behind(&proxy, false), NAMES);
    rig.raw(REQUEST).await;
    let seen = proxy.seen().await.concat();
    assert!(
        seen.starts_with("CONNECT 192.0.2.7:80 HTTP/1.1\r\n"),
        "{seen}"
    );
    drop(rig);
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named() {
    for answer in [
        "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        "nonsense\r\n\r\n",
        "",
    ] {
        let proxy = Site::start(answer);
        let rig = Rig::open(behind(&proxy, false), NAMES);
        let (_stream, said) = rig.connect("site:443").await;
        assert_eq!(said, "HTTP/1.1 502 Bad Gateway");
        assert_eq!(rig.verdicts().await, [Verdict::UpstreamRefused]);
    }
}

#[tokio::test]
async fn a_proxy_of_the_job_is_checked_like_any_destination() {
    let proxy = Site::start(CONNECTED);
    let mut profile = policy(443);
    profile.ports.push(proxy.port);
    for (name, status) in [("proxy", "403 Forbidden"), ("home", "200 OK")] {
        let wishes = Wishes {
            hosts: Some(patterns(&["site"])),
            upstream: Some(format!("http://{name}:{}", proxy.port).parse().unwrap()),
            ..Wishes::default()
        };
        let rig = Rig::open(profile.narrowed_by(&wishes).unwrap(), NAMES);
        let (_stream, said) = rig.connect("site:443").await;
        assert!(said.ends_with(status), "{name}: {said}");
    }
}
