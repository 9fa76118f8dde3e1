//! RabbitMQ, Redis, runners and a client: the whole product, for one test.
//!
//! It must never wait for time to pass: everything here waits for something to
//! be so, and gives up after [`PATIENCE`].

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use glovebox_broker::{Redis, connect_amqp, connect_redis, declare};
use glovebox_scheduler::Client;
use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::names::{
    DEAD, DEFAULT_LANE, JOBS_EXCHANGE, output_key, queue, result_key, state_key,
};
use glovebox_schemas::result::JobResult;
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection};

use crate::binary::glovebox_bin;
use crate::runner::Runner;
use crate::services::Services;

/// How long a test waits for anything before it fails: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A job that says `ready` as live output and then waits for [`Runner::release`].
pub const GATE: &str = "
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
print('ready')
signal.sigwait({signal.SIGUSR1})
print('released')
";

/// The services of one test, and connections to them.
pub struct Fleet {
    /// Where they are.
    pub services: Services,
    /// A client of Glovebox.
    pub client: Client,
    /// A connection to Redis.
    pub redis: Redis,
    /// A channel to RabbitMQ, with confirms.
    pub channel: Channel,
    _connection: Connection,
}

/// What the `glovebox` command said and how it ended.
#[derive(Debug)]
pub struct Said {
    /// The exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Fleet {
    /// A virtual host of its own and the shared Redis, with the queue of the default lane.
    ///
    /// # Errors
    ///
    /// When a server does not start.
    pub async fn new() -> anyhow::Result<Self> {
        Self::on(Services::isolated()?).await
    }

    /// The same on given services.
    ///
    /// # Errors
    ///
    /// When one cannot be reached.
    pub async fn on(services: Services) -> anyhow::Result<Self> {
        let connection = connect_amqp(&services.amqp_url, "test", Duration::from_secs(30)).await?;
        let channel = connection.create_channel().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        declare(&channel, &[DEFAULT_LANE]).await?;
        Ok(Self {
            client: Client::new(&services.amqp_url, &services.redis_url),
            redis: connect_redis(&services.redis_url).await?,
            channel,
            _connection: connection,
            services,
        })
    }

