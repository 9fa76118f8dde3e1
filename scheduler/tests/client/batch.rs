//! Batches on real servers, with a runner that answers as the test tells it to.

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

#[tokio::test]
async fn results_stand_in_the_order_of_the_lines_whatever_ends_first() {
    let services = Services::isolated().unwrap();
    let runner = Answering::start(&services, 50).await;
    let folder = tempfile::tempdir().unwrap();
    let mut results = open(&folder, false);

    let (outcome, notes) = run(
        &services,
        Cursor::new(input(1000)),
        &mut results,
        100,
        &never(),
    )
    .await;

    assert!(outcome.unwrap());
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(results.close(true).unwrap().of(Status::Succeeded), 1000);
    assert_eq!(codes(&written(&folder)), numbers(1000));
    assert!(runner.seen().values().all(|times| *times == 1));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn what_is_no_job_has_a_result_in_its_place_and_the_rest_goes_on() {
    let services = Services::isolated().unwrap();
    let _runner = Answering::start(&services, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let mut results = open(&folder, false);
    let mut text = line(0);
    text += "\n  \n{\"language\": \"python\", \"cod\": 1}\nno json\n";
    text += &format!("{{\"id\": \"{}\"}}\n", JobId::new_v7());
    text += line(1).trim_end();

    let (outcome, notes) = run(&services, Cursor::new(text), &mut results, 10, &never()).await;

    assert!(outcome.unwrap());
    assert_eq!(notes.len(), 3, "{notes:?}");
    for (note, begins) in
        notes
            .iter()
            .zip(["line 4: unknown field \"cod\"", "line 5: ", "line 6: "])
    {
        assert!(note.starts_with(begins), "{note}");
        assert!(note.contains("\n  mend: "), "{note}");
    }
    let tally = results.close(true).unwrap();
    assert_eq!(
        (tally.of(Status::Succeeded), tally.of(Status::Rejected)),
        (2, 3)
    );
    let results = written(&folder);
    assert_eq!(codes(&results), ["0", "", "", "", "1"]);
    let error = results[1].error.as_ref().unwrap();
    assert!(error.message.starts_with("line 4: "), "{error:?}");
}

#[tokio::test]
async fn one_id_twice_runs_once_and_both_lines_have_its_result() {
    let services = Services::isolated().unwrap();
    let runner = Answering::start(&services, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let mut results = open(&folder, false);
    let id = JobId::new_v7();
    let twice = format!("{{\"id\": \"{id}\", \"language\": \"python\", \"code\": \"x\"}}\n");

    let text = Cursor::new(format!("{twice}{}{twice}", line(1)));
    let (outcome, _) = run(&services, text, &mut results, 10, &never()).await;

    assert!(outcome.unwrap());
    results.close(true).unwrap();
    assert_eq!(codes(&written(&folder)), ["x", "1", "x"]);
    assert_eq!(runner.seen().len(), 2);
}

/// As after `kill -9`: what was sent is in the queue, the last line is torn, the lock is gone.
#[tokio::test]
async fn a_batch_that_was_killed_goes_on_and_sends_no_job_as_another() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
    let folder = tempfile::tempdir().unwrap();
    let stop = never();
    {
        let mut results = open(&folder, false);
        let killed = async {
            arrived(&channel, 20).await;
            stop.cancel();
        };
        let text = Cursor::new(input(100));
        let (outcome, ()) = tokio::join!(run(&services, text, &mut results, 20, &stop), killed);
        assert!(!outcome.0.unwrap());
    }

    let runner = Answering::start(&services, 7).await;
    for (until, torn) in [(30, true), (60, false), (usize::MAX, false)] {
        let mut results = open(&folder, true);
        let stop = never();
        let path = folder.path().join("out");
        let lines = || {
            std::fs::read(&path)
                .unwrap()
                .iter()
                .filter(|byte| **byte == b'\n')
                .count()
        };
        let killed = async {
            eventually("some are done", async || Ok(lines() >= until.min(100)))
                .await
                .unwrap();
            stop.cancel();
        };
        let text = Cursor::new(input(100));
        let running = run(&services, text, &mut results, 4, &stop);
        let (outcome, ()) = tokio::join!(running, killed);
        outcome.0.unwrap();
        drop(results);
        if torn {
            let mut torn = std::fs::read(&path).unwrap();
            torn.truncate(torn.len() - 5);
            std::fs::write(&path, torn).unwrap();
        }
    }

    let results = written(&folder);
    assert_eq!(codes(&results), numbers(100));
    assert_eq!(runner.seen().len(), 100, "a job was sent under two ids");
    let ids: HashSet<_> = results.iter().map(|result| result.id.to_string()).collect();
    assert_eq!(ids, runner.seen().into_keys().collect());
}

#[tokio::test]
async fn the_output_of_another_input_is_left_as_it_is() {
    let services = Services::isolated().unwrap();
    let _runner = Answering::start(&services, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let mut results = open(&folder, false);
    let (outcome, _) = run(&services, Cursor::new(input(3)), &mut results, 10, &never()).await;
    assert!(outcome.unwrap());
    results.close(true).unwrap();
    let path = folder.path().join("out");
    let mut before = std::fs::read(&path).unwrap();
    before.extend(b"{\"torn");
    std::fs::write(&path, &before).unwrap();

    for (text, line) in [(input(2), 3), (format!("{}{}", line(7), input(3)), 1)] {
        let mut results = open(&folder, true);
        let mut lines = Lines::new(Cursor::new(text), results.batch());
        let error = results.skip_done(&mut lines).unwrap_err();
        assert!(
            matches!(&error, ResultsError::OtherInput { line: at, .. } if *at == line),
            "{error:?}"
        );
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert!(matches!(
        Results::open(&path, false),
        Err(ResultsError::Exists(_))
    ));
}

#[test]
fn two_batches_do_not_share_an_output() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let _first = Results::open(&path, false).unwrap();
    for resume in [false, true] {
        assert!(matches!(
            Results::open(&path, resume),
            Err(ResultsError::Busy(_))
        ));
    }
}

/// An endless input that counts the lines that were taken.
struct Endless {
    line: Cursor<Vec<u8>>,
    taken: Arc<AtomicUsize>,
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.line.read(out)?;
        if read > 0 {
            return Ok(read);
        }
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        self.line = Cursor::new(line(number).into_bytes());
        self.line.read(out)
    }
}

#[tokio::test]
async fn only_a_window_of_an_endless_input_is_held() {
    const WINDOW: usize = 32;
    let services = Services::isolated().unwrap();
    let (connection, channel) = runner_of(&services.amqp_url).await;
    let folder = tempfile::tempdir().unwrap();
    let mut results = open(&folder, false);
    let taken = Arc::new(AtomicUsize::new(0));
    let endless = Endless {
        line: Cursor::default(),
        taken: Arc::clone(&taken),
    };
    let stop = never();
    let path = folder.path().join("out");
    let lines = || {
        std::fs::read(&path)
            .unwrap()
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
    };
    let watcher = async {
        // Nobody answers: so many are sent, and a little more is read.
        arrived(&channel, u32::try_from(WINDOW).unwrap()).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(taken.load(Ordering::Relaxed) <= WINDOW + 200);
        drop(connection);
        let _runner = Answering::start(&services, 1).await;
        eventually("hundreds are done", async || {
            let (read, done) = (taken.load(Ordering::Relaxed), lines());
            assert!(
                read <= done + WINDOW + 200,
                "{read} lines read, {done} done"
            );
            Ok(done >= 500)
        })
        .await
        .unwrap();
        stop.cancel();
    };
    let window = u32::try_from(WINDOW).unwrap();
    let (outcome, ()) = tokio::join!(
        run(&services, endless, &mut results, window, &stop),
        watcher
    );
    assert!(!outcome.0.unwrap());
}

#[tokio::test]
async fn lost_connections_to_redis_lose_nothing() {
    let redis = Redis::start().unwrap();
    let services = Services {
        amqp_url: Services::isolated_vhost().unwrap(),
        redis_url: redis.url().to_owned(),
    };
    let _runner = Answering::start(&services, 3).await;
    let folder = tempfile::tempdir().unwrap();
    let mut results = open(&folder, false);
    let path = folder.path().join("out");
    let operator = async {
        for done in [50, 100, 150, 200] {
            eventually("there is progress", async || {
                let text = std::fs::read(&path)?;
                Ok(text.iter().filter(|byte| **byte == b'\n').count() >= done)
            })
            .await
            .unwrap();
            let mut commands = connect_redis(redis.url()).await.unwrap();
            for kind in ["pubsub", "normal"] {
                let mut kill = redis::cmd("CLIENT");
                kill.arg(&["KILL", "TYPE", kind, "SKIPME", "yes"]);
                let () = kill.query_async(&mut commands).await.unwrap();
            }
        }
    };
    let text = Cursor::new(input(400));
    let never = never();
    let running = run(&services, text, &mut results, 16, &never);
    let (outcome, ()) = tokio::join!(running, operator);

    assert!(outcome.0.unwrap());
    results.close(true).unwrap();
    assert_eq!(codes(&written(&folder)), numbers(400));
}

#[tokio::test]
async fn a_server_that_is_away_at_first_or_a_lane_that_nobody_serves_ends_it() {
    let services = Services::isolated().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let away = Services {
        amqp_url: "amqp://127.0.0.1:1/%2f".to_owned(),
        redis_url: services.redis_url.clone(),
    };
    let mut results = open(&folder, false);
    let (outcome, _) = run(&away, Cursor::new(input(3)), &mut results, 10, &never()).await;
    let error = outcome.unwrap_err();
    assert!(
        matches!(
            &error,
            BatchError::Submit {
                line: 1,
                source: SubmitError::Client(_)
            }
        ),
        "{error:?}"
    );
    drop(results);

    let runner = Answering::start(&services, 1).await;
    let lost = "{\"language\": \"python\", \"code\": \"1\", \"lane\": \"nobody\"}\n";
    let text = [&line(0), lost, &line(2)].concat();
    let mut results = open(&folder, true);
    let (outcome, _) = run(&services, Cursor::new(text), &mut results, 100, &never()).await;
    let error = outcome.unwrap_err();
    assert!(
        matches!(
            &error,
            BatchError::Submit {
                line: 2,
                source: SubmitError::NoSuchLane { .. }
            }
        ),
        "{error:?}"
    );
    assert!(error.hint().contains("--lane nobody"), "{}", error.hint());
    // What was sent before has its result.
    drop(results);
    assert_eq!(codes(&written(&folder)), ["0"]);

    let mut results = open(&folder, true);
    let (outcome, _) = run(
        &services,
        Cursor::new(input(3)),
        &mut results,
        100,
        &never(),
    )
    .await;
    assert!(outcome.unwrap());
    results.close(true).unwrap();
    assert_eq!(codes(&written(&folder)), ["0", "1", "2"]);
    assert_eq!(runner.seen().len(), 3, "what was sent is found");
}

#[tokio::test]
async fn a_result_that_has_expired_does_not_stop_the_others() {
    let services = Services::isolated().unwrap();
    let _runner = Answering::start(&services, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let mut results = open(&folder, false);
    let (expired, done) = (JobId::new_v7(), JobId::new_v7());
    say(&services.redis_url, &expired, &["state", "done"]).await;
    let mut before = JobResult::new(done.clone(), Status::Failed, "r");
    before.stdout = "before".to_owned();
    store_result(&services.redis_url, &before).await;
    let of = |id| format!("{{\"id\": \"{id}\", \"language\": \"python\", \"code\": \"x\"}}\n");

    let text = format!("{}{}{}", of(expired), of(done), line(2));
    let (outcome, _) = run(&services, Cursor::new(text), &mut results, 10, &never()).await;

    assert!(outcome.unwrap());
    results.close(true).unwrap();
    let results = written(&folder);
    assert_eq!(codes(&results), ["", "before", "2"]);
    assert_eq!(results[0].status, Status::Error);
    assert_eq!(results[0].error.as_ref().unwrap().code, "result_lost");
}

#[tokio::test]
async fn what_nobody_will_ask_for_is_cancelled() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
    let client = Arc::new(Client::new(&services.amqp_url, &services.redis_url));
    let batch = Batch::new(Arc::clone(&client), 8, |_| {});
    let mut results = Results::to(io::sink());
    let ids: Vec<_> = (0..8).map(|_| JobId::new_v7()).collect();
    let of = |id| format!("{{\"id\": \"{id}\", \"language\": \"python\", \"code\": \"x\"}}\n");
    let text: String = ids.iter().map(of).collect();
    let lines = read_ahead(Lines::new(Cursor::new(text), results.batch())).unwrap();
    let stop = never();
    let stopper = async {
        arrived(&channel, 8).await;
        stop.cancel();
    };
    let (outcome, ()) = tokio::join!(batch.run(lines, &mut results, &stop, |_| {}), stopper);

    assert!(!outcome.unwrap());
    assert!(!results.can_be_resumed());
    batch.cancel().await.unwrap();
    for id in &ids {
        let result = client.result(id).await.unwrap().unwrap();
        assert_eq!(result.status, Status::Cancelled);
    }
}

#[test]
fn ids_that_are_made_depend_on_the_run_the_line_and_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let ids = |batch, text: &str| {
        let lines = Lines::new(Cursor::new(text.to_owned()), batch);
        let ids = lines.map(|line| line.unwrap().id.to_string());
        ids.collect::<Vec<_>>()
    };
    let one = line(1).repeat(2);
    let results = open(&folder, false);
    let (batch, first) = (results.batch(), ids(results.batch(), &one));
    drop(results);
    let resumed = open(&folder, true);
    assert_eq!(ids(resumed.batch(), &one), first, "another run");
    drop(resumed);
    assert_ne!(first[0], first[1], "another line");
    assert_ne!(ids(batch, &line(2)), first[..1], "another content");
    assert!(!Path::new(&first[0]).has_root());
    let anew = open(&folder, false);
    assert_ne!(ids(anew.batch(), &one), first, "not resumed");
}

#[test]
fn a_line_that_is_too_long_is_skipped_and_not_held() {
    let long = Cursor::new(vec![b'x'; 40 << 20]);
    let all = Cursor::new(line(0))
        .chain(long)
        .chain(Cursor::new(format!("\n{}", line(2))));
    let lines = Lines::new(BufReader::new(all), Results::to(io::sink()).batch());
    let lines: Vec<_> = lines.map(Result::unwrap).collect();

    let are_jobs: Vec<_> = lines.iter().map(|line| line.job.is_ok()).collect();
    assert_eq!(are_jobs, [true, false, true]);
    assert_eq!(lines[2].place.number, 3);
    assert_eq!(
        lines[2].place.read,
        (40 << 20) + 1 + 2 * line(0).len() as u64
    );
    let rejection = lines[1].job.as_ref().unwrap_err();
    assert!(
        rejection
            .message
            .starts_with("line 2: the job is too large"),
        "{rejection}"
    );
}
