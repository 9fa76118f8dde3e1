//! TLS with real servers: whom to trust, and what is said when it does not come about.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use futures_util::StreamExt as _;
use glovebox_broker::{
    BrokerError, Connection, Flaw, connect_amqp, connect_redis, declare, subscribe, trust,
};
use glovebox_tests::certificates::{Clients, Flaw as Made};
use glovebox_tests::{Certificates, LoneSentinel, MASTER, Rabbit, Redis};
use lapin::BasicProperties;
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions};
use redis::cmd;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, MutexGuard};

const HEARTBEAT: Duration = Duration::from_secs(5);

/// Certificates that this process trusts. Whom it trusts is for the whole of it: one test at a time.
async fn certificates() -> (Certificates, MutexGuard<'static, ()>) {
    static ALONE: Mutex<()> = Mutex::const_new(());
    let alone = ALONE.lock().await;
    let certificates = Certificates::new().unwrap();
    trust(Some(&certificates.authority())).unwrap();
    (certificates, alone)
}

fn check(error: BrokerError) -> BrokerError {
    let shown = format!("{error}\n{error:?}\n{}", error.hint());
    assert!(!shown.contains("s3cret"), "the password shows: {shown}");
    assert!(!error.to_string().contains('\n'), "{error}");
    assert!(!error.is_temporary(), "{error:?}");
    error
}

/// Why this URL's server is refused, whichever of the two it is.
async fn refusal(url: &str) -> BrokerError {
    check(if url.starts_with("amqp") {
        connect_amqp(url, "test", HEARTBEAT).await.unwrap_err()
    } else {
        connect_redis(url).await.err().unwrap()
    })
}

/// The same port, asked for what it is not.
fn as_amqps(url: &str) -> String {
    let (_, place) = url.split_once("://").unwrap();
    let (place, _) = place.split_once('/').unwrap();
    let (_, place) = place.rsplit_once('@').unwrap_or(("", place));
    format!("amqps://u:s3cret@{place}/%2f")
}

#[tokio::test]
async fn redis_is_reached_through_tls() {
    let (certificates, _alone) = certificates().await;
    let server = Redis::start_tls(&certificates, Clients::Anyone).unwrap();
    let url = server.url_tls().unwrap();
    let mut listening = subscribe(&url, "news").await.unwrap();
    let redis = connect_redis(&url).await.unwrap();

    let mut connection: Connection = redis.connection().await.unwrap();
    let () = cmd("SET")
        .arg("k")
        .arg(vec![7u8; 1 << 20])
        .query_async(&mut connection)
        .await
        .unwrap();
    let stored: Vec<u8> = cmd("GET")
        .arg("k")
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!(stored == vec![7u8; 1 << 20]);
    let () = cmd("PUBLISH")
        .arg(&["news", "heard"])
        .query_async(&mut connection)
        .await
        .unwrap();
    let heard = listening.on_message().next().await.unwrap();
    assert_eq!(heard.get_payload::<String>().unwrap(), "heard");
}

#[tokio::test]
async fn sentinels_and_their_master_are_reached_through_tls() {
    let (certificates, _alone) = certificates().await;
    let server = Redis::start_tls(&certificates, Clients::Anyone).unwrap();
    let sentinel = LoneSentinel::start_tls(&certificates).unwrap();
    sentinel.watch(server.port_for_tls().unwrap()).unwrap();
    let at = sentinel.place_for_tls().unwrap();

    let mut redis = connect_redis(&format!("rediss+sentinel://{at}/{MASTER}"))
        .await
        .unwrap();
    let info: String = cmd("INFO")
        .arg("server")
        .query_async(&mut redis)
        .await
        .unwrap();
    let port = server.port();
    assert!(info.contains(&format!("tcp_port:{port}")), "{info}");
}

#[tokio::test]
async fn rabbitmq_is_reached_through_tls() {
    let (certificates, _alone) = certificates().await;
    let server = Rabbit::start_tls(&certificates, Clients::Anyone).unwrap();
    let connection = connect_amqp(&server.url_tls().unwrap(), "test", HEARTBEAT)
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, &["default"]).await.unwrap();
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();

    let body = vec![7; 4 << 20];
    let confirmed = channel
        .basic_publish(
            "glovebox.jobs".into(),
            "default".into(),
            BasicPublishOptions::default(),
            &body,
            BasicProperties::default(),
        )
        .await
        .unwrap()
        .await
        .unwrap();
    assert!(confirmed.is_ack());
    let got = channel
        .basic_get("glovebox.jobs.default".into(), BasicGetOptions::default())
        .await
        .unwrap();
    assert!(got.unwrap().delivery.data == body);

    let plain = server.url().replace("guest:guest", "guest:s3cret");
    let error = refusal(&as_amqps(&plain)).await;
    assert!(matches!(error, BrokerError::NoTls { .. }), "{error:?}");
    let port = server
        .url_tls()
        .unwrap()
        .rsplit_once(':')
        .unwrap()
        .1
        .to_owned();
    let error = refusal(&format!("amqp://guest:s3cret@localhost:{port}")).await;
    assert!(matches!(error, BrokerError::TlsWanted { .. }), "{error:?}");
}

