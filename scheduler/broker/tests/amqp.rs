//! Connecting to a real RabbitMQ, and to things that are none.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use glovebox_broker::{BrokerError, connect_amqp, declare};
use glovebox_tests::Services;
use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const HEARTBEAT: Duration = Duration::from_secs(5);

async fn refusal(url: &str) -> BrokerError {
    let error = connect_amqp(url, "test", HEARTBEAT).await.unwrap_err();
    let shown = format!("{error}\n{error:?}\n{}", error.hint());
    assert!(!shown.contains("s3cret"), "the password shows: {shown}");
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}

#[tokio::test]
async fn the_way_in_is_open_and_declaring_twice_changes_nothing() {
    let services = Services::isolated().unwrap();
    let connection = connect_amqp(&services.amqp_url, "test", HEARTBEAT)
        .await
        .unwrap();
    assert_eq!(connection.configuration().heartbeat(), 5);

    let channel = connection.create_channel().await.unwrap();
    declare(&channel, &["default", "gpu"]).await.unwrap();
    declare(&channel, &["default", "gpu"]).await.unwrap();

    for queue in [
        "glovebox.dead",
        "glovebox.jobs.default",
        "glovebox.jobs.gpu",
    ] {
        channel
            .basic_get(queue.into(), BasicGetOptions::default())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_wrong_password_is_named_and_not_shown() {
    let services = Services::isolated().unwrap();
    let url = services.amqp_url.replace("guest:guest@", "guest:s3cret@");
    let error = refusal(&url).await;

    assert!(
        matches!(error, BrokerError::Credentials { .. }),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .starts_with("RabbitMQ at amqp://guest@127.0.0.1:"),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .ends_with("refused the user name or the password"),
        "{error}"
    );
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn a_virtual_host_that_is_not_there_is_named() {
    let services = Services::isolated().unwrap();
    let (place, _) = services.amqp_url.rsplit_once('/').unwrap();
    let error = refusal(&format!("{place}/no%2fsuch")).await;

    assert!(
        matches!(&error, BrokerError::VirtualHost { vhost, .. } if vhost == "no/such"),
        "{error:?}"
    );
    assert!(
        error.hint().contains("add_vhost 'no/such'"),
        "{}",
        error.hint()
    );
}

#[tokio::test]
async fn nobody_there_is_out_of_reach() {
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    for host in [free.to_string(), "no-such-host.invalid:5672".to_owned()] {
        let error = refusal(&format!("amqp://u:s3cret@{host}/%2f")).await;

        assert!(
            matches!(error, BrokerError::Unreachable { .. }),
            "{error:?}"
        );
        assert!(error.is_temporary());
    }
}

#[tokio::test]
async fn a_web_server_is_not_rabbitmq() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Read first: to close with something unread is to reset.
        stream.read_exact(&mut [0; 8]).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
    });
    let error = refusal(&format!("amqp://u:s3cret@{at}/%2f")).await;
    server.await.unwrap();

    assert!(
        matches!(error, BrokerError::NotTheService { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn what_hangs_up_at_once_is_not_called_out_of_reach() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { drop(listener.accept().await.unwrap()) });
    let error = refusal(&format!("amqp://u:s3cret@{at}/%2f")).await;
    server.await.unwrap();

    assert!(
        matches!(
            error,
            BrokerError::Lost {
                doing: "logging in",
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_mute_server_is_given_up_in_time_and_left_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    });
    let error = refusal(&format!("amqp://u:s3cret@{at}/%2f")).await;

    assert!(
        matches!(error, BrokerError::Silent { seconds: 10, .. }),
        "{error:?}"
    );
    server.await.unwrap();
}

#[tokio::test]
async fn a_queue_with_other_settings_is_named_with_the_mend() {
    let services = Services::isolated().unwrap();
    let connection = connect_amqp(&services.amqp_url, "test", HEARTBEAT)
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare(
            "glovebox.jobs.default".into(),
            durable,
            FieldTable::default(),
        )
        .await
        .unwrap();

    let error = declare(&channel, &["default"]).await.unwrap_err();

    assert_eq!(
        error.to_string(),
        "the queue glovebox.jobs.default exists already with other settings"
    );
    assert!(
        error
            .hint()
            .contains("rabbitmqctl delete_queue glovebox.jobs.default"),
        "{}",
        error.hint()
    );
}
