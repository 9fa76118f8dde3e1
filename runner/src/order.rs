//! Who is next when a slot is free: of the lanes the one that is furthest behind its weight, of its tenants the one that
//! has least of this runner, of that one's jobs the oldest.
//!
//! Pure: no clock, no task. Must never let what waits in one lane, or of one tenant, stand behind all of another's; nor
//! let anybody who was away be owed for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use glovebox_schemas::names::default_weight;

/// What one turn costs a lane of weight 1.
const TURN: u64 = 1 << 20;

/// A lane and its share of the turns while others wait as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// How many jobs of it start for one of a lane of weight 1.
    pub weight: u16,
}

/// Where a job stands: its number says how long it has waited, and it keeps it when it has to wait again.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) lane: String,
    pub(crate) tenant: String,
    pub(crate) number: u64,
}

/// Those who wait, each with what it is told by.
pub(crate) struct Order<T> {
    lanes: HashMap<String, Turns<T>>,
    /// When the last turn began, in the time that turns take.
    now: u64,
    /// Tenants that get nothing for the moment.
    held: BTreeSet<String>,
}

struct Turns<T> {
    weight: u64,
    /// When its next turn is due.
    due: u64,
    tenants: HashMap<String, Tenant<T>>,
    turns: u64,
}

struct Tenant<T> {
    waiting: BTreeMap<u64, T>,
    running: usize,
    /// The time that it has had slots for.
    had: Duration,
    /// When its last turn was, counted in turns.
    last: u64,
}

impl<T> Order<T> {
    pub(crate) fn new(lanes: &[Lane]) -> Order<T> {
        let lanes = lanes.iter();
        let lanes = lanes.map(|lane| (lane.name.clone(), Turns::new(lane.weight)));
        Order {
            lanes: lanes.collect(),
            now: 0,
            held: BTreeSet::new(),
        }
    }

    /// Puts a job in line.
    pub(crate) fn add(&mut self, place: &Place, with: T) {
        let unknown = || Turns::new(default_weight(&place.lane));
        let lane = self.lanes.entry(place.lane.clone()).or_insert_with(unknown);
        lane.enter(&place.tenant).waiting.insert(place.number, with);
    }

    /// It does not wait any more; nothing if it was given its turn.
    pub(crate) fn remove(&mut self, place: &Place) {
        if let Some(lane) = self.lanes.get_mut(&place.lane)
            && let Some(tenant) = lane.tenants.get_mut(&place.tenant)
            && tenant.waiting.remove(&place.number).is_some()
        {
            lane.forget_the_idle();
        }
    }

    /// Gives the next one its turn: it has a slot from here until [`ended`](Self::ended).
    pub(crate) fn next(&mut self) -> Option<(Place, T)> {
        let (held, now) = (&self.held, self.now);
        let able = self.lanes.iter_mut().filter_map(|(name, lane)| {
            let tenant = lane.next(held)?;
            // One that had nobody to start for a while is due now, not since then.
            let due = lane.due.max(now);
            Some(((due, u64::MAX - lane.weight, name), tenant, lane))
        });
        let ((due, _, name), tenant, lane) = able.min_by(|one, other| one.0.cmp(&other.0))?;
        self.now = due;
        lane.due = due.saturating_add(TURN / lane.weight);
        let of = lane.tenants.get_mut(&tenant)?;
        let (number, with) = of.waiting.pop_first()?;
        of.running += 1;
        lane.turns += 1;
        of.last = lane.turns;
        let lane = name.clone();
        Some((
            Place {
                lane,
                tenant,
                number,
            },
            with,
        ))
    }

    /// It has one more slot, which nobody else could have, until that has [`ended`](Self::ended) as well.
    pub(crate) fn share(&mut self, place: &Place) {
        if let Some(lane) = self.lanes.get_mut(&place.lane)
            && let Some(tenant) = lane.tenants.get_mut(&place.tenant)
        {
            tenant.running += 1;
        }
    }