#[tokio::test]
async fn a_bad_certificate_is_refused_and_its_flaw_named() {
    let (certificates, _alone) = certificates().await;
    let server = Redis::start_tls(&certificates, Clients::Anyone).unwrap();
    let url = server.url_tls().unwrap();
    let mut admin = connect_redis(server.url()).await.unwrap();
    for (made, expected, says, mend) in [
        (
            Made::SelfSigned,
            Flaw::SelfSigned,
            "is signed by itself",
            "GLOVEBOX_TLS_CA",
        ),
        (
            Made::WrongName,
            Flaw::WrongName,
            "is made out to another name",
            "_URL",
        ),
        (
            Made::Expired,
            Flaw::WrongTime,
            "is not valid at this time",
            "renew",
        ),
    ] {
        let (certificate, key) = certificates.bad(made).unwrap();
        let () = cmd("CONFIG")
            .arg("SET")
            .arg("tls-cert-file")
            .arg(certificate.to_str())
            .arg("tls-key-file")
            .arg(key.to_str())
            .query_async(&mut admin)
            .await
            .unwrap();
        // The certificate is checked before either of them says a word.
        for url in [url.replace("//", "//:s3cret@"), as_amqps(&url)] {
            let error = refusal(&url).await;
            assert!(
                matches!(&error, BrokerError::Certificate { flaw, .. } if *flaw == expected),
                "{error:?}"
            );
            assert!(error.to_string().ends_with(says), "{error}");
            assert!(error.hint().contains(mend), "{}", error.hint());
        }
    }
}

#[tokio::test]
async fn the_system_trusts_other_authorities_than_ours() {
    let (certificates, _alone) = certificates().await;
    let server = Redis::start_tls(&certificates, Clients::Anyone).unwrap();
    trust(None).unwrap();
    let error = refusal(&server.url_tls().unwrap()).await;

    let BrokerError::Certificate { flaw, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(*flaw, Flaw::UnknownIssuer);
    assert!(error.hint().contains("GLOVEBOX_TLS_CA"), "{}", error.hint());
}

#[tokio::test]
async fn a_port_without_tls_and_one_with_it_are_told_apart() {
    let (certificates, _alone) = certificates().await;
    let server = Redis::start_tls(&certificates, Clients::Anyone).unwrap();
    let plain = server.url().replace("redis://", "rediss://:s3cret@");
    let error = refusal(&plain).await;
    assert!(matches!(error, BrokerError::NoTls { .. }), "{error:?}");

    let encrypted = server
        .url_tls()
        .unwrap()
        .replace("rediss://", "redis://:s3cret@");
    let error = refusal(&encrypted).await;
    assert!(matches!(error, BrokerError::TlsWanted { .. }), "{error:?}");
    assert!(error.hint().contains("rediss://"), "{}", error.hint());
}

#[tokio::test]
async fn a_web_server_does_not_speak_tls() {
    let (_certificates, _alone) = certificates().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // To close with something unread is to reset.
        stream
            .read_buf(&mut Vec::with_capacity(4096))
            .await
            .unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
    });
    let error = refusal(&format!("amqps://u:s3cret@{at}/%2f")).await;
    server.await.unwrap();

    assert!(matches!(error, BrokerError::NoTls { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_wants_our_certificate_is_told_that_there_is_none() {
    let (certificates, _alone) = certificates().await;
    let redis = Redis::start_tls(&certificates, Clients::Certified).unwrap();
    let rabbit = Rabbit::start_tls(&certificates, Clients::Certified).unwrap();
    for (url, setting) in [
        (redis.url_tls().unwrap(), "tls-auth-clients no"),
        (rabbit.url_tls().unwrap(), "fail_if_no_peer_cert = false"),
    ] {
        let error = refusal(&url).await;
        assert!(
            matches!(error, BrokerError::CertificateWanted { .. }),
            "{error:?}"
        );
        assert!(error.hint().contains(setting), "{}", error.hint());
    }
}

#[tokio::test]
async fn authorities_that_cannot_be_read_are_named() {
    let (certificates, _alone) = certificates().await;
    let missing = certificates.dir().join("missing.pem");
    let empty = certificates.dir().join("server.key");
    let broken = certificates.dir().join("broken.pem");
    let half = "-----BEGIN CERTIFICATE-----\nMIIB\n";
    std::fs::write(&broken, half).unwrap();
    for file in [missing, empty, broken, certificates.dir().to_owned()] {
        let error = check(trust(Some(&file)).unwrap_err());
        assert_eq!(
            error.to_string(),
            format!(
                "the certificate authorities of {} cannot be read",
                file.display()
            )
        );
        assert!(error.hint().contains("GLOVEBOX_TLS_CA"), "{}", error.hint());
    }
}
