//! Batches of commands: the program itself, or a jail that is given it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::{Batch, Order, Outset, Starts};
use crate::jails::Jail;
use crate::program::Program;
use crate::way::Way;

/// Commands.
pub(super) struct Spawn {
    programs: Vec<Program>,
    /// Of each program; `None`: bare.
    jails: Option<Vec<Jail>>,
}

impl Spawn {
    pub(super) fn new(way: Way, outset: &Outset) -> anyhow::Result<Spawn> {
        let programs = outset.programs.clone();
        let jail = |program| Jail::new(way, program, outset);
        let jails = match way {
            Way::Bare => None,
            _ => Some(programs.iter().map(jail).collect::<Result<_, _>>()?),
        };
        Ok(Spawn { programs, jails })
    }
}

impl Starts for Spawn {
    fn batch(&mut self, order: Order) -> anyhow::Result<Batch> {
        let program = self
            .programs
            .get(order.program)
            .context("no such program")?;
        let jail = self.jails.as_ref().and_then(|all| all.get(order.program));
        let start = || match jail {
            Some(jail) => jail.command(|command| once(command, program)),
            None => bare(program),
        };
        // Nothing is kept.
        let lines = if order.warm_up { 1 } else { order.in_flight };
        let begun = Instant::now();
        let line = || -> anyhow::Result<Vec<Duration>> {
            let mut each = vec![start()?];
            while begun.elapsed() < order.least {
                each.push(start()?);
            }
            Ok(each)
        };
        let each = std::thread::scope(|scope| {
            let lines: Vec<_> = (0..lines).map(|_| scope.spawn(line)).collect();
            let mut all = Vec::new();
            for line in lines {
                let ended = line
                    .join()
                    .map_err(|_| anyhow::anyhow!("a thread panicked"))?;
                all.extend(ended?);
            }
            anyhow::Ok(all)
        })?;
        Ok(Batch {
            took: begun.elapsed(),
            each,
            warm: 0,
        })
    }
}

/// The program as anybody would start it, with a clean environment.
pub(crate) fn bare(program: &Program) -> anyhow::Result<Duration> {
    let (first, rest) = program.argv.split_first().context("an empty command")?;
    let mut command = Command::new(first);
    command.args(rest).env_clear();
    let env = program.env_here();
    command.envs(env.iter().filter_map(|one| one.split_once('=')));
    once(&mut command, program)
}

/// Starts a command, reads its output, waits for its end; gives the time from first to last.
fn once(command: &mut Command, program: &Program) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {command:?}"))?;
    let took = begun.elapsed();
    ensure!(
        output.status.success() && output.stdout == program.prints.as_bytes(),
        "{} ended with {}: {}{}",
        program.name,
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(took)
}
