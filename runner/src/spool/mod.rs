//! Finished results on their way to the store, in order: the store may be away, and nothing is acknowledged before
//! its result is there.
//!
//! They wait in memory up to a limit, then in files ([`disk`]) up to another, and when that is reached as well nothing
//! new is taken from the queue. Must never drop a result, full or not: what is running still ends.

mod disk;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use glovebox_broker::Retry;
use tokio::sync::{Notify, oneshot};

use self::disk::Disk;
pub use self::disk::claim;
use crate::result::{Fate, Letter, RedisStore};
use crate::valve::{Reason, Valve};

/// Results that are on their way at one time.
const BATCH: usize = 32;

/// The messages of jobs whose results wait may always take this much memory, in bytes.
const LEAST_HELD: u64 = 16 << 20;

/// Where results wait while Redis is away, and how many of them.
#[derive(Clone, Debug)]
pub struct SpoolConfig {
    /// A folder of this runner's own, which it may write to.
    pub folder: PathBuf,
    /// Bytes that are kept in memory.
    pub memory: u64,
    /// Bytes that are kept in the folder.
    pub disk: u64,
}

/// The line in which results wait.
#[derive(Clone)]
pub(crate) struct Spool {
    shared: Arc<Shared>,
}

struct Shared {
    config: SpoolConfig,
    valve: Valve,
    disk: Disk,
    /// Held while a result is taken in: they keep their order, however long a disk takes.
    entrance: tokio::sync::Mutex<()>,
    line: Mutex<Line>,
    arrived: Notify,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<Entry>,
    /// Bytes of those in memory and of those in files.
    memory: u64,
    disk: u64,
    /// Bytes of the messages and jobs that are held until their results are stored.
    held: u64,
}

struct Entry {
    place: Place,
    held: u64,
    /// Whoever is to hear of it; nobody for one that an earlier process left.
    waiter: Option<oneshot::Sender<Fate>>,
}

#[derive(Clone)]
enum Place {
    Memory(Arc<Letter>),
    File(disk::File),
}

impl Spool {
    /// A line with what an earlier process of this runner left in the folder at its head.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub(crate) fn open(config: SpoolConfig, valve: Valve) -> std::io::Result<Spool> {
        let (disk, left) = Disk::open(&config.folder)?;
        let mut line = Line::default();
        for file in left {
            line.disk += file.bytes;
            let place = Place::File(file);
            line.waiting.push_back(Entry {
                place,
                held: 0,
                waiter: None,
            });
        }
        if !line.waiting.is_empty() {
            let results = line.waiting.len();
            tracing::info!(results, "an earlier process left results to be stored");
        }
        Ok(Spool {
            shared: Arc::new(Shared {
                config,
                valve,
                disk,
                entrance: tokio::sync::Mutex::default(),
                line: Mutex::new(line),
                arrived: Notify::new(),
            }),
        })
    }

    /// How many results wait.
    pub(crate) fn len(&self) -> usize {
        self.shared.line().waiting.len()
    }

    /// Takes a result and gives what became of it, once the store has said so.
    pub(crate) async fn put(&self, letter: Letter, held: u64) -> Fate {
        let (waiter, stored) = oneshot::channel();
        self.shared.take_in(letter, held, waiter).await;
        self.shared.arrived.notify_one();
        // The line is never dropped before its entries are settled: the process ends first.
        stored.await.unwrap_or(Fate::Elsewhere)
    }

    /// Brings results to the store for as long as this process lives.
    pub(crate) async fn deliver(self, store: RedisStore) {
        let mut retry = Retry::for_servers();
        loop {
            let batch = self.shared.head();
            if batch.is_empty() {
                self.shared.arrived.notified().await;
                continue;
            }
            match self.shared.deliver_batch(&store, batch).await {
                true => retry.reset(),
                false => tokio::time::sleep(retry.next_delay()).await,
            }
        }
    }

    /// Writes what is in memory into the folder, for the next process of this runner to bring to the store.
    pub(crate) async fn leave(&self) {
        let _entrance = self.shared.entrance.lock().await;
        let in_memory: Vec<_> = {
            let line = self.shared.line();
            let memory = line.waiting.iter().filter_map(|entry| match &entry.place {
                Place::Memory(letter) => Some(Arc::clone(letter)),
                Place::File(_) => None,
            });
            memory.collect()
        };
        for letter in in_memory {
            if let Err(error) = self.shared.disk.write(&letter).await {
                tracing::error!(job = %letter.id, %error, "a result can't be left in the spool: its job will be run again");
            }
        }
    }
}

