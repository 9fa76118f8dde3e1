//! The slots, and the line of jobs that wait for one.
//!
//! Every job that was delivered stands here until its turn comes, whichever queue brought it. Must never lose a slot,
//! nor leave one free while somebody could have it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot};

use crate::order::{Lane, Order, Place};

/// How long a tenant that is at its limit waits before it is asked again whether a place came free elsewhere. One that
/// comes free here is had at once.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The line, shared with those who wait.
#[derive(Clone)]
pub(crate) struct Line(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Told whenever a slot is free again and nobody in line has it.
    freed: Notify,
}

struct State {
    free: VecDeque<u16>,
    order: Order<oneshot::Sender<u16>>,
    last: u64,
}

/// A slot in use; free again when dropped.
pub(crate) struct Slot {
    pub(super) number: u16,
    place: Place,
    since: Instant,
    line: Line,
}

/// Somebody in line; leaves it when dropped.
struct Waiter<'a> {
    line: &'a Line,
    place: &'a Place,
    turn: oneshot::Receiver<u16>,
}

impl Line {
    pub(super) fn new(slots: u16, lanes: &[Lane]) -> Line {
        let state = State {
            free: (0..slots).collect(),
            order: Order::new(lanes),
            last: 0,
        };
        Line(Arc::new(Shared {
            state: Mutex::new(state),
            freed: Notify::new(),
        }))
    }

    /// A place in the line for a job, behind all that have one.
    pub(crate) fn place(&self, lane: &str, tenant: &str) -> Place {
        let mut state = self.state();
        state.last += 1;
        Place {
            lane: lane.to_owned(),
            tenant: tenant.to_owned(),
            number: state.last,
        }
    }

    /// Waits for its turn.
    pub(super) async fn take(&self, place: &Place) -> Slot {
        loop {
            let (told, turn) = oneshot::channel();
            let mut waiter = Waiter {
                line: self,
                place,
                turn,
            };
            {
                let mut state = self.state();
                state.order.add(place, told);
                state.hand_out();
            }
            // Nobody but the waiter itself takes it out of the line.
            if let Ok(number) = (&mut waiter.turn).await {
                return self.slot(number, place);
            }
        }
    }

    fn slot(&self, number: u16, place: &Place) -> Slot {
        Slot {
            number,
            place: place.clone(),
            since: Instant::now(),
            line: self.clone(),
        }
    }

    /// One more slot for who has this one, if there is one that nobody in line can have.
    pub(super) fn spare(&self, beside: &Slot) -> Option<Slot> {
        let mut state = self.state();
        let number = state.free.pop_front()?;
        state.order.share(&beside.place);
        Some(self.slot(number, &beside.place))
    }

    /// Becomes ready when a slot is free that nobody in line has had.
    pub(super) fn freed(&self) -> Notified<'_> {
        self.0.freed.notified()
    }

    /// This tenant has as many jobs as it may: nothing of it gets a turn until a place comes free, or for a while.
    pub(crate) fn hold(&self, tenant: &str) {
        if !self.state().order.hold(tenant) {
            return;
        }
        let (line, tenant) = (self.clone(), tenant.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(LOOK_EVERY).await;
            line.let_go(&tenant);
        });
    }

    /// A place of this tenant's may have come free.
    pub(crate) fn let_go(&self, tenant: &str) {
        let mut state = self.state();
        if state.order.let_go(tenant) {
            state.hand_out();
        }
    }

    pub(super) fn free(&self) -> usize {
        self.state().free.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Gives free slots to those whose turn it is: the one that has been free the longest, since what is kept ready in
    /// it has had the most time.
    fn hand_out(&mut self) {
        while let Some(number) = self.free.pop_front() {
            let Some((place, told)) = self.order.next() else {
                return self.free.push_front(number);
            };
            if let Err(number) = told.send(number) {
                self.order.ended(&place, Duration::ZERO);
                self.free.push_front(number);
            }
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.turn.close();
        // It may have been given a slot that it will not hear of any more.
        match self.turn.try_recv() {
            Ok(number) => drop(self.line.slot(number, self.place)),
            Err(_) => self.line.state().order.remove(self.place),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.line.state();
        state.order.ended(&self.place, self.since.elapsed());
        state.free.push_back(self.number);
        state.hand_out();
        if !state.free.is_empty() {
            self.line.0.freed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test(flavor = "current_thread")]
    async fn a_slot_comes_back_whether_its_taker_runs_waits_or_leaves_at_the_last_moment() {
        let line = Line::new(1, &[]);
        let places: Vec<Place> = (0..3).map(|_| line.place("default", "a")).collect();
        let first = line.take(&places[0]).await;
        let mut leaves = Box::pin(line.take(&places[1]));
        let mut stays = Box::pin(line.take(&places[2]));
        assert!(leaves.as_mut().now_or_never().is_none());
        assert!(stays.as_mut().now_or_never().is_none());
        drop(first);
        assert_eq!(line.free(), 0, "it was given to the second");
        drop(leaves);
        assert!(
            stays
                .as_mut()
                .now_or_never()
                .is_some_and(|slot| slot.number == 0)
        );
        drop(stays);
        assert_eq!(line.free(), 1);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_tenant_at_its_limit_has_a_turn_when_a_place_comes_free_or_after_a_while() {
        let line = Line::new(1, &[]);
        let place = line.place("default", "a");
        line.hold("a");
        let mut waits = Box::pin(line.take(&place));
        assert!(waits.as_mut().now_or_never().is_none());
        line.let_go("a");
        assert!(waits.as_mut().now_or_never().is_some());
        line.hold("a");
        drop(line.take(&place).await);
        assert_eq!(line.free(), 1);
    }
}
