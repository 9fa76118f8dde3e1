//! What is measured besides: the command `glovebox run`, the network gate, and how soon a cancelled job is over.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use crate::cancel::Cancel;
use crate::gate::Network;
use crate::statistics::Summary;
use crate::whole::Whole;
use crate::{cancel, command, gate};

/// All of it.
#[derive(Debug, Serialize)]
pub(crate) struct Besides {
    /// CPU of the interpreter alone, and of `glovebox run`, which starts and ends all of its processes for one job.
    pub(crate) command_cpu_ms: [f64; 2],
    pub(crate) network: Network,
    pub(crate) cancel: Cancel,
}

pub(crate) async fn measure(
    whole: &Whole,
    glovebox: &Path,
    turns: usize,
) -> anyhow::Result<Besides> {
    Ok(Besides {
        command_cpu_ms: whole_command(glovebox, turns)?,
        network: gate::measure(turns)?,
        cancel: cancel::measure(whole, turns).await?,
    })
}

/// The medians, in ms.
fn whole_command(glovebox: &Path, turns: usize) -> anyhow::Result<[f64; 2]> {
    let program = tempfile::Builder::new().suffix(".py").tempfile()?;
    std::fs::write(&program, "print('hello')\n")?;
    let path = program.path().to_str().context("a path that is no text")?;
    let glovebox = glovebox.to_str().context("a path that is no text")?;
    let (mut bare, mut run) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        bare.push(command::cpu(&["/usr/bin/python3", "-s", path])?);
        run.push(command::cpu(&[glovebox, "run", path])?);
    }
    let median = |all: Vec<Duration>| Summary::of(all).map_or(0.0, |all| all.p50_ms);
    Ok([median(bare), median(run)])
}
