//! The kinds of faults, and what each does to the world, from its begin to its end.
//!
//! Must never harm what nothing can mend: a queue that its operator deletes, a Redis that is flushed.

use std::fmt;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::world::World;
use crate::relay::{Door, Flow, Relay};

/// One fault of a plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    pub(super) whom: Whom,
    /// How long it is on, if it is not over at once.
    pub(super) lasts: Duration,
}

/// Whose fault it is, where it is a runner's or its network's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    All,
    One(usize),
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Runner(Death),
    Rabbit(Outage),
    Redis(Outage),
    ToRabbit(Trouble),
    ToRedis(Trouble),
}

/// What happens to a runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    WorkerKilled,
    SupervisorKilled,
    WardenKilled,
    AllFrozen,
    WorkerFrozen,
    Restarted,
}

/// What happens to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outage {
    Killed,
    Frozen,
    /// Takes no messages, or no writes.
    Full,
    /// Closes its connections, or is read-only.
    Hostile,
}

/// What happens to the network between runners and a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    Reset,
    Refused,
    /// What runners say is lost.
    Deaf,
    /// What the server says is lost.
    Mute,
    HalfOpen,
    Slow,
    Trickle,
}

const DEATHS: [Death; 6] = [
    Death::WorkerKilled,
    Death::SupervisorKilled,
    Death::WardenKilled,
    Death::AllFrozen,
    Death::WorkerFrozen,
    Death::Restarted,
];
const OUTAGES: [Outage; 4] = [
    Outage::Killed,
    Outage::Frozen,
    Outage::Full,
    Outage::Hostile,
];
const TROUBLES: [Trouble; 7] = [
    Trouble::Reset,
    Trouble::Refused,
    Trouble::Deaf,
    Trouble::Mute,
    Trouble::HalfOpen,
    Trouble::Slow,
    Trouble::Trickle,
];

impl Kind {
    pub(super) fn all() -> Vec<Kind> {
        let servers = OUTAGES.map(|outage| [Kind::Rabbit(outage), Kind::Redis(outage)]);
        let ways = TROUBLES.map(|trouble| [Kind::ToRabbit(trouble), Kind::ToRedis(trouble)]);
        let runners = DEATHS.map(Kind::Runner);
        let others = servers.concat().into_iter().chain(ways.concat());
        runners.into_iter().chain(others).collect()
    }

    /// How many times longer than others it lasts.
    pub(super) fn times(self, freezes: u32) -> u32 {
        match self {
            Kind::Runner(Death::AllFrozen | Death::WorkerFrozen) => freezes,
            _ => 1,
        }
    }

    /// Whether it has only an instant: nothing is to be mended.
    fn is_instant(self) -> bool {
        use Death::{AllFrozen, WorkerFrozen};
        match self {
            Kind::Runner(death) => !matches!(death, AllFrozen | WorkerFrozen),
            Kind::Rabbit(outage) => outage == Outage::Hostile,
            Kind::Redis(_) => false,
            Kind::ToRabbit(trouble) | Kind::ToRedis(trouble) => trouble == Trouble::Reset,
        }
    }
}

impl Fault {
    /// Whose it is, in words.
    pub(super) fn whose(self) -> String {
        match (self.kind, self.whom) {
            (Kind::Rabbit(_) | Kind::Redis(_), _) => "server".to_owned(),
            (_, Whom::All) => "all".to_owned(),
            (_, Whom::One(number)) => format!("runner {}", number + 1),
        }
    }

    /// Does it, and waits until it is over.
    pub(super) async fn happen(self, world: &World) -> anyhow::Result<()> {
        let frozen = self.begin(world).await?;
        if !self.kind.is_instant() {
            tokio::time::sleep(self.lasts).await;
        }
        for process in frozen {
            // Somebody may have killed it meanwhile.
            process.signal(Signal::SIGCONT).ok();
        }
        self.end(world).await
    }

    async fn begin(self, world: &World) -> anyhow::Result<Vec<crate::processes::Process>> {
        match self.kind {
            Kind::Runner(death) => return Ok(self.harm(world, death)),
            Kind::Rabbit(outage) => world.break_rabbit(outage).await?,
            Kind::Redis(outage) => world.break_redis(outage).await?,
            Kind::ToRabbit(trouble) => world
                .ways_to_rabbit(self.whom)
                .for_each(|way| trouble.begin(way)),
            Kind::ToRedis(trouble) => world
                .ways_to_redis(self.whom)
                .for_each(|way| trouble.begin(way)),
        }
        Ok(Vec::new())
    }

