//! Jobs, one a line on stdin, one after the other, by turns in `WARM_SLOTS` slots (one), whose cells come from
//! a template, within `WARM_MEMORY` bytes, of `WARM_LANGUAGE` (Python, or all) and its profile `WARM_PROFILE`: prints for
//! each its result and whether it was warm. The first line comes when the template is ready. What nobody asks for fades
//! after `WARM_FADES_MS` and is forgotten after `WARM_FORGOTTEN_MS`.
//!
//! `warm cold` does the same without templates, `warm told` does not wait for a template for longer than a second.

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use glovebox_cell::{AllowMissing, WardenConfig, WarmConfig, WarmIdle, supervise};
use glovebox_environments::{Store, default_dir};
use glovebox_policies::Catalog;
use glovebox_runner::{Environment, Wanted, prepare, run_each};
use glovebox_schemas::job::Job;
use serde_json::{Value, json};

const READY_WITHIN: Duration = Duration::from_secs(30);

fn main() -> anyhow::Result<ExitCode> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let mode = std::env::args().nth(1);
    let cold = mode.as_deref() == Some("cold");
    let ready_within = match mode.as_deref() {
        Some("told") => Duration::from_secs(1),
        _ => READY_WITHIN,
    };
    let directory = std::env::var_os("GLOVEBOX_POLICIES");
    let catalog = Catalog::load(directory.as_deref().map(std::path::Path::new))?;
    let language = std::env::var("WARM_LANGUAGE").unwrap_or("python".to_owned());
    let (everything, language) = match language.as_str() {
        "all" => (true, "python".to_owned()),
        _ => (false, language),
    };
    let mut job = Job::new(&language);
    job.profile = std::env::var("WARM_PROFILE").ok();
    let profile = job.profile.clone();
    let wanted = match everything {
        true => Wanted::Everything,
        false => Wanted::Job(&job),
    };
    let (languages, blueprints) = prepare(catalog, environments(&job)?, &wanted)?;
    let config = WardenConfig {
        blueprints,
        slots: u16::try_from(variable("WARM_SLOTS", 1)?)?,
        uid_base: None,
        allow_missing: AllowMissing::default(),
        warm: WarmConfig {
            libraries: (!cold).then_some(glovebox_inside::LIBRARIES),
            memory: variable("WARM_MEMORY", 1 << 30)?,
            idle: WarmIdle {
                fades_after: Duration::from_millis(variable("WARM_FADES_MS", 60_000)?),
                forgotten_after: Duration::from_millis(variable("WARM_FORGOTTEN_MS", 600_000)?),
            },
        },
    };
    let code = supervise(&config, move |link| {
        let print = |value: &Value| {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{value}").and_then(|()| out.flush())
        };
        let (is_ready, started) = (std::cell::Cell::new(cold), Instant::now());
        let first = std::iter::repeat_with(
            || json!({"id": "first", "language": language, "profile": profile, "code": "0"}),
        );
        let mut lines = std::io::stdin().lock().lines();
        let mut first = first.take_while(|_| !is_ready.get() && started.elapsed() < ready_within);
        let bodies = std::iter::from_fn(|| match first.next() {
            Some(job) => Some(job.to_string().into_bytes()),
            None => {
                is_ready.set(true);
                lines.next().and_then(Result::ok).map(String::into_bytes)
            }
        });
        let ran = run_each(link, languages, bodies, |result, warm| {
            if is_ready.get() {
                let document: Value = serde_json::from_slice(&result.to_json()).unwrap_or_default();
                print(&json!({"warm": warm, "result": document})).unwrap_or_default();
            } else {
                is_ready.set(warm);
            }
        });
        match ran {
            Ok(()) => 0,
            Err(error) => {
                let mut line = std::io::stderr();
                writeln!(line, "{error}").unwrap_or_default();
                1
            }
        }
    })
    .context("starting the processes")?;
    if code != 0 {
        bail!("the runner ended with {code}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Those that are installed, if the job wants one.
fn environments(job: &Job) -> anyhow::Result<Vec<Environment>> {
    let (Some(_), Some(dir)) = (&job.profile, default_dir()) else {
        return Ok(Vec::new());
    };
    let held = Store::open_if_present(&dir)?.map(|store| store.hold_all());
    let installed = held.transpose()?.into_iter().flatten();
    Ok(installed
        .map(|(one, hold)| {
            // Until this process ends.
            std::mem::forget(hold);
            Environment {
                language: one.language,
                name: one.name,
                folder: one.folder,
            }
        })
        .collect())
}

/// A number from the environment.
fn variable(name: &str, otherwise: u64) -> anyhow::Result<u64> {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .with_context(|| format!("{name} is no number: {text}")),
        Err(_) => Ok(otherwise),
    }
}
