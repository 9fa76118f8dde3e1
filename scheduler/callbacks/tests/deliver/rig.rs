//! A deliverer of this process on a virtual host of its own, and the broker's side of it.

use std::time::Duration;

use glovebox_broker::{connect_amqp, declare_all};
use glovebox_callbacks::{CallbacksConfig, Keys, Patience, Schedule, Shares, run};
use glovebox_schemas::callback::Order;
use glovebox_schemas::job::{Callback, Job};
use glovebox_schemas::names::{ATTEMPTS_HEADER, CALLBACKS, DEAD, REASON_HEADER};
use glovebox_schemas::result::{Attempt, JobResult, Status};
use glovebox_schemas::topology::Topology;
use glovebox_tests::Services;
use glovebox_tests::fleet::eventually;
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Channel, Connection};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const KEY: &str = "a key that nobody can guess";

/// Three attempts, in no time.
pub(crate) const QUICK: Schedule = Schedule {
    attempts: 3,
    first: Duration::from_millis(40),
    longest: Duration::from_millis(200),
};

pub(crate) struct Rig {
    pub(crate) services: Services,
    channel: Channel,
    _connection: Connection,
    stop: CancellationToken,
    running: Option<JoinHandle<()>>,
}

/// A dead letter.
#[derive(Debug)]
pub(crate) struct Dead {
    pub(crate) body: Vec<u8>,
    pub(crate) reason: String,
    pub(crate) attempts: Vec<Attempt>,
}

impl Dead {
    /// How each attempt ended.
    pub(crate) fn ends(&self) -> Vec<&str> {
        self.attempts.iter().map(|one| one.ended.as_str()).collect()
    }
}

impl Rig {
    /// One that may reach this host.
    pub(crate) async fn start() -> Rig {
        Rig::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut CallbacksConfig)) -> Rig {
        let services = Services::isolated().unwrap();
        let url = services.amqp_url.clone();
        let connection = connect_amqp(&url, "test", Duration::from_secs(30))
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        let confirm = ConfirmSelectOptions::default();
        channel.confirm_select(confirm).await.unwrap();
        declare_all(&channel, &Topology::for_callbacks([]))
            .await
            .unwrap();
        let mut rig = Rig {
            services,
            channel,
            _connection: connection,
            stop: CancellationToken::new(),
            running: None,
        };
        let mut config = rig.config();
        change(&mut config);
        rig.run(config);
        rig
    }

    /// As it is unless a test wants it otherwise.
    pub(crate) fn config(&self) -> CallbacksConfig {
        CallbacksConfig {
            amqp_url: self.services.amqp_url.clone(),
            name: "deliverer-1".to_owned(),
            keys: Keys::one(KEY).unwrap(),
            intranet: vec!["127.0.0.1".parse().unwrap()],
            authorities: None,
            schedule: QUICK,
            patience: Patience::default(),
            shares: Shares::default(),
        }
    }

    fn run(&mut self, config: CallbacksConfig) {
        let stop = self.stop.clone();
        self.running = Some(tokio::spawn(
            async move { run(config, stop).await.unwrap() },
        ));
    }

    /// Has a job's end told at this URL; gives the order.
    pub(crate) async fn order(&self, url: &str) -> Order {
        self.order_of("default", url).await
    }

    pub(crate) async fn order_of(&self, tenant: &str, url: &str) -> Order {
        let mut job = Job::new("python");
        job.tenant = tenant.to_owned();
        job.metadata.insert("mine".to_owned(), "kept".to_owned());
        let mut callback = Callback::new(url);
        callback
            .headers
            .insert("Authorization".into(), "Bearer x".into());
        let result = JobResult::new(job.id.clone(), Status::Succeeded, "runner-1");
        let order = Order::new(&job, &callback, &result);
        self.publish(order.to_json()).await;
        order
    }

    pub(crate) async fn publish(&self, body: Vec<u8>) {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let published = self.channel.basic_publish(
            "".into(),
            CALLBACKS.into(),
            options,
            &body,
            properties.with_delivery_mode(2),
        );
        assert!(published.await.unwrap().await.unwrap().is_ack());
    }

    /// Waits for a dead letter.
    pub(crate) async fn dead_letter(&self) -> Dead {
        let mut found = None;
        eventually("a dead letter arrives", async || {
            let options = BasicGetOptions { no_ack: true };
            found = self.channel.basic_get(DEAD.into(), options).await?;
            Ok(found.is_some())
        })
        .await
        .unwrap();
        let message = found.unwrap().delivery;
        let headers = message.properties.headers().clone().unwrap();
        let text = |name: &str| match headers.inner().get(name) {
            Some(AMQPValue::LongString(text)) => {
                String::from_utf8(text.as_bytes().to_vec()).unwrap()
            }
            other => panic!("{name} is {other:?}"),
        };
        Dead {
            body: message.data,
            reason: text(REASON_HEADER),
            attempts: serde_json::from_str(&text(ATTEMPTS_HEADER)).unwrap(),
        }
    }

    /// Stops the deliverer, which must leave nothing unsettled: every order is delivered, and none is dead.
    pub(crate) async fn stop_settled(mut self) {
        let queues = [CALLBACKS, DEAD];
        eventually("every order is settled", async || {
            Ok(self.services.messages(CALLBACKS)? == 0)
        })
        .await
        .unwrap();
        self.stop.cancel();
        self.running.take().unwrap().await.unwrap();
        for queue in queues {
            assert_eq!(self.services.messages(queue).unwrap(), 0, "{queue}");
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
        }
    }
}
