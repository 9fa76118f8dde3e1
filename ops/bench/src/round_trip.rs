//! What the queue and the store take by themselves: publish with confirm → consume → SET and PUBLISH → the waiter hears it
//! and reads it. Nothing is run, nothing is checked.
//!
//! The one who answers is a process of its own, as a runner is.

use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::StreamExt;
use glovebox_broker::{connect_amqp, connect_redis, declare, subscribe};
use glovebox_schemas::job::Job;
use glovebox_schemas::names::{done_channel, queue, result_key};
use glovebox_tests::fleet::PATIENCE;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::time::timeout;

use crate::whole::Whole;

const LANE: &str = "echo";
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// As long as the result of a small job is.
const RESULT_BYTES: usize = 900;
const KEPT_MS: u64 = 60_000;
const PREFETCH: u16 = 64;

/// Whoever asks, and the process that answers.
pub(crate) struct RoundTrip {
    echo: Child,
}

impl RoundTrip {
    pub(crate) async fn open(whole: &Whole) -> anyhow::Result<RoundTrip> {
        let services = &whole.fleet.services;
        declare(&whole.fleet.channel, &[LANE]).await?;
        let echo = Command::new(std::env::current_exe()?)
            .arg("echo")
            .env("GLOVEBOX_AMQP_URL", &services.amqp_url)
            .env("GLOVEBOX_REDIS_URL", &services.redis_url)
            .stdin(Stdio::piped())
            .spawn()
            .context("starting the echo")?;
        let round_trip = RoundTrip { echo };
        // The first waits for its connections.
        round_trip.once(whole).await?;
        Ok(round_trip)
    }

    /// One message, and what came back.
    pub(crate) async fn once(&self, whole: &Whole) -> anyhow::Result<Duration> {
        let mut job = Job::new("python");
        job.code = Some("print(1)".to_owned());
        let (body, id) = (serde_json::to_vec(&job)?, &job.id);
        let mut heard = subscribe(&whole.fleet.services.redis_url, &done_channel(id)).await?;
        let mut heard = heard.on_message();
        let begun = Instant::now();
        let publish = whole.fleet.publish(LANE, &body, Some(id.as_str()));
        let (published, message) = tokio::join!(publish, timeout(PATIENCE, heard.next()));
        published?;
        message
            .context("the echo is silent")?
            .context("the listening connection ended")?;
        let result = whole.fleet.stored(id).await?;
        let took = begun.elapsed();
        ensure!(result.is_some(), "the echo stored nothing");
        Ok(took)
    }
}

impl Drop for RoundTrip {
    fn drop(&mut self) {
        // The end of its stdin is its own.
        drop(self.echo.stdin.take());
        self.echo.wait().ok();
    }
}

/// Answers messages until stdin ends.
pub(crate) async fn echo() -> anyhow::Result<()> {
    let amqp_url = std::env::var("GLOVEBOX_AMQP_URL")?;
    let redis_url = std::env::var("GLOVEBOX_REDIS_URL")?;
    let connection = connect_amqp(&amqp_url, "echo", CONNECT_WITHIN).await?;
    let channel = connection.create_channel().await?;
    let qos = BasicQosOptions::default();
    channel.basic_qos(PREFETCH, qos).await?;
    let (options, table) = (BasicConsumeOptions::default(), FieldTable::default());
    let lane = queue(LANE);
    let mut messages = channel
        .basic_consume(lane.as_str().into(), "echo".into(), options, table)
        .await?;
    let asker = pipe::Receiver::from_owned_fd(std::io::stdin().as_fd().try_clone_to_owned()?)?;
    let mut redis = connect_redis(&redis_url).await?;
    let result = vec![b'r'; RESULT_BYTES];
    let answer = async {
        while let Some(message) = messages.next().await {
            let message = message?;
            let properties = &message.properties;
            let id = properties.message_id().as_ref().context("no id")?;
            let id = id.as_str().parse()?;
            let mut store = redis::pipe();
            store
                .pset_ex(result_key(&id), &result, KEPT_MS)
                .publish(done_channel(&id), "done");
            store.exec_async(&mut redis).await?;
            message.acker.ack(BasicAckOptions::default()).await?;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        done = answer => done,
        () = end_of(asker) => Ok(()),
    }
}

/// It never says anything.
async fn end_of(mut pipe: pipe::Receiver) {
    let mut nothing = Vec::new();
    pipe.read_to_end(&mut nothing).await.unwrap_or_default();
}
