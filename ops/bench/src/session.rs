//! One session: everything that is compared, in turns, and then what is measured once.
//!
//! The batches of all programs, ways and numbers in flight are shuffled anew in each round, since two shared cores drift
//! by more than the differences: only what was measured in the same round is compared. Must never leave out a batch
//! that was slow.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;

use crate::agent::{Agent, Batch, Order, Outset};
use crate::idle::Turns;
use crate::report::{Point, Report, note};
use crate::scale::Scale;
use crate::settle::settle;
use crate::way::{WAYS, Way};
use crate::whole::{Folders, Whole};
use crate::{besides, cpu, host, load, memory, policies, program};

/// What is measured, and where.
pub(crate) struct Plan<'a> {
    pub(crate) scale: Scale,
    pub(crate) seed: u64,
    /// Names of those that are wanted; none: all.
    pub(crate) programs: &'a [String],
    /// Of each runner.
    pub(crate) slots: u16,
    /// The command that is measured.
    pub(crate) glovebox: &'a Path,
    /// Where package environments are kept from one session to the next.
    pub(crate) environments: &'a Path,
}

/// A batch to be run.
#[derive(Clone, Copy)]
struct Item {
    way: Way,
    program: usize,
    in_flight: usize,
}

type Agents = BTreeMap<Way, Agent>;

/// Runs it.
pub(crate) async fn run(plan: &Plan<'_>) -> anyhow::Result<Report> {
    let scale = plan.scale;
    let scratch = tempfile::Builder::new()
        .prefix("glovebox-bench-")
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir()?;
    let policies = scratch.path().join("policies");
    policies::write(&policies)?;
    let (programs, mut absent) = program::all(plan.glovebox, plan.environments, plan.programs)?;
    let most = scale.in_flight.iter().max().context("nothing to do")?;
    let outset = Outset {
        programs: programs.clone(),
        most: u16::try_from(*most)?,
        policies: policies.clone(),
        scratch: scratch.path().to_owned(),
    };
    let folders = Folders {
        policies: &policies,
        environments: plan.environments,
    };
    let busy_before = host::busy_percent()?;
    note("starting RabbitMQ, Redis and two runners");
    let whole = Whole::start(programs, plan.slots, &folders).await?;
    let (mut agents, mut items) = start(&outset, scale, &mut absent)?;
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let mut points = BTreeMap::new();
    let mut turns = Turns::new(&whole).await?;
    for round in 1..=scale.rounds {
        note(&format!("round {round} of {}", scale.rounds));
        random.shuffle(&mut items);
        for item in &items {
            let batch = batch(&mut agents, &whole, *item, scale).await?;
            let name = &outset.programs[item.program].name;
            let new = || Point::new(name, item.way, item.in_flight);
            let key = (item.program, item.way, item.in_flight);
            points.entry(key).or_insert_with(new).add(batch);
        }
        turns.take(&whole, scale.idle).await?;
    }
    drop(agents);
    let points: Vec<Point> = points.into_values().map(Point::done).collect();
    note("processor time, memory and load");
    let (idle, round_trip) = turns.end(&whole);
    let mut report = Report {
        scale: scale.name,
        seed: plan.seed,
        slots: plan.slots,
        host: host::describe()?,
        absent,
        cpu: cpu::measure(&whole, scale.cpu_jobs).await?,
        memory: memory::measure(&whole).await?,
        load: load::measure(&whole, &points, scale.load).await?,
        points,
        idle,
        round_trip,
        warmth: [
            whole.warmth(Way::QueueCold).await?,
            whole.warmth(Way::QueueWarm).await?,
        ],
        besides: besides::measure(&whole, plan.glovebox, scale.besides).await?,
        goals: Vec::new(),
    };
    report.goals = crate::goals::judge(&report);
    whole.stop().await?;
    report.host.busy_percent.push(busy_before);
    report.host.busy_percent.push(host::busy_percent()?);
    Ok(report)
}

/// The agents that work here, and all batches of a round. Each agent has to run each program once before: what does not
/// work is said, and an own way that does not is an error.
fn start(
    outset: &Outset,
    scale: Scale,
    absent: &mut Vec<String>,
) -> anyhow::Result<(Agents, Vec<Item>)> {
    let (mut agents, mut items) = (Agents::new(), Vec::new());
    for way in WAYS {
        if way.is_jail() && way.installed().is_none() {
            absent.push(format!("{}: not installed", way.name()));
            continue;
        }
        let mut agent = match way.is_queued() {
            true => None,
            false => Some(Agent::start(way, outset)?),
        };
        for (number, program) in outset.programs.iter().enumerate() {
            if !way.suits(program) {
                continue;
            }
            let tried = agent
                .as_mut()
                .map(|agent| agent.batch(order(number, 1, scale).warm_up()));
            match tried {
                Some(Err(error)) if way == Way::Bare || way == Way::Cold => {
                    return Err(error.context(format!("{} of {}", way.name(), program.name)));
                }
                Some(Err(error)) => {
                    absent.push(format!("{}, {}: {error:#}", way.name(), program.name));
                    continue;
                }
                Some(Ok(_)) | None => {}
            }
            let all = match program.packages {
                Some(_) => scale.in_flight_slow,
                None => scale.in_flight,
            };
            let all = all.iter().filter(|one| **one <= program.most_in_flight);
            items.extend(all.map(|in_flight| Item {
                way,
                program: number,
                in_flight: *in_flight,
            }));
        }
        agents.extend(agent.map(|agent| (way, agent)));
    }
    Ok((agents, items))
}

/// A batch on a machine that has nothing else to do, of cells of its kind that are there already.
async fn batch(
    agents: &mut Agents,
    whole: &Whole,
    item: Item,
    scale: Scale,
) -> anyhow::Result<Batch> {
    let order = order(item.program, item.in_flight, scale);
    let failed = || format!("{}, {} in flight", item.way.name(), item.in_flight);
    match agents.get_mut(&item.way) {
        Some(agent) => {
            agent.batch(order.warm_up()).with_context(failed)?;
            settle();
            agent.batch(order).with_context(failed)
        }
        None => {
            whole
                .warm_up(item.way, item.program)
                .await
                .with_context(failed)?;
            settle();
            whole.batch(item.way, order).await.with_context(failed)
        }
    }
}

fn order(program: usize, in_flight: usize, scale: Scale) -> Order {
    Order {
        program,
        in_flight,
        least: scale.batch,
        warm_up: false,
    }
}
