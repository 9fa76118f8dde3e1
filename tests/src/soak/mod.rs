//! Thousands of jobs and dozens of faults at random, from a seed; and at the end a look at everything that must hold.
//!
//! `plan` is what the seed decides, `world` what it happens to, `traffic` the clients, `witness` what is seen and
//! `ledger` what must be true of that. Must never fail without saying its seed.

mod fault;
mod jobs;
mod ledger;
mod memory;
mod plan;
mod report;
mod traffic;
mod witness;
mod world;

use std::cell::RefCell;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use glovebox_broker::connect_amqp;
use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{DEAD, DEFAULT_LANE, queue};
use lapin::options::BasicGetOptions;

pub use ledger::{Entry, Ledger, Seen, Violation};
pub use memory::MemoryUse;
pub use report::{BACK_WITHIN, Happened, Report};

use fault::Fault;
use memory::Memory;
use plan::Plan;
use traffic::Traffic;
use witness::Book;
use world::World;

/// How long the rate before a fault is taken over.
const BEFORE: Duration = Duration::from_secs(4);
/// A soak in which nothing ends for so long is stuck: there is no fault that lasts longer.
const STUCK: Duration = Duration::from_secs(120);
/// Whatever was delivered twice is settled by then.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// What a soak is to be.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// What decides everything that is random.
    pub seed: u64,
    /// How many jobs are sent.
    pub jobs: usize,
    /// How many faults there are.
    pub faults: usize,
    /// About how long it is to take, faults and all.
    pub takes: Duration,
    /// The shortest and the longest time that a fault is on.
    pub fault_lasts: (Duration, Duration),
    /// How many times longer a runner that is frozen is so: past its lease, and past the broker's patience.
    pub freezes: u32,
    /// How long it is waited for the rate to be back before the next fault comes.
    pub patience: Duration,
    /// How many runners there are.
    pub runners: usize,
    /// How many slots each has.
    pub slots: u16,
}

impl Options {
    /// A soak of that many jobs and faults, on four runners.
    #[must_use]
    pub fn new(seed: u64, jobs: usize, faults: usize, takes: Duration) -> Self {
        Self {
            seed,
            jobs,
            faults,
            takes,
            fault_lasts: (Duration::from_millis(500), Duration::from_secs(6)),
            freezes: 6,
            patience: Duration::from_secs(15),
            runners: 4,
            slots: 4,
        }
    }

    /// How long a plain job has to take: for a fifth of the time, nothing can be done.
    fn seconds_of_a_job(&self) -> f64 {
        let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        let slots = number(self.runners) * f64::from(self.slots);
        let seconds = 0.8 * self.takes.as_secs_f64() * slots / number(self.jobs.max(1));
        (seconds * 1e3).round().clamp(100.0, 3_000.0) / 1e3
    }
}

/// Runs one to its end. `say` is told what happens.
///
/// Must be called on a runtime of one thread, and that thread must go on as long as the soak.
///
/// # Errors
///
/// When the harness itself fails; what the product does wrong is in the report.
pub async fn run(options: &Options, mut say: impl FnMut(&str)) -> anyhow::Result<Report> {
    let seed = options.seed;
    let plan = Plan::new(options);
    let world = World::new(options.runners, options.slots)?;
    let book = Book::new();
    let memory = RefCell::new(Memory::default());
    let traffic = Traffic::new(&world, &book, options.seconds_of_a_job());
    let mut faults = Vec::new();
    let all = async {
        world.settle().await?;
        say(&format!(
            "seed {seed}: {} runners are there",
            options.runners
        ));
        let sending = traffic.send(seed, &plan.jobs);
        let failing = fail(options, &plan.faults, &world, &book, &mut say, &mut faults);
        let both = async { tokio::join!(sending, failing).1 };
        tokio::select! {
            done = both => done?,
            () = stuck(&book) => say("nothing ends any more"),
        }
        // The last ones, and whatever comes again.
        tokio::select! {
            () = until(|| book.seen() == options.jobs) => {}
            () = stuck(&book) => say("nothing ends any more"),
        }
        settle(&world).await
    };
    let queued = tokio::select! {
        queued = all => queued?,
        () = witness::watch(&world, &book) => anyhow::bail!("nobody watches"),
        () = memory::watch(&world, &memory) => anyhow::bail!("nobody measures"),
        () = traffic.cancel() => anyhow::bail!("nobody cancels"),
        () = traffic.kill() => anyhow::bail!("nobody kills"),
        kept = world.keep_runners() => {
            kept?;
            anyhow::bail!("nobody keeps the runners");
        }
    };
    drop(traffic);
    say("stopping the runners");
    let left = world.stop().await?;
    witness::note_effects(&world, &book);
    witness::look_again(&world, &book).await?;
    let dead = dead_letters(&world).await?;
    let evidence = book.odd.take();
    let seconds = book.started.elapsed().as_secs_f64();
    let ledger = Ledger {
        dead,
        queued,
        left,
        ..book.close()
    };
    let mut kinds: Vec<_> = faults.iter().map(|one: &Happened| &one.fault).collect();
    kinds.sort();
    kinds.dedup();
    Ok(Report {
        seed,
        jobs: ledger.jobs.len(),
        seconds,
        kinds: kinds.len(),
        faults,
        memory: memory.borrow().told(),
        evidence,
        violations: ledger
            .violations()
            .iter()
            .map(ToString::to_string)
            .collect(),
    })
}

