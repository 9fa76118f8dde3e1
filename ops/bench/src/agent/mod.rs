//! A process for each way of starting programs, which runs a batch whenever it is asked to.
//!
//! So each way keeps what it may keep (slots, templates, filters) for the whole session, and batches of all ways can
//! be shuffled. Orders are lines of JSON on stdin, answers lines on stdout. An agent must never do anything between two
//! batches.

mod cells;
pub(crate) mod spawn;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::jails::nsjail;
use crate::program::Program;
use crate::way::Way;

/// What an agent is started with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Outset {
    pub(crate) programs: Vec<Program>,
    /// How many can be in flight.
    pub(crate) most: u16,
    /// Profiles of the session.
    pub(crate) policies: PathBuf,
    /// For what has to be written to a file.
    pub(crate) scratch: PathBuf,
}

/// A batch: `in_flight` starts of one program at any time, until `least` has passed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Its number among the programs.
    pub(crate) program: usize,
    pub(crate) in_flight: usize,
    pub(crate) least: Duration,
    /// Only to have each place that is kept been used by this program last.
    pub(crate) warm_up: bool,
}

impl Order {
    /// What comes before a batch: one start in each place that it will use.
    pub(crate) fn warm_up(self) -> Order {
        Order {
            least: Duration::ZERO,
            warm_up: true,
            ..self
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Batch {
    /// From the first start to the last end.
    pub(crate) took: Duration,
    /// Each start, to its end.
    pub(crate) each: Vec<Duration>,
    /// How many came from a template, where that is known.
    pub(crate) warm: usize,
}

impl Batch {
    /// Ends a second.
    pub(crate) fn per_s(&self) -> f64 {
        self.each.len() as f64 / self.took.as_secs_f64()
    }
}

/// An agent, as the session sees it. Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Agent {
    child: Child,
    /// `None` only while it is dropped.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Agent {
    /// Starts the agent of this way.
    pub(crate) fn start(way: Way, outset: &Outset) -> anyhow::Result<Agent> {
        let itself = std::env::current_exe()?;
        let mut command = match way {
            // crun 1.8 takes a `unified` beside version 1 for the whole of it if that has controllers, and gives up.
            Way::Crun => {
                let mut command = Command::new("unshare");
                let script = "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$0\" \"$@\"";
                command.args(["--mount", "sh", "-c", script]).arg(itself);
                command
            }
            _ => Command::new(itself),
        };
        let mut child = command
            .arg("agent")
            .arg(way.name())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting the agent of {}", way.name()))?;
        let orders = child.stdin.take();
        let answers = child.stdout.take().context("an agent without a pipe")?;
        let mut agent = Agent {
            child,
            orders,
            answers: BufReader::new(answers),
        };
        agent.say(outset)?;
        Ok(agent)
    }

    /// Has a batch run.
    pub(crate) fn batch(&mut self, order: Order) -> anyhow::Result<Batch> {
        self.say(&order)?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let answer: Result<Batch, String> =
            serde_json::from_str(&line).context("the agent has ended")?;
        answer.map_err(anyhow::Error::msg)
    }

    fn say(&mut self, what: &impl Serialize) -> anyhow::Result<()> {
        let orders = self.orders.as_mut().context("an agent without a pipe")?;
        writeln!(orders, "{}", serde_json::to_string(what)?).context("the agent has ended")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // The end of its orders is its own.
        self.orders = None;
        self.child.wait().ok();
    }
}

/// Runs batches.
trait Starts {
    fn batch(&mut self, order: Order) -> anyhow::Result<Batch>;
}

/// Is the agent of a way, until its orders end.
pub(crate) fn run(way: Way) -> anyhow::Result<ExitCode> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let outset: Outset = serde_json::from_str(&line).context("reading what it is to start")?;
    match way {
        Way::Cold | Way::Warm => cells::run(&outset, way == Way::Warm),
        Way::QueueCold | Way::QueueWarm => bail!("a runner is no agent"),
        _ => {
            let served = spawn::Spawn::new(way, &outset).and_then(|mut starts| serve(&mut starts));
            if way == Way::Nsjail {
                nsjail::tidy();
            }
            served.map(|()| ExitCode::SUCCESS)
        }
    }
}

fn serve(starts: &mut impl Starts) -> anyhow::Result<()> {
    for line in std::io::stdin().lock().lines() {
        let order: Order = serde_json::from_str(&line?)?;
        let answer = starts.batch(order).map_err(|error| format!("{error:#}"));
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&answer)?)?;
        out.flush()?;
    }
    Ok(())
}