impl Shared {
    async fn take_in(&self, letter: Letter, held: u64, waiter: oneshot::Sender<Fate>) {
        let _entrance = self.entrance.lock().await;
        let bytes = letter.bytes();
        let (fits_memory, fits_disk) = {
            let line = self.line();
            (
                line.memory + bytes <= self.config.memory,
                line.disk + bytes <= self.config.disk,
            )
        };
        let letter = Arc::new(letter);
        let place = match (fits_memory, fits_disk) {
            (true, _) => Place::Memory(letter),
            (false, true) => match self.disk.write(&letter).await {
                Ok(file) => Place::File(file),
                Err(error) => {
                    tracing::error!(folder = %self.config.folder.display(), %error, "the spool can't be written to");
                    self.full(letter)
                }
            },
            (false, false) => self.full(letter),
        };
        let mut line = self.line();
        line.count(&place, true);
        line.held = line.held.saturating_add(held);
        if line.held > self.config.memory.max(LEAST_HELD) {
            self.is_full();
        }
        line.waiting.push_back(Entry {
            place,
            held,
            waiter: Some(waiter),
        });
    }

    /// It stays in memory all the same: there is nowhere else, and there are no more than jobs are running.
    fn full(&self, letter: Arc<Letter>) -> Place {
        self.is_full();
        Place::Memory(letter)
    }

    fn is_full(&self) {
        if self.valve.close(Reason::SpoolFull) {
            tracing::warn!("the spool is full: nothing new is taken until Redis is back");
        }
    }

    /// The first that wait.
    fn head(&self) -> Vec<Place> {
        let line = self.line();
        let head = line.waiting.iter().take(BATCH);
        head.map(|entry| entry.place.clone()).collect()
    }

    /// Whether all of them were settled.
    async fn deliver_batch(&self, store: &RedisStore, batch: Vec<Place>) -> bool {
        let mut letters = Vec::with_capacity(batch.len());
        for place in &batch {
            letters.push(match place {
                Place::Memory(letter) => Some(Letter::clone(letter)),
                Place::File(file) => self.disk.read(file).await,
            });
        }
        let readable: Vec<Letter> = letters.iter().flatten().cloned().collect();
        let mut answers = store.put_all(&readable).await.into_iter();
        let mut unsettled = VecDeque::new();
        for letter in letters {
            let entry = self.line().waiting.pop_front();
            let Some(entry) = entry else { break };
            // One that can't be read is no result any more; its job comes again, since it was not acknowledged.
            let stored = match letter {
                Some(_) => answers.next().and_then(Result::ok),
                None => Some(Fate::Elsewhere),
            };
            match stored {
                Some(stored) => self.settle(entry, stored).await,
                None => unsettled.push_back(entry),
            }
        }
        let all = unsettled.is_empty();
        let mut line = self.line();
        while let Some(entry) = unsettled.pop_back() {
            line.waiting.push_front(entry);
        }
        let half_empty = line.memory <= self.config.memory / 2
            && line.disk <= self.config.disk / 2
            && line.held <= self.config.memory.max(LEAST_HELD) / 2;
        if half_empty && self.valve.open(Reason::SpoolFull) {
            tracing::info!("the spool has room again");
        }
        all
    }

    async fn settle(&self, entry: Entry, stored: Fate) {
        {
            let mut line = self.line();
            line.count(&entry.place, false);
            line.held = line.held.saturating_sub(entry.held);
        }
        if let Place::File(file) = &entry.place {
            self.disk.remove(file).await;
        }
        if let Some(waiter) = entry.waiter {
            // One that has been interrupted meanwhile does not need the answer.
            waiter.send(stored).map_err(drop).unwrap_or_default();
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn count(&mut self, place: &Place, comes: bool) {
        let (sum, bytes) = match place {
            Place::Memory(letter) => (&mut self.memory, letter.bytes()),
            Place::File(file) => (&mut self.disk, file.bytes),
        };
        *sum = match comes {
            true => sum.saturating_add(bytes),
            false => sum.saturating_sub(bytes),
        };
    }
}

impl Letter {
    /// What it takes, roughly.
    fn bytes(&self) -> u64 {
        self.document.len() as u64 + 256
    }
}
