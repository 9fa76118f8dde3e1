//! What a soak happens to: private servers, runners each with a network of its own, and a service manager that starts
//! a runner again whenever one has ended.
//!
//! Must live on one thread: a runner dies with the thread that started it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::fault::{Outage, Whom};
use crate::pen::Pen;
use crate::policies::{POLICIES, Policies};
use crate::rabbit::Rabbit;
use crate::redis::Redis;
use crate::relay::Relay;
use crate::remains;
use crate::runner::{How, Runner};
use crate::services::Services;
use crate::site::{OUTSIDE, Site};

/// How long the service manager waits before it starts a runner again.
const RESTART_AFTER: Duration = Duration::from_millis(300);

pub(super) struct World {
    /// The servers, without any relay before them.
    pub(super) services: Services,
    pub(super) site: Site,
    places: Vec<Place>,
    slots: String,
    pen: Pen,
    spool: TempDir,
    policies: Policies,
    mounts: BTreeSet<String>,
    rabbit: Arc<Rabbit>,
    redis: Arc<Redis>,
}

/// One runner after the other.
struct Place {
    to_rabbit: Relay,
    to_redis: Relay,
    runner: RefCell<Option<Runner>>,
    tried: Cell<Option<Instant>>,
}

impl World {
    pub(super) fn new(runners: usize, slots: u16) -> anyhow::Result<Self> {
        let mounts = remains::mounts();
        let (rabbit, redis) = (Rabbit::start()?, Redis::durable()?);
        let services = Services {
            amqp_url: rabbit.vhost()?,
            redis_url: redis.url().to_owned(),
        };
        let spool = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o755))
            .tempdir()?;
        let site = Site::start();
        let place = |_| {
            Ok(Place {
                to_rabbit: Relay::start(&services.amqp_url)?,
                to_redis: Relay::start(&services.redis_url)?,
                runner: RefCell::default(),
                tried: Cell::default(),
            })
        };
        Ok(Self {
            places: (0..runners).map(place).collect::<anyhow::Result<_>>()?,
            slots: slots.to_string(),
            pen: Pen::new(),
            policies: Policies::opening("python", &[site.port()], &[&OUTSIDE.to_string()]),
            spool,
            site,
            mounts,
            services,
            rabbit: Arc::new(rabbit),
            redis: Arc::new(redis),
        })
    }

    /// Starts runners that are not there, for ever.
    pub(super) async fn keep_runners(&self) -> anyhow::Result<()> {
        loop {
            for (number, place) in self.places.iter().enumerate() {
                let ended = place.runner.borrow().as_ref().is_none_or(Runner::has_ended);
                let lately = |tried: Instant| tried.elapsed() < RESTART_AFTER;
                if ended && !place.tried.get().is_some_and(lately) {
                    // Its log is gone with it: that of a runner that was killed has nothing to say.
                    place.runner.take();
                    place.tried.set(Some(Instant::now()));
                    place.runner.replace(Some(self.start_runner(number)?));
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn start_runner(&self, number: usize) -> anyhow::Result<Runner> {
        let place = &self.places[number];
        let services = Services {
            amqp_url: place.to_rabbit.url().to_owned(),
            redis_url: place.to_redis.url().to_owned(),
        };
        let spool = self.spool.path().to_str().context("the spool's path")?;
        // Half of them keep no result in memory.
        let memory = if number.is_multiple_of(2) {
            "0"
        } else {
            "1000000"
        };
        let how = How {
            pen: Some(&self.pen),
            arguments: &["--slots", &self.slots, "--spool-memory", memory],
            variables: &[(POLICIES, self.policies.path()), ("GLOVEBOX_SPOOL", spool)],
            ..How::default()
        };
        Runner::start(&services, how)
    }

    /// Waits until every runner consumes.
    pub(super) async fn settle(&self) -> anyhow::Result<()> {
        for place in &self.places {
            while !place
                .runner
                .borrow()
                .as_ref()
                .is_some_and(|runner| runner.log().contains("consuming"))
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        // RabbitMQ forgets a quorum queue if it is killed within a second of its declaration.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        Ok(())
    }

    pub(super) fn each_runner(&self, whom: Whom, mut act: impl FnMut(&Runner)) {
        for place in self.of(whom) {
            if let Some(runner) = &*place.runner.borrow() {
                act(runner);
            }
        }
    }

    pub(super) fn ways_to_rabbit(&self, whom: Whom) -> impl Iterator<Item = &Relay> {
        self.of(whom).map(|place| &place.to_rabbit)
    }

    pub(super) fn ways_to_redis(&self, whom: Whom) -> impl Iterator<Item = &Relay> {
        self.of(whom).map(|place| &place.to_redis)
    }

    fn of(&self, whom: Whom) -> impl Iterator<Item = &Place> {
        let meant = move |number| whom == Whom::All || whom == Whom::One(number);
        let places = self.places.iter().enumerate();
        places
            .filter(move |(number, _)| meant(*number))
            .map(|(_, place)| place)
    }

    pub(super) async fn break_rabbit(&self, outage: Outage) -> anyhow::Result<()> {
        let (rabbit, services) = (Arc::clone(&self.rabbit), self.services.clone());
        spawn_blocking(move || match outage {
            Outage::Killed => rabbit.kill(),
            Outage::Frozen => rabbit.freeze(),
            Outage::Full => rabbit.raise_alarm(),
            Outage::Hostile => services.close_connections(),
        })
        .await?
    }

    pub(super) async fn mend_rabbit(&self, outage: Outage) -> anyhow::Result<()> {
        let rabbit = Arc::clone(&self.rabbit);
        spawn_blocking(move || match outage {
            Outage::Killed => rabbit.restart(),
            Outage::Frozen => rabbit.thaw(),
            Outage::Full => rabbit.clear_alarm(),
            Outage::Hostile => Ok(()),
        })
        .await?
    }

    pub(super) async fn break_redis(&self, outage: Outage) -> anyhow::Result<()> {
        let redis = Arc::clone(&self.redis);
        spawn_blocking(move || match outage {
            Outage::Killed => redis.kill(),
            Outage::Frozen => redis.freeze(),
            Outage::Full => redis.ask(&["CONFIG", "SET", "maxmemory", "1"]).map(drop),
            // Nobody is there: it keeps what it has.
            Outage::Hostile => redis.ask(&["REPLICAOF", "127.0.0.1", "1"]).map(drop),
        })
        .await?
    }

    pub(super) async fn mend_redis(&self, outage: Outage) -> anyhow::Result<()> {
        let redis = Arc::clone(&self.redis);
        spawn_blocking(move || match outage {
            Outage::Killed => redis.restart(),
            Outage::Frozen => redis.thaw(),
            Outage::Full => redis.ask(&["CONFIG", "SET", "maxmemory", "0"]).map(drop),
            Outage::Hostile => redis.ask(&["REPLICAOF", "NO", "ONE"]).map(drop),
        })
        .await?
    }

    /// Stops every runner in order, and gives whatever is left of any of them.
    pub(super) async fn stop(&self) -> anyhow::Result<Vec<String>> {
        let mut left = Vec::new();
        for place in &self.places {
            let runner = place.runner.take();
            if let Some(mut runner) = runner
                && let Err(error) = runner.stop().await
            {
                left.push(format!("a runner that does not stop: {error:#}"));
            }
        }
        left.extend(self.pen.leftovers());
        let mounts = remains::mounts();
        left.extend(mounts.difference(&self.mounts).cloned());
        for folder in fs::read_dir(self.spool.path())?.flatten() {
            let files = fs::read_dir(folder.path()).into_iter().flatten().flatten();
            left.extend(files.map(|file| file.path().display().to_string()));
        }
        Ok(left)
    }
}