    /// It has its slot no longer.
    pub(crate) fn ended(&mut self, place: &Place, had: Duration) {
        if let Some(lane) = self.lanes.get_mut(&place.lane)
            && let Some(tenant) = lane.tenants.get_mut(&place.tenant)
        {
            tenant.running = tenant.running.saturating_sub(1);
            tenant.had = tenant.had.saturating_add(had);
            lane.forget_the_idle();
        }
    }

    /// Gives a tenant nothing until it is [let go](Self::let_go); whether that is new.
    pub(crate) fn hold(&mut self, tenant: &str) -> bool {
        self.held.insert(tenant.to_owned())
    }

    /// Whether it was held.
    pub(crate) fn let_go(&mut self, tenant: &str) -> bool {
        self.held.remove(tenant)
    }
}

impl<T> Turns<T> {
    fn new(weight: u16) -> Turns<T> {
        Turns {
            weight: u64::from(weight.max(1)),
            due: 0,
            tenants: HashMap::new(),
            turns: 0,
        }
    }

    /// The tenant, which has had at least what those have had that were here meanwhile.
    fn enter(&mut self, tenant: &str) -> &mut Tenant<T> {
        let floor = self.floor();
        let entered = self.tenants.entry(tenant.to_owned()).or_insert(Tenant {
            waiting: BTreeMap::new(),
            running: 0,
            had: Duration::ZERO,
            last: 0,
        });
        if entered.is_idle() {
            entered.had = entered.had.max(floor);
        }
        entered
    }

    /// Who has the least slots now, then who has had the least, then whose last turn is the longest ago.
    fn next(&self, held: &BTreeSet<String>) -> Option<String> {
        let able = self.tenants.iter().filter_map(|(name, tenant)| {
            let (number, _) = tenant.waiting.first_key_value()?;
            let first = (tenant.running, tenant.had, tenant.last, *number);
            (!held.contains(name)).then_some((first, name))
        });
        able.min().map(|(_, name)| name.clone())
    }

    fn floor(&self) -> Duration {
        let busy = self.tenants.values().filter(|tenant| !tenant.is_idle());
        busy.map(|tenant| tenant.had).min().unwrap_or_default()
    }

    /// Who is idle and has had no more than the others is as good as new.
    fn forget_the_idle(&mut self) {
        let floor = self.floor();
        let all_idle = self.tenants.values().all(Tenant::is_idle);
        self.tenants
            .retain(|_, tenant| !tenant.is_idle() || !all_idle && tenant.had > floor);
    }
}

impl<T> Tenant<T> {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running == 0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    struct Line {
        order: Order<()>,
        number: u64,
    }

    impl Line {
        fn new(weights: &[(&str, u16)]) -> Line {
            let lanes: Vec<Lane> = weights
                .iter()
                .map(|(name, weight)| Lane {
                    name: (*name).to_owned(),
                    weight: *weight,
                })
                .collect();
            Line {
                order: Order::new(&lanes),
                number: 0,
            }
        }

        fn add(&mut self, lane: &str, tenant: &str, times: usize) {
            for _ in 0..times {
                self.number += 1;
                let place = Place {
                    lane: lane.to_owned(),
                    tenant: tenant.to_owned(),
                    number: self.number,
                };
                self.order.add(&place, ());
            }
        }

        /// Runs the next one in the only slot: which it was.
        fn run(&mut self, ms: u64) -> String {
            let Some((place, ())) = self.order.next() else {
                return "-".to_owned();
            };
            self.order.ended(&place, Duration::from_millis(ms));
            format!("{}.{}", place.lane, place.tenant)
        }

        fn run_all(&mut self, times: usize) -> Vec<String> {
            (0..times).map(|_| self.run(10)).collect()
        }
    }

    #[test]
    fn lanes_have_turns_by_their_weights() {
        let mut line = Line::new(&[("high", 4), ("batch", 1)]);
        line.add("batch", "t", 100);
        line.add("high", "t", 100);
        let ran = line.run_all(50);
        assert_eq!(ran.iter().filter(|one| *one == "batch.t").count(), 10);
        assert_eq!(ran[0], "high.t");
    }

