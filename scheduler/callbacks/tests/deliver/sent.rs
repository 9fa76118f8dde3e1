//! What a receiver gets.

use std::io::Write as _;
use std::process::{Command, Stdio};

use glovebox_callbacks::Keys;
use glovebox_schemas::callback::Notice;
use glovebox_schemas::result::Status;
use glovebox_tests::receiver::{Heard, Receiver, Reply};

use crate::rig::{KEY, Rig};

/// The signature as another language's library makes it.
fn hmac_of(key: &str, seconds: &str, body: &[u8]) -> String {
    let program = "import hashlib, hmac, sys
key, seconds = sys.argv[1:]
body = sys.stdin.buffer.read()
print(hmac.new(key.encode(), seconds.encode() + b'.' + body, hashlib.sha256).hexdigest())";
    let mut python = Command::new("python3")
        .args(["-c", program, key, seconds])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(body).unwrap();
    let said = python.wait_with_output().unwrap().stdout;
    String::from_utf8(said).unwrap().trim().to_owned()
}

/// The time and the signatures.
fn parts(heard: &Heard) -> (String, Vec<String>) {
    let mut parts = heard.headers["glovebox-signature"].split(',');
    let seconds = parts.next().unwrap().strip_prefix("t=").unwrap();
    let signatures = parts.map(|part| part.strip_prefix("v1=").unwrap().to_owned());
    (seconds.to_owned(), signatures.collect())
}

#[tokio::test]
async fn a_receiver_gets_a_signed_notice_once() {
    let rig = Rig::start().await;
    let receiver = Receiver::start(|_| Reply::status(204)).await.unwrap();
    let order = rig.order(&receiver.url("/hook?token=a%20b")).await;
    let heard = receiver.heard(1).await.unwrap().remove(0);
    assert_eq!(heard.line, "POST /hook?token=a%20b HTTP/1.1");
    let header = |name: &str| heard.headers[name].as_str();
    assert_eq!(header("host"), format!("127.0.0.1:{}", receiver.port()));
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("glovebox-delivery"), order.id.as_str());
    assert_eq!(header("authorization"), "Bearer x");
    assert!(header("user-agent").starts_with("Glovebox/"));
    assert_eq!(heard.body, order.body());
    let notice: Notice = serde_json::from_slice(&heard.body).unwrap();
    assert_eq!((notice.id, notice.status), (order.id, Status::Succeeded));
    assert_eq!(notice.metadata["mine"], "kept");
    let (seconds, signatures) = parts(&heard);
    assert_eq!(signatures, [hmac_of(KEY, &seconds, &heard.body)]);
    let age = jiff::Timestamp::now().as_second() - seconds.parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{age} s");
    rig.stop_settled().await;
    assert_eq!(receiver.so_far().len(), 1);
}

#[tokio::test]
async fn each_tenant_has_keys_of_its_own_and_two_while_one_is_exchanged() {
    let (old, new) = ("the old key of a tenant", "the new key of a tenant");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        &file,
        format!("[tenants]\na = ['{new}', '{old}']\nb = ['{KEY}']\n"),
    )
    .unwrap();
    let keys = Keys::read(file.path()).unwrap();
    let rig = Rig::start_with(|config| config.keys = keys).await;
    let receiver = Receiver::start(|_| Reply::status(200)).await.unwrap();
    rig.order_of("a", &receiver.url("/")).await;
    let heard = receiver.heard(1).await.unwrap().remove(0);
    let (seconds, signatures) = parts(&heard);
    assert_eq!(
        signatures,
        [new, old].map(|key| hmac_of(key, &seconds, &heard.body))
    );
    rig.order_of("b", &receiver.url("/")).await;
    let heard = receiver.heard(2).await.unwrap().remove(1);
    let (seconds, signatures) = parts(&heard);
    assert_eq!(signatures, [hmac_of(KEY, &seconds, &heard.body)]);

    let order = rig.order_of("c", &receiver.url("/")).await;
    let dead = rig.dead_letter().await;
    assert_eq!(
        (dead.reason.as_str(), dead.ends()),
        ("callback_no_key", vec![])
    );
    assert_eq!(dead.body, order.to_json());
    rig.stop_settled().await;
    assert_eq!(receiver.so_far().len(), 2);
}

#[tokio::test]
async fn what_is_no_order_is_kept_aside_and_the_next_is_served() {
    let rig = Rig::start().await;
    let receiver = Receiver::start(|_| Reply::status(200)).await.unwrap();
    for body in [&b""[..], b"{}", b"\xff", b"[]"] {
        rig.publish(body.to_vec()).await;
        let dead = rig.dead_letter().await;
        assert_eq!(
            (dead.reason.as_str(), &*dead.body),
            ("callback_unreadable", body)
        );
    }
    rig.order(&receiver.url("/")).await;
    receiver.heard(1).await.unwrap();
    rig.stop_settled().await;
}
