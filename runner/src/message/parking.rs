//! Deliveries that can't be worked on now: one whose job runs already, here or elsewhere, one that is to be left alone
//! for a while, one whose result waits for Redis or whose callback for RabbitMQ. They are held, not given back, since each giving back is counted by the broker.
//!
//! What is parked takes a place of the prefetch, so the intake makes room for it: a runner must never sit idle because
//! it holds what it can't work on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Delivery;
use crate::cancel::Registration;
use crate::result::{Before, Store};

/// How often it is looked whether a job that runs elsewhere is done. Its message is here only because a connection
/// broke, or because it was sent twice.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What takes longer is held up by a server.
const A_WHILE: Duration = Duration::from_millis(500);

/// How many deliveries are parked, by the route that they came by.
pub(crate) type Parked = HashMap<String, Count>;

/// The parked deliveries of one route.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    /// Those whose jobs wait to be started.
    pub(crate) waiting: usize,
    /// Those whose results wait to be stored.
    pub(crate) done: usize,
}

impl Count {
    fn of(&mut self, kind: Kind) -> &mut usize {
        match kind {
            Kind::Waiting => &mut self.waiting,
            Kind::Done => &mut self.done,
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Waiting,
    Done,
}

/// The deliveries that are parked.
#[derive(Clone)]
pub(crate) struct Parking {
    parked: Arc<watch::Sender<Parked>>,
}

/// A delivery that is parked until this is dropped.
pub(crate) struct Place {
    parking: Parking,
    route: String,
    kind: Kind,
}

impl Parking {
    pub(crate) fn new() -> Parking {
        Parking {
            parked: Arc::new(watch::Sender::new(Parked::new())),
        }
    }

    /// Parks a delivery whose result waits to be stored. How many there may be is the spool's to limit.
    pub(crate) fn park(&self, delivery: &Delivery) -> Place {
        self.park_as(Kind::Done, delivery)
    }

    fn park_as(&self, kind: Kind, delivery: &Delivery) -> Place {
        let route = delivery.route.clone();
        self.parked.send_modify(|parked| {
            let count = parked.entry(route.clone()).or_default().of(kind);
            *count = count.saturating_add(1);
        });
        Place {
            parking: self.clone(),
            route,
            kind,
        }
    }

    /// Parks a delivery for as long as something is not ready at once.
    pub(crate) async fn meanwhile<T>(
        &self,
        delivery: &Delivery,
        ready: impl Future<Output = T>,
    ) -> T {
        tokio::pin!(ready);
        tokio::select! {
            biased;
            ready = &mut ready => return ready,
            () = std::future::ready(()) => {}
        }
        let _place = self.park_as(Kind::Waiting, delivery);
        ready.await
    }

    /// Finishes what is usually done in an instant; parks the delivery if it is not.
    pub(crate) async fn after_a_while<T>(
        &self,
        delivery: &Delivery,
        done: impl Future<Output = T>,
    ) -> T {
        tokio::pin!(done);
        match tokio::time::timeout(A_WHILE, &mut done).await {
            Ok(done) => done,
            Err(_) => {
                let _place = self.park_as(Kind::Waiting, delivery);
                done.await
            }
        }
    }

    /// For whoever makes room.
    pub(crate) fn watch(&self) -> watch::Receiver<Parked> {
        self.parked.subscribe()
    }

    /// Waits until it is worth asking again whether the job may start; false if the runner stops.
    pub(crate) async fn wait(
        &self,
        delivery: &Delivery,
        before: &Before,
        store: &Store,
        registration: &Registration,
    ) -> bool {
        let _place = self.park_as(Kind::Waiting, delivery);
        // Redis does not know of it: it was some stranger's wish.
        let knows = registration.is_cancelled();
        let worth_asking = async {
            match before {
                // Its owner need not wait for it as well.
                Before::Later(pause) if knows => tokio::time::sleep(*pause).await,
                Before::Later(pause) => tokio::select! {
                    () = tokio::time::sleep(*pause) => {}
                    () = registration.cancelled() => {}
                },
                Before::Away => store.back().await,
                _ => tokio::time::sleep(LOOK_EVERY).await,
            }
        };
        tokio::select! {
            () = worth_asking => true,
            () = registration.stopping() => false,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.parking.parked.send_modify(|parked| {
            if let Some(counts) = parked.get_mut(&self.route) {
                let count = counts.of(self.kind);
                *count = count.saturating_sub(1);
                if counts.waiting == 0 && counts.done == 0 {
                    parked.remove(&self.route);
                }
            }
        });
    }
}
