//! `ops/bench/fair`: how long one tenant's single jobs wait while another has thousands in the queue.
//!
//! Twice the same, one after the other on the same servers: with a queue for each tenant, and with both in one. What is
//! told is when a runner began each job, never when a client heard of it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};
use glovebox_schemas::job::Job;
use glovebox_schemas::names::DEFAULT_TENANT;
use glovebox_tests::{Fleet, Runner, Services};
use plotters::prelude::*;
use serde::Serialize;

use crate::report::note;

const FLOOD: usize = 10_000;
const SLOTS: u16 = 4;
/// How long is looked, and how often the small tenant sends a job.
const LASTS: Duration = Duration::from_secs(30);
const EVERY: Duration = Duration::from_millis(250);
const PROGRAM: &str = "import time; time.sleep(0.02)";

#[derive(Serialize)]
struct Report {
    flood: usize,
    slots: u16,
    /// What a job takes its slot for, in milliseconds.
    job_ms: f64,
    /// Twice what the small tenant waits if every second start is its own: one job of the flood in each slot.
    bound_ms: f64,
    tenants: Vec<Wait>,
    one_queue: Vec<Wait>,
}

/// One job of the small tenant's.
#[derive(Serialize)]
struct Wait {
    /// Milliseconds since the small tenant's first.
    sent_ms: f64,
    /// From its submission to its start; absent if it had not begun by the end.
    waited_ms: Option<f64>,
}

/// Measures, and writes the figures and the plot into `folder`.
pub(crate) async fn measure(folder: &Path) -> anyhow::Result<()> {
    let (tenants, job_ms) = under_flood("big", "small").await?;
    note("the same in one queue");
    let (one_queue, _) = under_flood(DEFAULT_TENANT, DEFAULT_TENANT).await?;
    let report = Report {
        flood: FLOOD,
        slots: SLOTS,
        job_ms,
        bound_ms: 2.0 * job_ms,
        tenants,
        one_queue,
    };
    std::fs::create_dir_all(folder)?;
    let mut text = serde_json::to_string_pretty(&report)?;
    text.push('\n');
    std::fs::write(folder.join("fair.json"), text)?;
    plot(&report, &folder.join("fair.svg"))?;
    let waited = |waits: &[Wait]| {
        let mut ms: Vec<f64> = waits.iter().filter_map(|wait| wait.waited_ms).collect();
        ms.sort_by(f64::total_cmp);
        let at = |share: usize| ms.get(ms.len().saturating_sub(1) * share / 100).copied();
        format!(
            "{} of {} began; waited p50 {:.0} ms, most {:.0} ms",
            ms.len(),
            waits.len(),
            at(50).unwrap_or_default(),
            at(100).unwrap_or_default()
        )
    };
    note(&format!(
        "a job takes {job_ms:.0} ms; tenants: {}",
        waited(&report.tenants)
    ));
    note(&format!("one queue: {}", waited(&report.one_queue)));
    Ok(())
}

async fn under_flood(big: &str, small: &str) -> anyhow::Result<(Vec<Wait>, f64)> {
    let fleet = Fleet::on(Services::isolated()?).await?;
    let job = |tenant: &str| {
        let mut job = Job::new("python");
        job.code = Some(PROGRAM.to_owned());
        job.tenant = tenant.to_owned();
        job
    };
    note(&format!("{FLOOD} jobs are sent"));
    let flood: Vec<Job> = (0..FLOOD).map(|_| job(big)).collect();
    stream::iter(flood.iter().map(anyhow::Ok))
        .try_for_each_concurrent(64, async |job| {
            fleet.client.submit(job).await?;
            Ok(())
        })
        .await?;
    let slots = SLOTS.to_string();
    let runner = Runner::spawn(&fleet.services, &["--slots", &slots, "--lane", "default"])?;
    runner.says("consuming").await?;
    // Its queue is made by its first.
    fleet.client.submit(&job(small)).await?;
    fleet.result(&flood.first().context("no flood")?.id).await?;
    let mut sent = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < LASTS {
        let one = job(small);
        let at = (begun.elapsed(), jiff::Timestamp::now());
        fleet.client.submit(&one).await?;
        sent.push((one.id, at));
        tokio::time::sleep(EVERY).await;
    }
    // Those that have just been sent have the time that all of them need.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut waits = Vec::new();
    for (id, (sent_at, clock)) in &sent {
        let state = fleet.state(id).await?;
        let since = state.get("since").and_then(|ms| ms.parse().ok());
        let since = since.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let waited = since.map(|since| since.duration_since(*clock).as_secs_f64() * 1000.0);
        waits.push(Wait {
            sent_ms: sent_at.as_secs_f64() * 1000.0,
            waited_ms: waited.map(|ms| ms.max(0.0)),
        });
    }
    let job_ms = mean_ms(&fleet, &flood, waits.len()).await?;
    runner
        .supervisor()
        .signal(nix::sys::signal::Signal::SIGKILL)?;
    Ok((waits, job_ms))
}

