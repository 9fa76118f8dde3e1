//! What HTTP costs beside the queue: `ops/bench/gateway`.
//!
//! The same jobs are handed over by the client and by the gateway, in turns, on one machine with the servers beside them;
//! nobody runs them. Only the difference and the ratio mean anything.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use glovebox_schemas::job::Job;
use glovebox_schemas::names::queue;
use glovebox_tests::Fleet;
use glovebox_tests::gateway::Gateway;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use lapin::options::QueuePurgeOptions;
use serde_json::json;
use tokio::net::TcpStream;

/// Rounds of one after the other.
const ROUNDS: usize = 20;
const IN_A_ROUND: usize = 200;
/// For the rate.
const JOBS: usize = 20_000;
const CONNECTIONS: usize = 64;
const IN_A_BATCH: usize = 256;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let measured = runtime
        .context("a runtime")
        .and_then(|runtime| runtime.block_on(measure()));
    match measured {
        Ok(lines) => say(&lines, ExitCode::SUCCESS),
        Err(error) => say(&format!("{error:#}\n"), ExitCode::FAILURE),
    }
}

#[expect(clippy::print_stdout, reason = "what a bench is for")]
fn say(lines: &str, code: ExitCode) -> ExitCode {
    print!("{lines}");
    code
}

async fn measure() -> anyhow::Result<String> {
    let fleet = Fleet::new().await?;
    let gateway = Gateway::before(&fleet.services, &[]);
    let place = gateway.http.place();
    let mut alone = connect(place).await?;
    let (mut amqp, mut http) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for _ in 0..IN_A_ROUND {
            let begun = Instant::now();
            fleet.client.submit(&job()).await?;
            amqp.push(begun.elapsed());
        }
        for _ in 0..IN_A_ROUND {
            let begun = Instant::now();
            post(&mut alone, "/v1/jobs", job().to_wire_json()).await?;
            http.push(begun.elapsed());
        }
        if round == 0 {
            // To warm up.
            (amqp, http) = (Vec::new(), Vec::new());
        }
        purge(&fleet).await?;
    }
    let [amqp, http] = [amqp, http].map(quantiles);
    let single = rate(place, JOBS, CONNECTIONS, 1).await?;
    purge(&fleet).await?;
    let batched = rate(place, JOBS * 2, 4, IN_A_BATCH).await?;
    purge(&fleet).await?;
    Ok(format!(
        "one after the other, p50 / p99: queue {} / {} ms, gateway {} / {} ms, so {:.2} ms more\n\
         POST /v1/jobs, {CONNECTIONS} connections: {single:.0} jobs/s\n\
         POST /v1/jobs:batch, {IN_A_BATCH} jobs each, 4 connections: {batched:.0} jobs/s\n",
        ms(amqp.0),
        ms(amqp.1),
        ms(http.0),
        ms(http.1),
        (http.0.as_secs_f64() - amqp.0.as_secs_f64()) * 1e3,
    ))
}

/// About a kilobyte.
fn job() -> Job {
    let mut job = Job::new("python");
    job.code = Some(format!("print('hello')\n# {}\n", "x".repeat(900)));
    job
}

async fn rate(place: &str, jobs: usize, connections: usize, batch: usize) -> anyhow::Result<f64> {
    let senders = try_join_all((0..connections).map(|_| connect(place))).await?;
    let begun = Instant::now();
    let requests = jobs / connections / batch;
    let sending = senders.into_iter().map(|mut sender| async move {
        for _ in 0..requests {
            match batch {
                1 => post(&mut sender, "/v1/jobs", job().to_wire_json()).await?,
                _ => {
                    let jobs: Vec<_> = (0..batch).map(|_| job()).collect();
                    let body = json!({ "jobs": jobs }).to_string();
                    post(&mut sender, "/v1/jobs:batch", body.into_bytes()).await?;
                }
            }
        }
        anyhow::Ok(())
    });
    try_join_all(sending).await?;
    #[expect(clippy::cast_precision_loss, reason = "some ten thousands")]
    let jobs = (requests * connections * batch) as f64;
    Ok(jobs / begun.elapsed().as_secs_f64())
}

async fn connect(place: &str) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(place).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn post(
    sender: &mut SendRequest<Full<Bytes>>,
    path: &str,
    body: Vec<u8>,
) -> anyhow::Result<()> {
    sender.ready().await?;
    let request = Request::post(path)
        .header("host", "bench")
        .header("content-type", "application/json");
    let response = sender.send_request(request.body(Full::from(body))?).await?;
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    ensure!(
        head.status.is_success(),
        "{}: {}",
        head.status,
        String::from_utf8_lossy(&body)
    );
    Ok(())
}

async fn purge(fleet: &Fleet) -> anyhow::Result<()> {
    let purged = fleet
        .channel
        .queue_purge(queue("default").into(), QueuePurgeOptions::default());
    purged.await?;
    Ok(())
}

fn quantiles(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    (at(50), at(99))
}

fn ms(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}
