//! Publishing with confirms, alone and together.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use futures_util::future::join_all;
use glovebox_broker::{Letter, Outbox, Outlet, connect_amqp};
use glovebox_schemas::names::CALLBACKS;
use glovebox_schemas::topology::Topology;
use glovebox_tests::Services;
use glovebox_tests::fleet::eventually;
use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection};

fn letter(routing_key: &str, body: &str) -> Letter {
    Letter {
        exchange: "",
        routing_key: routing_key.to_owned(),
        body: body.into(),
        properties: BasicProperties::default().with_delivery_mode(2),
    }
}

fn outlet(url: &str) -> Outlet {
    Outlet::new(
        url.to_owned(),
        "test".to_owned(),
        Topology::for_callbacks([]),
    )
}

async fn channel(url: &str) -> (Connection, Channel) {
    let connection = connect_amqp(url, "test", Duration::from_secs(30))
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// Everything that is in the queue, sorted.
async fn all(channel: &Channel, queue: &str) -> Vec<String> {
    let mut bodies = Vec::new();
    let options = BasicGetOptions { no_ack: true };
    while let Some(message) = channel.basic_get(queue.into(), options).await.unwrap() {
        bodies.push(String::from_utf8(message.delivery.data).unwrap());
    }
    bodies.sort();
    bodies
}

#[tokio::test]
async fn what_no_queue_takes_is_not_called_sent() {
    let url = Services::isolated_vhost().unwrap();
    let mut outlet = outlet(&url);
    let why = outlet.send(&letter("nowhere", "x")).await.unwrap_err();
    assert!(why.contains("nowhere"), "{why}");
    outlet.send(&letter(CALLBACKS, "x")).await.unwrap();
    let (_connection, channel) = channel(&url).await;
    assert_eq!(all(&channel, CALLBACKS).await, ["x"]);
}

/// One that can't be sent comes again until it can.
#[tokio::test]
async fn many_are_sent_together_and_each_is_there() {
    let url = Services::isolated_vhost().unwrap();
    let outbox = Outbox::open(outlet(&url));
    let (_connection, channel) = channel(&url).await;
    let stuck = outbox.clone();
    let stuck = tokio::spawn(async move { stuck.send(letter("later", "stuck")).await });
    let bodies: Vec<String> = (0..200).map(|n| format!("{n:03}")).collect();
    let sends = bodies
        .iter()
        .map(|body| outbox.send(letter(CALLBACKS, body)));
    let sends = join_all(sends);
    // Nobody says when the first of them was tried beside the one that is stuck; the queue may be there before.
    let declared = channel.queue_declare(
        "later".into(),
        QueueDeclareOptions::default(),
        FieldTable::default(),
    );
    let (_, declared) = tokio::join!(sends, declared);
    declared.unwrap();
    stuck.await.unwrap();
    let mut found = all(&channel, CALLBACKS).await;
    found.dedup();
    assert_eq!(found, bodies);
    let mut later = all(&channel, "later").await;
    later.dedup();
    assert_eq!(later, ["stuck"]);
}

#[tokio::test]
async fn a_lost_connection_loses_no_message() {
    let services = Services::isolated().unwrap();
    let outbox = Outbox::open(outlet(&services.amqp_url));
    outbox.send(letter(CALLBACKS, "1")).await;
    services.close_connections().unwrap();
    outbox.send(letter(CALLBACKS, "2")).await;
    eventually("both are there", async || {
        Ok(services.messages(CALLBACKS)? == 2)
    })
    .await
    .unwrap();
}
