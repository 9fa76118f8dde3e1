//! The whole way: private RabbitMQ and Redis, two runners (one that starts everything cold, one as it is), and the
//! client that everybody uses.
//!
//! Servers, runners, client and cells share the machine with each other, and never with another way's batch.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use glovebox_schemas::names::runner_key;
use glovebox_schemas::result::Status;
use glovebox_tests::fleet::PATIENCE;
use glovebox_tests::{Fleet, Runner, Services};

use crate::agent::{Batch, Order};
use crate::cpu;
use crate::program::Program;
use crate::report::note;
use crate::settle::settle;
use crate::way::Way;

/// Bytes for all interpreters that wait.
const WARM_MEMORY: &str = "536870912";

/// Everything that runs, until it is dropped.
pub(crate) struct Whole {
    pub(crate) fleet: Fleet,
    cold: Runner,
    warm: Runner,
    pub(crate) programs: Vec<Program>,
    pub(crate) slots: usize,
}

/// Where the runners find things.
pub(crate) struct Folders<'a> {
    pub(crate) policies: &'a Path,
    pub(crate) environments: &'a Path,
}

impl Whole {
    /// Starts servers and runners, and waits until those consume.
    pub(crate) async fn start(
        programs: Vec<Program>,
        slots: u16,
        folders: &Folders<'_>,
    ) -> anyhow::Result<Whole> {
        let fleet = Fleet::on(Services::isolated()?).await?;
        let runner = |way: Way, more: &'static [&'static str]| {
            let slots = slots.to_string();
            let mut arguments = vec!["--slots", &slots, "--lane", way.name()];
            arguments.extend(more);
            let text = |path: &Path| path.to_str().map(str::to_owned).context("no text");
            let (policies, environments) = (text(folders.policies)?, text(folders.environments)?);
            let variables = [
                ("GLOVEBOX_POLICIES", policies.as_str()),
                ("GLOVEBOX_ENVIRONMENTS", environments.as_str()),
            ];
            Runner::spawn_with(&fleet.services, &arguments, &variables)
        };
        let cold = runner(Way::QueueCold, &["--warm-memory", "0"])?;
        let warm = runner(Way::QueueWarm, &["--warm-memory", WARM_MEMORY])?;
        for runner in [&cold, &warm] {
            runner.says("consuming").await?;
        }
        Ok(Whole {
            fleet,
            cold,
            warm,
            programs,
            slots: slots.into(),
        })
    }

    /// The runner of a way.
    pub(crate) fn runner(&self, way: Way) -> &Runner {
        match way {
            Way::QueueCold => &self.cold,
            _ => &self.warm,
        }
    }

    /// From the submission to the result in the waiter's hand.
    pub(crate) async fn one(&self, way: Way, program: &Program) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let job = program.job(way.name());
        self.fleet.client.submit(&job).await?;
        let result = self.fleet.client.wait(&job.id, PATIENCE).await?;
        let took = begun.elapsed();
        let result = result.context("a job has no result")?;
        ensure!(
            result.status == Status::Succeeded && result.stdout == program.prints,
            "{result:?}"
        );
        Ok(took)
    }

    /// A batch as an agent runs it.
    pub(crate) async fn batch(&self, way: Way, order: Order) -> anyhow::Result<Batch> {
        let begun = Instant::now();
        self.while_so(way, order, |number| {
            number < order.in_flight || begun.elapsed() < order.least
        })
        .await
    }

    /// So many jobs.
    pub(crate) async fn jobs(&self, way: Way, order: Order, count: usize) -> anyhow::Result<Batch> {
        self.while_so(way, order, |number| number < count).await
    }

    async fn while_so(
        &self,
        way: Way,
        order: Order,
        goes_on: impl Fn(usize) -> bool,
    ) -> anyhow::Result<Batch> {
        let program = self.programs.get(order.program);
        let program = program.context("no such program")?;
        let begun = Instant::now();
        let jobs = stream::iter(0..)
            .take_while(|number| std::future::ready(goes_on(*number)))
            .map(|_| self.one(way, program))
            .buffer_unordered(order.in_flight);
        let each = jobs.try_collect::<Vec<_>>().await?;
        Ok(Batch {
            took: begun.elapsed(),
            each,
            warm: 0,
        })
    }

    /// A few jobs at a time, so that every slot has had this program last.
    pub(crate) async fn warm_up(&self, way: Way, number: usize) -> anyhow::Result<()> {
        let program = self.programs.get(number).context("no such program")?;
        let jobs = stream::iter(0..2 * self.slots).map(|_| self.one(way, program));
        let jobs = jobs.buffer_unordered(self.slots);
        jobs.try_collect::<Vec<_>>().await.map(drop)
    }

    /// How many jobs of a runner came from a template, and how many did not, as its last heartbeat has it.
    pub(crate) async fn warmth(&self, way: Way) -> anyhow::Result<[u64; 2]> {
        let key = runner_key(&self.runner(way).name);
        let beat = self.fleet.hash(&key).await?;
        Ok(["warm", "cold"].map(|name| {
            let text = beat.get(name).map(String::as_str);
            text.and_then(|text| text.parse().ok()).unwrap_or(0)
        }))
    }

    /// Stops both runners in order.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.cold.stop().await?;
        self.warm.stop().await
    }
}

/// Jobs of the first program for so long, with as many in flight as keep every slot busy.
pub(crate) async fn burst(
    way: Way,
    programs: Vec<Program>,
    lasts: Duration,
    slots: u16,
    environments: &Path,
) -> anyhow::Result<()> {
    let policies = tempfile::tempdir()?;
    crate::policies::write(policies.path())?;
    let folders = Folders {
        policies: policies.path(),
        environments,
    };
    let whole = Whole::start(programs, slots, &folders).await?;
    whole.warm_up(way, 0).await?;
    settle();
    let mut pids = vec![std::process::id().to_string()];
    pids.extend(cpu::servers(&whole)?.map(|pid| pid.to_string()));
    note(&format!("begun: {}", pids.join(" ")));
    let order = Order {
        program: 0,
        in_flight: 2 * whole.slots,
        least: lasts,
        warm_up: false,
    };
    let batch = whole.batch(way, order).await?;
    note(&format!("{:.0} a second", batch.per_s()));
    whole.stop().await
}
