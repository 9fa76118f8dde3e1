//! What this server counts, for Prometheus.
//!
//! Labels must never be of a caller's making: methods, routes as they are written in the code, and statuses. No ids.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Seconds: from a job that was queued to one that was waited for.
const BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0, 60.0,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

/// What is counted.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    accepted: Counter,
    waiting: Gauge,
    in_flight: Gauge,
    pub(crate) connections: Gauge,
}

/// Counts for as long as it lives.
pub(crate) struct Waiting(Gauge);

impl Waiting {
    pub(crate) fn on(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("glovebox_gateway");
        let requests = Family::<Answered, Counter>::default();
        let seconds = Family::<Route, Histogram, fn() -> Histogram>::new_with_constructor(|| {
            Histogram::new(BUCKETS)
        });
        let accepted = Counter::<u64, AtomicU64>::default();
        let [waiting, in_flight, connections] = [(); 3].map(|()| Gauge::default());
        registry.register("requests", "Requests that were answered", requests.clone());
        registry.register(
            "request_duration_seconds",
            "From a request's headers to its answer's; with `wait` that includes the job",
            seconds.clone(),
        );
        registry.register("jobs_accepted", "Jobs that were taken", accepted.clone());
        registry.register(
            "waiters",
            "Requests that wait for a job or follow one",
            waiting.clone(),
        );
        registry.register(
            "requests_in_flight",
            "Requests without an answer yet",
            in_flight.clone(),
        );
        registry.register("connections", "Open connections", connections.clone());
        Self {
            registry,
            requests,
            seconds,
            accepted,
            waiting,
            in_flight,
            connections,
        }
    }

    pub(crate) fn answered(
        &self,
        method: &Method,
        route: &str,
        status: StatusCode,
        took: Duration,
    ) {
        self.requests
            .get_or_create(&Answered {
                method: known(method),
                route: route.to_owned(),
                status: status.as_u16(),
            })
            .inc();
        let route = Route {
            route: route.to_owned(),
        };
        self.seconds
            .get_or_create(&route)
            .observe(took.as_secs_f64());
    }

    pub(crate) fn accepted(&self, jobs: u64) {
        self.accepted.inc_by(jobs);
    }

    pub(crate) fn waiting(&self) -> Waiting {
        Waiting::on(&self.waiting)
    }

    pub(crate) fn in_flight(&self) -> Waiting {
        Waiting::on(&self.in_flight)
    }

    /// As text, in the OpenMetrics format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string does not fail.
        encode(&mut text, &self.registry).unwrap_or_default();
        text
    }
}

/// Methods can be of a caller's making as well.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
