//! What a warm cell costs that waits for its job: PSS (of pages that processes share, each has its share) of the process
//! that will be the job, and of its cell's init.

use anyhow::ensure;
use glovebox_tests::fleet::eventually;
use glovebox_tests::processes::Process;
use serde::Serialize;

use crate::settle::settle;
use crate::statistics::median;
use crate::way::Way;
use crate::whole::Whole;

const READY: &str = "glovebox-ready";
const PROGRAM: &str = "python";

/// KiB, medians over the waiting cells.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) cells: usize,
    pub(crate) job_kib: f64,
    pub(crate) init_kib: f64,
    /// Its pages alone, without its share of what others have as well.
    pub(crate) job_private_kib: f64,
}

impl Memory {
    /// Of the whole cell.
    pub(crate) fn mb(&self) -> f64 {
        (self.job_kib + self.init_kib) * 1.024 / 1000.0
    }
}

/// Looks at the waiting cells of the warm runner; `None` if the program is not in the session.
pub(crate) async fn measure(whole: &Whole) -> anyhow::Result<Option<Memory>> {
    let mut programs = whole.programs.iter();
    let Some(number) = programs.position(|program| program.name == PROGRAM) else {
        return Ok(None);
    };
    whole.warm_up(Way::QueueWarm, number).await?;
    let warden = whole.runner(Way::QueueWarm).warden()?;
    let plain = |process: &Process| is_plain_python(*process).unwrap_or(false);
    let waiting = || -> anyhow::Result<Vec<Process>> {
        Ok(warden.called(READY)?.into_iter().filter(plain).collect())
    };
    let mut ready = Vec::new();
    eventually("cells wait", async || {
        ready = waiting()?;
        Ok(!ready.is_empty())
    })
    .await?;
    settle();
    ready = waiting()?;
    let (mut jobs, mut inits, mut private) = (Vec::new(), Vec::new(), Vec::new());
    for process in &ready {
        jobs.push(process.memory_kib()? as f64);
        inits.push(process.parent()?.memory_kib()? as f64);
        private.push(private_kib(process.0)?);
    }
    ensure!(!ready.is_empty(), "no cell waits");
    let middle = |all: Vec<f64>| median(all).unwrap_or_default();
    Ok(Some(Memory {
        cells: ready.len(),
        job_kib: middle(jobs),
        init_kib: middle(inits),
        job_private_kib: middle(private),
    }))
}

/// Whether it is of the profile itself: an environment's interpreter has its packages, and is not what is meant.
fn is_plain_python(process: Process) -> anyhow::Result<bool> {
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", process.0))?;
    Ok(maps.contains("/python3") && !maps.contains("numpy"))
}

fn private_kib(pid: i32) -> anyhow::Result<f64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let lines = rollup.lines().filter(|line| line.starts_with("Private_"));
    let numbers = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    Ok(numbers.sum())
}