/// Lets the faults happen one after the other, spread over the jobs.
async fn fail(
    options: &Options,
    faults: &[Fault],
    world: &World,
    book: &Book,
    say: &mut impl FnMut(&str),
    happened: &mut Vec<Happened>,
) -> anyhow::Result<()> {
    until(|| book.ended_between(Duration::ZERO, Duration::MAX) > 0).await;
    let mut undisturbed = book.started.elapsed();
    let mut rate_before = 0.0;
    for (number, fault) in faults.iter().enumerate() {
        let due = options.jobs * (number + 1) / (faults.len() + 2);
        let first = undisturbed + BEFORE;
        until(|| book.seen() >= due && (number > 0 || book.started.elapsed() > first)).await;
        let began = book.started.elapsed();
        // So soon after another fault the rate from before that counts.
        if began >= first {
            let count = book.ended_between(began - BEFORE, began);
            rate_before = f64::from(u32::try_from(count)?) / BEFORE.as_secs_f64();
        }
        fault.happen(world).await?;
        let end = book.started.elapsed();
        let back = || {
            let ended = |from, to| book.ended_between(from, to);
            report::back_after(rate_before, end, book.started.elapsed(), ended)
        };
        let long_enough = || book.started.elapsed() > end + options.patience;
        until(|| back().is_some() || long_enough()).await;
        undisturbed = book.started.elapsed();
        let one = Happened {
            fault: fault.kind.to_string(),
            whom: fault.whose(),
            began_s: began.as_secs_f64(),
            lasted_s: (end - began).as_secs_f64(),
            rate_before,
            back_after_s: back().map(|after| after.as_secs_f64()),
        };
        say(&format!("{one}  {} of {} jobs", book.seen(), options.jobs));
        happened.push(one);
    }
    Ok(())
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn stuck(book: &Book) {
    until(|| book.silence() > STUCK).await;
}

/// Waits until every message is settled; gives how many are not.
async fn settle(world: &World) -> anyhow::Result<usize> {
    let deadline = Instant::now() + SETTLED_WITHIN;
    loop {
        let left = world.services.messages(&queue(DEFAULT_LANE))?;
        if left == 0 || Instant::now() > deadline {
            return Ok(left);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The ids of all dead letters, which are taken.
async fn dead_letters(world: &World) -> anyhow::Result<Vec<JobId>> {
    let url = &world.services.amqp_url;
    let connection = connect_amqp(url, "soak", Duration::from_secs(30)).await?;
    let channel = connection.create_channel().await?;
    let mut ids = Vec::new();
    let options = BasicGetOptions { no_ack: true };
    while let Some(message) = channel.basic_get(DEAD.into(), options).await? {
        let id = message.delivery.properties.message_id().as_ref();
        let id = id.context("a dead letter without an id")?;
        ids.push(id.as_str().parse()?);
    }
    Ok(ids)
}