    /// Starts a runner of the default lane and waits until it consumes.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub async fn runner(&self, slots: u16) -> anyhow::Result<Runner> {
        let slots = slots.to_string();
        let runner = Runner::spawn(&self.services, &["--slots", &slots])?;
        runner.says("consuming").await?;
        Ok(runner)
    }

    /// Runs `glovebox` with these arguments to its end.
    ///
    /// # Errors
    ///
    /// When the binary is not built.
    pub async fn glovebox(&self, arguments: &[&str]) -> anyhow::Result<Said> {
        glovebox(&self.services, arguments).await
    }

    /// Submits a job and waits for its result.
    ///
    /// # Errors
    ///
    /// When there is none in time.
    pub async fn run(&self, job: &Job) -> anyhow::Result<JobResult> {
        self.client.submit(job).await?;
        self.result(&job.id).await
    }

    /// Waits for a result.
    ///
    /// # Errors
    ///
    /// When there is none in time.
    pub async fn result(&self, id: &JobId) -> anyhow::Result<JobResult> {
        let result = self.client.wait(id, PATIENCE).await?;
        result.with_context(|| format!("no result of {id}"))
    }

    /// The result as it is stored.
    ///
    /// # Errors
    ///
    /// When Redis fails.
    pub async fn stored(&self, id: &JobId) -> anyhow::Result<Option<Vec<u8>>> {
        let mut get = redis::cmd("GET");
        let mut redis = self.redis.clone();
        Ok(get.arg(result_key(id)).query_async(&mut redis).await?)
    }

    /// The state hash; empty if there is none.
    ///
    /// # Errors
    ///
    /// When Redis fails.
    pub async fn state(&self, id: &JobId) -> anyhow::Result<HashMap<String, String>> {
        self.hash(&state_key(id)).await
    }

    /// Any hash; empty if there is none.
    ///
    /// # Errors
    ///
    /// When Redis fails.
    pub async fn hash(&self, key: &str) -> anyhow::Result<HashMap<String, String>> {
        let mut get = redis::cmd("HGETALL");
        let mut redis = self.redis.clone();
        Ok(get.arg(key).query_async(&mut redis).await?)
    }

    /// The chunks of live output so far: the stream's name and the bytes.
    ///
    /// # Errors
    ///
    /// When Redis fails.
    pub async fn output(&self, id: &JobId) -> anyhow::Result<Vec<(String, String)>> {
        let mut range = redis::cmd("XRANGE");
        let mut redis = self.redis.clone();
        let chunks: Vec<(String, HashMap<String, String>)> = range
            .arg(output_key(id))
            .arg("-")
            .arg("+")
            .query_async(&mut redis)
            .await?;
        let field =
            |chunk: &HashMap<String, String>, name| chunk.get(name).cloned().unwrap_or_default();
        Ok(chunks
            .iter()
            .map(|(_, chunk)| (field(chunk, "stream"), field(chunk, "data")))
            .collect())
    }

    /// How often a job said `ready` as live output: how often it was run.
    ///
    /// # Errors
    ///
    /// When Redis fails.
    pub async fn starts(&self, id: &JobId) -> anyhow::Result<usize> {
        let chunks = self.output(id).await?;
        Ok(chunks
            .iter()
            .map(|(_, data)| data.matches("ready").count())
            .sum())
    }

    /// Waits until a job has said `ready` for the `times`th time.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub async fn started(&self, id: &JobId, times: usize) -> anyhow::Result<()> {
        eventually("the job starts", async || {
            Ok(self.starts(id).await? >= times)
        })
        .await
    }

    /// Publishes any bytes to a lane, as a foreign client might.
    ///
    /// # Errors
    ///
    /// When the broker does not take them.
    pub async fn publish(
        &self,
        lane: &str,
        body: &[u8],
        message_id: Option<&str>,
    ) -> anyhow::Result<()> {
        let mut properties = BasicProperties::default().with_delivery_mode(2);
        if let Some(id) = message_id {
            properties = properties.with_message_id(id.into());
        }
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let confirmation = self
            .channel
            .basic_publish(JOBS_EXCHANGE.into(), lane.into(), options, body, properties)
            .await?
            .await?;
        ensure!(confirmation.is_ack(), "{confirmation:?}");
        Ok(())
    }

    /// Messages in the queue of a lane that nobody has taken.
    ///
    /// # Errors
    ///
    /// When the broker does not answer.
    pub async fn waiting(&self, lane: &str) -> anyhow::Result<u32> {
        self.count(&queue(lane)).await
    }

    /// Consumers of a lane's queue.
    ///
    /// # Errors
    ///
    /// When the broker does not answer.
    pub async fn consumers(&self, lane: &str) -> anyhow::Result<u32> {
        Ok(self.look(&queue(lane)).await?.consumer_count())
    }

    async fn count(&self, queue: &str) -> anyhow::Result<u32> {
        Ok(self.look(queue).await?.message_count())
    }

    async fn look(&self, queue: &str) -> anyhow::Result<lapin::Queue> {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let asked = self
            .channel
            .queue_declare(queue.into(), options, FieldTable::default());
        Ok(asked.await?)
    }

    /// Waits for the next dead letter and takes it.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn dead_letter(&self) -> anyhow::Result<Vec<u8>> {
        let mut body = None;
        eventually("a dead letter arrives", async || {
            let options = BasicGetOptions { no_ack: true };
            let message = self.channel.basic_get(DEAD.into(), options).await?;
            body = message.map(|message| message.delivery.data);
            Ok(body.is_some())
        })
        .await?;
        body.context("no dead letter")
    }

    /// Waits until the queue of the default lane has no message, taken or not: each is settled.
    ///
    /// # Errors
    ///
    /// When one stays.
    pub async fn drained(&self) -> anyhow::Result<()> {
        eventually("every message is settled", async || {
            Ok(self.services.messages(&queue(DEFAULT_LANE))? == 0)
        })
        .await
    }

    /// Stops a runner in order and checks that it left nothing unsettled: what was not acknowledged
    /// would be in the queue again.
    ///
    /// # Errors
    ///
    /// When something is in the queue, or among the dead letters.
    pub async fn stop_settled(&self, mut runner: Runner) -> anyhow::Result<()> {
        runner.stop().await?;
        let (jobs, dead) = (self.waiting(DEFAULT_LANE).await?, self.count(DEAD).await?);
        ensure!(
            (jobs, dead) == (0, 0),
            "{jobs} jobs and {dead} dead letters are left:\n{}",
            runner.log()
        );
        Ok(())
    }
}

/// Runs `glovebox` with these services and arguments to its end.
///
/// # Errors
///
/// When the binary is not built.
pub async fn glovebox(services: &Services, arguments: &[&str]) -> anyhow::Result<Said> {
    glovebox_with(services, arguments, &[]).await
}

/// The same with variables in its environment.
///
/// # Errors
///
/// When the binary is not built.
pub async fn glovebox_with(
    services: &Services,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> anyhow::Result<Said> {
    let output = tokio::process::Command::new(glovebox_bin()?)
        .args(arguments)
        .env("GLOVEBOX_AMQP_URL", &services.amqp_url)
        .env("GLOVEBOX_REDIS_URL", &services.redis_url)
        .env_remove("GLOVEBOX_LOG")
        .env("NO_COLOR", "1")
        .envs(variables.iter().copied())
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, output)
        .await
        .with_context(|| format!("glovebox {arguments:?} does not end"))??;
    Ok(Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}

/// A Python job.
#[must_use]
pub fn python(code: &str) -> Job {
    let mut job = Job::new("python");
    job.code = Some(code.to_owned());
    // The machine that runs the tests may be busy.
    job.limits.wall_ms = Some(60_000);
    job
}

/// A job with live output that waits for [`Runner::release`].
#[must_use]
pub fn gate() -> Job {
    let mut job = python(GATE);
    job.stream = true;
    job
}

/// Waits until `condition` holds.
///
/// # Errors
///
/// When it does not within [`PATIENCE`], or cannot be asked.
pub async fn eventually(
    what: &str,
    mut condition: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await? {
        ensure!(Instant::now() < deadline, "it did not come to this: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
