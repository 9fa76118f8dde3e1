//! Batches on real servers, with a runner that answers as the test tells it to.

mod faults;
mod order;
mod resume;

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use glovebox_broker::connect_redis;
use glovebox_scheduler::batch::{Batch, BatchError, Lines, Results, ResultsError, read_ahead};
use glovebox_scheduler::{Client, SubmitError};
use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::names::{done_channel, queue, result_key};
use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::fleet::eventually;
use glovebox_tests::{Redis, Services};
use lapin::options::{BasicAckOptions, BasicConsumeOptions};
use lapin::types::FieldTable;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::common::{arrived, runner_of, say, store_result};

/// Answers jobs, so many at a time and each such group from its end, and knows how often it has seen each.
struct Answering {
    seen: Arc<Mutex<HashMap<String, usize>>>,
    task: JoinHandle<()>,
}

impl Answering {
    async fn start(services: &Services, group: usize) -> Self {
        let (connection, channel) = runner_of(&services.amqp_url).await;
        let mut redis = connect_redis(&services.redis_url).await.unwrap();
        let seen: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
        let count = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let _connection = connection;
            let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
            let lane = queue("default");
            let jobs = channel
                .basic_consume(lane.into(), "t".into(), options, arguments)
                .await
                .unwrap();
            let mut groups = jobs.ready_chunks(group);
            while let Some(jobs) = groups.next().await {
                for delivery in jobs.into_iter().rev() {
                    let delivery = delivery.unwrap();
                    let job = Job::parse(&delivery.data).unwrap();
                    *count.lock().unwrap().entry(job.id.to_string()).or_default() += 1;
                    while !answer(&mut redis, &job).await {}
                    delivery.ack(BasicAckOptions::default()).await.unwrap();
                }
            }
        });
        Self { seen, task }
    }

    fn seen(&self) -> HashMap<String, usize> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The code of a job is what it prints. False if Redis did not take it all.
async fn answer(redis: &mut glovebox_broker::Redis, job: &Job) -> bool {
    let mut result = JobResult::new(job.id.clone(), Status::Succeeded, "r");
    result.stdout = job.code.clone().unwrap_or_default();
    result.metadata.clone_from(&job.metadata);
    let mut both = redis::pipe();
    both.set(result_key(&job.id), result.to_json());
    both.publish(done_channel(&job.id), "succeeded");
    both.exec_async(redis).await.is_ok()
}

fn line(code: usize) -> String {
    format!("{{\"language\": \"python\", \"code\": \"{code}\"}}\n")
}

fn input(jobs: usize) -> String {
    (0..jobs).map(line).collect()
}

/// Runs a batch of this input to its end, or until `stop`.
async fn run(
    services: &Services,
    text: impl Read + Send + 'static,
    results: &mut Results,
    window: u32,
    stop: &CancellationToken,
) -> (Result<bool, BatchError>, Vec<String>) {
    let mut lines = Lines::new(BufReader::new(text), results.batch());
    results.skip_done(&mut lines).unwrap();
    run_lines(services, lines, results, window, stop).await
}

async fn run_lines<R: BufRead + Send + 'static>(
    services: &Services,
    lines: Lines<R>,
    results: &mut Results,
    window: u32,
    stop: &CancellationToken,
) -> (Result<bool, BatchError>, Vec<String>) {
    let client = Arc::new(Client::new(&services.amqp_url, &services.redis_url));
    let notes: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&notes);
    let batch = Batch::new(client, window, move |note| {
        noted.lock().unwrap().push(note.to_owned());
    });
    let lines = read_ahead(lines).unwrap();
    let outcome = batch.run(lines, results, stop, |_| {}).await;
    let notes = notes.lock().unwrap().clone();
    (outcome, notes)
}

fn open(folder: &TempDir, resume: bool) -> Results {
    let mut results = Results::open(&folder.path().join("out"), resume).unwrap();
    results.remember(resume).unwrap();
    results
}

fn written(folder: &TempDir) -> Vec<JobResult> {
    let text = std::fs::read(folder.path().join("out")).unwrap();
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    lines
        .map(|line| JobResult::from_json(line).unwrap())
        .collect()
}

fn codes(results: &[JobResult]) -> Vec<String> {
    results.iter().map(|result| result.stdout.clone()).collect()
}

fn numbers(jobs: usize) -> Vec<String> {
    (0..jobs).map(|number| number.to_string()).collect()
}

fn never() -> CancellationToken {
    CancellationToken::new()
}
