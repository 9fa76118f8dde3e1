//! A gateway, and what a runner would do.

use std::sync::Arc;

use glovebox_gateway::{App, Backend, Config, Keys, Listen, Queue, new_key, serve};
use glovebox_scheduler::Client;
use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::names::{
    DEFAULT_TENANT, done_channel, hint_channel, output_key, queue, result_key, route, state_key,
};
use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::fleet::Fleet;
use glovebox_tests::http::Http;
use lapin::options::BasicGetOptions;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A gateway before a fleet without runners.
pub(crate) struct Gateway {
    pub(crate) http: Http,
    pub(crate) fleet: Fleet,
    pub(crate) stop: CancellationToken,
    _stop: DropGuard,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let fleet = Fleet::new().await.unwrap();
        let client = Client::new(&fleet.services.amqp_url, &fleet.services.redis_url);
        let stop = CancellationToken::new();
        Self {
            http: listen(Arc::new(Queue::new(client)), config, stop.clone()).await,
            fleet,
            _stop: stop.clone().drop_guard(),
            stop,
        }
    }

    /// With a key for each of two tenants.
    pub(crate) async fn with_keys() -> (Self, [Http; 2]) {
        let made = ["one", "two"].map(|tenant| new_key(tenant, tenant).unwrap());
        let lines: String = made.iter().map(|(_, lines)| lines.as_str()).collect();
        let keys = Keys::from_toml(&lines).unwrap();
        let config = Config {
            keys,
            ..Config::default()
        };
        let gateway = Self::with(config).await;
        let clients = made.map(|(key, _)| gateway.http.key(&key));
        (gateway, clients)
    }

    /// The next job in the default lane's queue.
    pub(crate) async fn queued(&self) -> Option<Job> {
        self.queued_of(DEFAULT_TENANT).await
    }

    /// The same of a tenant's own.
    pub(crate) async fn queued_of(&self, tenant: &str) -> Option<Job> {
        let options = BasicGetOptions { no_ack: true };
        let queue = queue(&route("default", tenant));
        let got = self.fleet.channel.basic_get(queue.into(), options);
        let message = got.await.unwrap()?;
        Some(Job::parse(&message.data).unwrap())
    }

    /// Ends a job, as a runner does.
    pub(crate) async fn end(&self, result: &JobResult) {
        let id = &result.id;
        let mut commands = redis::pipe();
        commands.atomic();
        commands.set(result_key(id), result.to_json()).ignore();
        commands.hset(state_key(id), "state", "done").ignore();
        commands.publish(done_channel(id), "done").ignore();
        let mut redis = self.fleet.redis.clone();
        commands.exec_async(&mut redis).await.unwrap();
    }

    /// Begins a job, as a runner does, but for its heartbeat.
    pub(crate) async fn begin(&self, id: &JobId) {
        let mut commands = redis::pipe();
        commands.atomic();
        let fields = [("state", "running"), ("runner", "r"), ("attempt", "1")];
        commands.hset_multiple(state_key(id), &fields).ignore();
        commands.publish(hint_channel(id), "running").ignore();
        let mut redis = self.fleet.redis.clone();
        commands.exec_async(&mut redis).await.unwrap();
    }

    /// Has a job write something.
    pub(crate) async fn write(&self, id: &JobId, chunk: &[u8]) {
        let mut commands = redis::pipe();
        commands.atomic();
        let mut add = redis::cmd("XADD");
        add.arg(output_key(id))
            .arg("*")
            .arg("stream")
            .arg("stdout")
            .arg("data")
            .arg(chunk);
        commands.add_command(add).ignore();
        commands.publish(hint_channel(id), "output").ignore();
        let mut redis = self.fleet.redis.clone();
        commands.exec_async(&mut redis).await.unwrap();
    }
}

/// A server of this backend, until `stop`.
pub(crate) async fn listen(
    backend: Arc<dyn Backend>,
    config: Config,
    stop: CancellationToken,
) -> Http {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = Http::new(&listener.local_addr().unwrap().to_string());
    let app = App::new(backend, config);
    tokio::spawn(serve(
        listener,
        Listen::default(),
        app,
        stop.cancelled_owned(),
    ));
    http
}

pub(crate) fn hello() -> Value {
    json!({ "language": "python", "code": "print('hello')" })
}

pub(crate) fn succeeded(id: &JobId) -> JobResult {
    let mut result = JobResult::new(id.clone(), Status::Succeeded, "r");
    result.exit_code = Some(0);
    result.stdout = "hello\n".to_owned();
    result
}

/// The id that an answer tells.
pub(crate) fn id(answer: &Value) -> JobId {
    answer["id"].as_str().unwrap().parse().unwrap()
}