    async fn end(self, world: &World) -> anyhow::Result<()> {
        match self.kind {
            Kind::Runner(_) => {}
            Kind::Rabbit(outage) => world.mend_rabbit(outage).await?,
            Kind::Redis(outage) => world.mend_redis(outage).await?,
            Kind::ToRabbit(_) => end(world.ways_to_rabbit(self.whom)).await,
            Kind::ToRedis(_) => end(world.ways_to_redis(self.whom)).await,
        }
        Ok(())
    }

    /// Gives what it has frozen.
    fn harm(self, world: &World, death: Death) -> Vec<crate::processes::Process> {
        let mut frozen = Vec::new();
        world.each_runner(self.whom, |runner| {
            // A runner that is just being started has no such part yet, and is spared.
            let parts = match death {
                Death::WorkerKilled | Death::WorkerFrozen => runner.worker().map(|one| vec![one]),
                Death::WardenKilled => runner.warden().map(|one| vec![one]),
                Death::SupervisorKilled | Death::Restarted => Ok(vec![runner.supervisor()]),
                Death::AllFrozen => runner.everything(),
            };
            let signal = match death {
                Death::AllFrozen | Death::WorkerFrozen => Signal::SIGSTOP,
                Death::Restarted => Signal::SIGTERM,
                _ => Signal::SIGKILL,
            };
            for part in parts.unwrap_or_default() {
                part.signal(signal).ok();
                frozen.extend((signal == Signal::SIGSTOP).then_some(part));
            }
        });
        frozen
    }
}

impl Trouble {
    fn begin(self, way: &Relay) {
        match self {
            Trouble::Reset => way.reset(),
            Trouble::Refused => {
                way.door(Door::Shut);
                way.reset();
            }
            Trouble::Deaf => way.to_server(Flow::Hold),
            Trouble::Mute => way.to_client(Flow::Hold),
            Trouble::HalfOpen => way.forget(),
            Trouble::Slow => way.both(Flow::Delay(Duration::from_millis(200))),
            Trouble::Trickle => way.both(Flow::Trickle(32_000)),
        }
    }
}

/// Mends the ways, and waits until nobody believes in a half-open connection any more: that is its end.
async fn end(ways: impl Iterator<Item = &Relay>) {
    for way in ways {
        way.mend();
        while way.forgotten() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Runner(Death::WorkerKilled) => "worker killed",
            Kind::Runner(Death::SupervisorKilled) => "runner killed",
            Kind::Runner(Death::WardenKilled) => "warden killed",
            Kind::Runner(Death::AllFrozen) => "runner frozen",
            Kind::Runner(Death::WorkerFrozen) => "worker frozen",
            Kind::Runner(Death::Restarted) => "runner restarted",
            Kind::Rabbit(Outage::Killed) => "RabbitMQ killed",
            Kind::Rabbit(Outage::Frozen) => "RabbitMQ frozen",
            Kind::Rabbit(Outage::Full) => "RabbitMQ out of memory",
            Kind::Rabbit(Outage::Hostile) => "RabbitMQ closes connections",
            Kind::Redis(Outage::Killed) => "Redis killed",
            Kind::Redis(Outage::Frozen) => "Redis frozen",
            Kind::Redis(Outage::Full) => "Redis full",
            Kind::Redis(Outage::Hostile) => "Redis read-only",
            Kind::ToRabbit(Trouble::Reset) => "reset, to RabbitMQ",
            Kind::ToRabbit(Trouble::Refused) => "refused, to RabbitMQ",
            Kind::ToRabbit(Trouble::Deaf) => "lost one way, to RabbitMQ",
            Kind::ToRabbit(Trouble::Mute) => "lost one way, from RabbitMQ",
            Kind::ToRabbit(Trouble::HalfOpen) => "half open, to RabbitMQ",
            Kind::ToRabbit(Trouble::Slow) => "200 ms, to RabbitMQ",
            Kind::ToRabbit(Trouble::Trickle) => "256 kbit/s, to RabbitMQ",
            Kind::ToRedis(Trouble::Reset) => "reset, to Redis",
            Kind::ToRedis(Trouble::Refused) => "refused, to Redis",
            Kind::ToRedis(Trouble::Deaf) => "lost one way, to Redis",
            Kind::ToRedis(Trouble::Mute) => "lost one way, from Redis",
            Kind::ToRedis(Trouble::HalfOpen) => "half open, to Redis",
            Kind::ToRedis(Trouble::Slow) => "200 ms, to Redis",
            Kind::ToRedis(Trouble::Trickle) => "256 kbit/s, to Redis",
        })
    }
}