/// What a job had its slot for, those of the flood and so many others: all slots were always full.
async fn mean_ms(fleet: &Fleet, flood: &[Job], others: usize) -> anyhow::Result<f64> {
    let states = stream::iter(flood)
        .map(|job| fleet.state(&job.id))
        .buffered(64);
    let states: Vec<_> = states.try_collect().await?;
    let since = states
        .iter()
        .filter_map(|state| state.get("since")?.parse::<f64>().ok());
    let since: Vec<f64> = since.collect();
    let (first, last) = since.iter().fold((f64::MAX, 0.0_f64), |(first, last), ms| {
        (first.min(*ms), last.max(*ms))
    });
    Ok((last - first) / (since.len() + others).max(1) as f64 * f64::from(SLOTS))
}

fn plot(report: &Report, path: &Path) -> anyhow::Result<()> {
    let area = SVGBackend::new(path, (760, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let font = ("sans-serif", 14);
    let seconds = LASTS.as_secs_f64();
    let caption = format!(
        "how long one job waits behind {} of another tenant ({} slots)",
        report.flood, report.slots
    );
    let mut chart = ChartBuilder::on(&area)
        .caption(caption, font)
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..seconds * 1.45, (1.0..200_000.0_f64).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("sent, s after the flood began")
        .y_desc("waited, ms")
        .light_line_style(WHITE)
        .draw()?;
    let lost = seconds * 1000.0;
    let series = [
        (
            &report.one_queue,
            "one queue: not begun at the end",
            RGBColor(0xb8, 0x3a, 0x3a),
        ),
        (
            &report.tenants,
            "a queue for each tenant",
            RGBColor(0x0b, 0x5c, 0xab),
        ),
    ];
    for (waits, label, colour) in series {
        let at = |wait: &Wait| {
            let least = (lost - wait.sent_ms).max(1.0);
            (
                wait.sent_ms / 1000.0,
                wait.waited_ms.map_or(least, |ms| ms.max(1.0)),
            )
        };
        let points: Vec<(f64, f64)> = waits.iter().map(at).collect();
        let circles = waits.iter().map(|wait| {
            let style = match wait.waited_ms {
                Some(_) => colour.filled(),
                None => colour.stroke_width(1),
            };
            Circle::new(at(wait), 3, style)
        });
        chart.draw_series(circles)?;
        let middle = points.get(points.len() / 2).map_or(1.0, |point| point.1);
        let text = font.into_font().color(&colour);
        chart.draw_series([Text::new(label, (seconds * 1.02, middle), text)])?;
    }
    let bound = [(0.0, report.bound_ms), (seconds, report.bound_ms)];
    chart.draw_series(LineSeries::new(bound, BLACK.stroke_width(1)))?;
    let label = format!("2 × the fair share: {:.0} ms", report.bound_ms);
    let place = (seconds * 1.02, report.bound_ms * 1.1);
    chart.draw_series([Text::new(label, place, font.into_font())])?;
    area.present()?;
    Ok(())
}
