//! The clients of a soak: jobs are sent until RabbitMQ has confirmed them, some twice, some cancelled; and whoever runs
//! a deadly one is killed.
//!
//! Must never give up on a job because a server is away: that is what a soak is about.

use std::cell::{Cell, RefCell};
use std::fs;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use glovebox_scheduler::Client;
use glovebox_schemas::job::{Job, JobId};
use nix::sys::signal::Signal;

use super::fault::Whom;
use super::jobs;
use super::plan::Manner;
use super::witness::Book;
use super::world::World;
use crate::processes::Process;

/// How many jobs wait or run at any time.
const BACKLOG: usize = 400;
const SENDERS: usize = 16;
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// All clients of one soak.
pub(super) struct Traffic<'a> {
    world: &'a World,
    book: &'a Book,
    seconds: f64,
    clients: [Client; 2],
    /// What is to be cancelled, and when.
    to_cancel: RefCell<Vec<(Instant, JobId)>>,
    sent: Cell<usize>,
}

impl<'a> Traffic<'a> {
    pub(super) fn new(world: &'a World, book: &'a Book, seconds: f64) -> Self {
        let client = || {
            Client::new(&world.services.amqp_url, &world.services.redis_url)
                .confirm_within(Duration::from_secs(5))
        };
        Self {
            world,
            book,
            seconds,
            clients: [client(), client()],
            to_cancel: RefCell::default(),
            sent: Cell::new(0),
        }
    }

    /// Sends every job, never more than the backlog ahead of the results.
    pub(super) async fn send(&self, seed: u64, jobs: &[Manner]) {
        stream::iter(jobs.iter().enumerate())
            .for_each_concurrent(SENDERS, async |(number, manner)| {
                while self.sent.get() >= self.book.seen() + BACKLOG {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                self.sent.set(self.sent.get() + 1);
                let id = format!("soak-{seed}-{number}").parse();
                self.send_one(id.expect("an id"), *manner).await;
            })
            .await;
    }

    async fn send_one(&self, id: JobId, manner: Manner) {
        let job = jobs::job(id, manner, self.seconds, &self.world.site);
        self.book.expect(job.id.clone(), jobs::entry(manner));
        insist(&self.clients[0], &job).await;
        match manner {
            Manner::Twice => insist(&self.clients[1], &job).await,
            Manner::Cancelled(ms) => {
                let at = Instant::now() + Duration::from_millis(ms);
                self.to_cancel.borrow_mut().push((at, job.id));
            }
            _ => {}
        }
    }

    /// Cancels what is to be cancelled, for ever.
    pub(super) async fn cancel(&self) {
        loop {
            let next = {
                let mut waiting = self.to_cancel.borrow_mut();
                let due = waiting.iter().position(|(at, _)| *at <= Instant::now());
                due.map(|at| waiting.swap_remove(at))
            };
            match next {
                Some((_, id)) => {
                    if self.clients[1].cancel(&id).await.is_err() {
                        let at = Instant::now() + AGAIN_AFTER;
                        self.to_cancel.borrow_mut().push((at, id));
                    }
                }
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Kills the runner of each deadly job whenever one runs, for ever.
    pub(super) async fn kill(&self) {
        loop {
            tokio::time::sleep(AGAIN_AFTER).await;
            let deadly = self.book.deadly();
            if deadly.is_empty() {
                continue;
            }
            let running = processes_of(&deadly);
            self.world.each_runner(Whom::All, |runner| {
                let above = |job: &Process| ancestors(*job).contains(&runner.supervisor());
                if running.iter().any(above)
                    && let Ok(worker) = runner.worker()
                {
                    // It may have been killed for another reason just now.
                    worker.signal(Signal::SIGKILL).ok();
                }
            });
        }
    }
}

async fn insist(client: &Client, job: &Job) {
    while client.submit(job).await.is_err() {
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// The processes that have one of these ids as their name.
fn processes_of(ids: &[JobId]) -> Vec<Process> {
    let is_one = |name: &str| ids.iter().any(|id| id.as_str() == name);
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .map(Process)
        .filter(|process| process.name().is_ok_and(|name| is_one(&name)))
        .collect()
}

fn ancestors(process: Process) -> Vec<Process> {
    std::iter::successors(process.parent().ok(), |above| above.parent().ok()).collect()
}