    #[test]
    fn whoever_comes_after_a_flood_of_a_lighter_lane_is_next_each_time_that_it_comes() {
        let mut line = Line::new(&[("high", 8), ("default", 4), ("batch", 1)]);
        line.add("batch", "t", 1000);
        for _ in 0..10 {
            line.run_all(30);
            line.add("high", "t", 1);
            assert_eq!(line.run(10), "high.t");
            line.add("default", "t", 1);
            assert_eq!(line.run(10), "default.t");
        }
    }

    #[test]
    fn a_lane_that_was_away_is_owed_nothing() {
        let mut line = Line::new(&[("high", 1), ("batch", 1)]);
        line.add("high", "t", 1000);
        line.run_all(500);
        line.add("batch", "t", 1000);
        let ran = line.run_all(20);
        let batch = ran.iter().filter(|one| *one == "batch.t").count();
        assert!((10..=11).contains(&batch), "{batch} of 20");
    }

    #[test]
    fn one_job_is_next_behind_ten_thousand_of_another_tenant() {
        let mut line = Line::new(&[("default", 1)]);
        line.add("default", "big", 10_000);
        line.run_all(100);
        line.add("default", "small", 1);
        assert_eq!(line.run(10), "default.small");
    }

    #[test]
    fn tenants_have_equal_time_however_long_their_jobs_are() {
        let mut line = Line::new(&[("default", 1)]);
        line.add("default", "long", 1000);
        line.add("default", "short", 1000);
        let mut had = HashMap::<String, u64>::new();
        for _ in 0..220 {
            let long = line.order.lanes["default"].next(&BTreeSet::new()).unwrap();
            let ms = if long == "long" { 100 } else { 10 };
            *had.entry(line.run(ms)).or_default() += ms;
        }
        let (long, short) = (had["default.long"], had["default.short"]);
        assert!(long.abs_diff(short) <= 100, "{long} ms and {short} ms");
    }

    #[test]
    fn what_one_had_in_short_visits_is_counted() {
        let mut line = Line::new(&[("default", 1)]);
        line.add("default", "stays", 1000);
        let mut visits = 0;
        for _ in 0..100 {
            let lane = &line.order.lanes["default"];
            let visitor = lane.tenants.get("visits");
            if visitor.is_none_or(|tenant| tenant.waiting.is_empty()) {
                line.add("default", "visits", 1);
            }
            let next = line.order.lanes["default"].next(&BTreeSet::new()).unwrap();
            let ms = if next == "visits" { 100 } else { 10 };
            visits += usize::from(line.run(ms) == "default.visits");
        }
        assert!(visits <= 11, "{visits} of 100, each ten times as long");
    }

    #[test]
    fn slots_are_shared_before_anything_has_ended() {
        let mut line = Line::new(&[("default", 1)]);
        line.add("default", "a", 10);
        line.add("default", "b", 10);
        let took: Vec<String> = (0..4)
            .map(|_| line.order.next().unwrap().0.tenant)
            .collect();
        assert_eq!(took, ["a", "b", "a", "b"]);
    }

    #[test]
    fn who_is_held_keeps_nobody_else_waiting_and_its_own_order() {
        let mut line = Line::new(&[("default", 1)]);
        line.add("default", "held", 2);
        line.add("default", "other", 1);
        assert!(line.order.hold("held") && !line.order.hold("held"));
        assert_eq!(line.run_all(2), ["default.other", "-"]);
        assert!(line.order.let_go("held") && !line.order.let_go("held"));
        assert_eq!(line.order.next().unwrap().0.number, 1);
    }

    #[test]
    fn who_leaves_the_line_is_forgotten() {
        let mut line = Line::new(&[]);
        line.add("default", "a", 1);
        let place = Place {
            lane: "default".to_owned(),
            tenant: "a".to_owned(),
            number: 1,
        };
        line.order.remove(&place);
        assert!(line.order.next().is_none());
        assert!(line.order.lanes["default"].tenants.is_empty());
    }
}
