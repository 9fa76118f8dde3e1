//! Which queues of tenants this runner consumes, besides its lanes' own: those to which a job was sent lately.
//!
//! A client that sends to a queue that may be new says so to every runner; a look into Redis now and then finds what was
//! not heard. Must never drop a queue for want of news: only one that is said to be idle.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use glovebox_schemas::control::Serve;
use glovebox_schemas::names::{TENANT_SERVED_MS, lane_and_tenant, route};
use tokio::sync::watch;

use crate::result::RedisStore;

/// How often Redis is asked.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The routes to consume.
#[derive(Clone)]
pub(crate) struct Routes {
    lanes: Arc<Vec<String>>,
    served: Arc<watch::Sender<BTreeSet<String>>>,
}

impl Routes {
    pub(crate) fn new(lanes: Vec<String>) -> Routes {
        Routes {
            lanes: Arc::new(lanes),
            served: Arc::new(watch::Sender::new(BTreeSet::new())),
        }
    }

    /// The lanes' own.
    pub(crate) fn lanes(&self) -> &[String] {
        &self.lanes
    }

    /// All of them, the lanes' own first.
    pub(crate) fn all(&self) -> Vec<String> {
        let served = self.served.borrow();
        self.lanes.iter().chain(served.iter()).cloned().collect()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<BTreeSet<String>> {
        self.served.subscribe()
    }

    /// Somebody sends jobs there.
    pub(crate) fn announce(&self, serve: &Serve) {
        let route = route(&serve.lane, &serve.tenant);
        if self.is_ours(&route) {
            self.served.send_if_modified(|served| served.insert(route));
        }
    }

    /// Asks Redis, for as long as the runner lives.
    pub(crate) async fn look(self, store: RedisStore) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // That Redis is away is told elsewhere.
            let Ok(listed) = store.routes().await else {
                continue;
            };
            let forgotten = self.update(&listed);
            if !forgotten.is_empty() {
                store.list_routes(&forgotten).await;
            }
        }
    }

    /// Takes over what is listed as (route, milliseconds since its last use); gives what is served and not listed.
    fn update(&self, listed: &[(String, u64)]) -> Vec<String> {
        let mut forgotten = Vec::new();
        self.served.send_if_modified(|served| {
            let mut next = served.clone();
            for (route, idle_ms) in listed {
                match *idle_ms < TENANT_SERVED_MS && self.is_ours(route) {
                    true => next.insert(route.clone()),
                    false => next.remove(route),
                };
            }
            let is_listed = |route: &String| listed.iter().any(|(one, _)| one == route);
            forgotten = next.iter().filter(|one| !is_listed(one)).cloned().collect();
            let changed = next != *served;
            *served = next;
            changed
        });
        forgotten
    }

    fn is_ours(&self, route: &str) -> bool {
        lane_and_tenant(route)
            .is_some_and(|(lane, _)| lane != route && self.lanes.iter().any(|ours| ours == lane))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_of_our_lanes_are_served_until_they_are_said_to_be_idle() {
        let routes = Routes::new(vec!["default".to_owned()]);
        routes.announce(&Serve::new("default", "a"));
        routes.announce(&Serve::new("batch", "a"));
        routes.announce(&Serve::new("default", "default"));
        assert_eq!(routes.all(), ["default", "default.a"]);
        let listed = |route: &str, idle_ms| (route.to_owned(), idle_ms);
        // Nobody says anything of the first: it is listed anew, and not dropped.
        let forgotten = routes.update(&[
            listed("default.b", 0),
            listed("batch.b", 0),
            listed("default.old", TENANT_SERVED_MS),
        ]);
        assert_eq!(forgotten, ["default.a"]);
        assert_eq!(routes.all(), ["default", "default.a", "default.b"]);
        let mut watch = routes.watch();
        watch.mark_unchanged();
        assert!(
            routes
                .update(&[listed("default.a", 1), listed("default.b", 1)])
                .is_empty()
        );
        assert!(watch.has_changed().is_ok_and(|changed| !changed));
        routes.update(&[
            listed("default.a", TENANT_SERVED_MS),
            listed("default.b", 1),
        ]);
        assert_eq!(routes.all(), ["default", "default.b"]);
    }
}
