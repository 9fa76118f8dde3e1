//! What exchanges, queues, keys and headers are called.
//!
//! Every name of the contract stands here once; no other crate may spell one out.

use crate::id::JobId;

/// The direct exchange that takes jobs; the routing key is the lane.
pub const JOBS_EXCHANGE: &str = "glovebox.jobs";
/// The fanout exchange, and the queue of the same name, for what could not be parsed or kept killing its runner.
pub const DEAD: &str = "glovebox.dead";
/// The queue of the callbacks that are to be sent now.
pub const CALLBACKS: &str = "glovebox.callbacks";
/// The fanout exchange that carries cancellations to every runner.
pub const CONTROL_EXCHANGE: &str = "glovebox.control";

/// The lane of a job that names none.
pub const DEFAULT_LANE: &str = "default";
/// The lane of what somebody waits for at a screen.
pub const HIGH_LANE: &str = "high";
/// The lane of what nobody waits for.
pub const BATCH_LANE: &str = "batch";
/// The tenant of a job that names none.
pub const DEFAULT_TENANT: &str = "default";
/// How long a result is kept unless configured otherwise.
pub const RESULT_TTL_SECONDS: u64 = 86_400;
/// How long it is remembered that a job was there: longer than its result, so that one who comes too late hears that
/// the result has expired, and an id that is sent again meanwhile is not run again.
pub const STATE_TTL_SECONDS: u64 = 2 * RESULT_TTL_SECONDS;
/// How often a job is started, at most, if its runner dies with it or cannot build its cell. Then it gets an `error`
/// for a result and is dead-lettered.
pub const MAX_ATTEMPTS: u32 = 4;
/// The `x-delivery-limit` of a lane's queue: the broker's own last resort against a message that no runner survives
/// reading. It counts every lost connection too, so it is far above [`MAX_ATTEMPTS`].
pub const DELIVERY_LIMIT: u32 = 20;
/// The `x-consumer-timeout` of a lane's queue in milliseconds: one day for one job. Brokers before 3.12 do not know it
/// and close the channel after their own time; what they deliver again meanwhile is recognised.
pub const CONSUMER_TIMEOUT_MS: u32 = 86_400_000;

/// The AMQP header with the W3C trace context.
pub const TRACEPARENT_HEADER: &str = "traceparent";
/// The AMQP header in which a quorum queue says how often it delivered a message before.
pub const DELIVERY_COUNT_HEADER: &str = "x-delivery-count";
/// The AMQP header, `true`, of the one message that its job's id was sent with first. Only such a message, delivered
/// for the first time, may be run while nobody can ask Redis whether the job has run already.
pub const FIRST_COPY_HEADER: &str = "x-first-copy";
/// The AMQP header of a dead letter that says why it is one: a code.
pub const REASON_HEADER: &str = "x-glovebox-reason";
/// The AMQP header of a dead letter with the history of its attempts: JSON, as in a result.
pub const ATTEMPTS_HEADER: &str = "x-glovebox-attempts";
/// The AMQP header of a callback that says how often it had to wait because its receiver had too many at a time.
pub const DEFERRALS_HEADER: &str = "x-glovebox-deferrals";
/// The HTTP header of a callback with the time and the signatures: `t=UNIX-SECONDS,v1=HEX`, by HMAC-SHA-256 over
/// `t.body`; one `v1` for each of the tenant's keys.
pub const SIGNATURE_HEADER: &str = "Glovebox-Signature";
/// The HTTP header of a callback with its id: the same whenever the same callback is sent again.
pub const DELIVERY_HEADER: &str = "Glovebox-Delivery";
/// The AMQP content type of every message.
pub const CONTENT_TYPE: &str = "application/json";

/// The longest name of a lane, in bytes.
pub const MAX_LANE_BYTES: usize = 32;

/// Whether a text may name a lane: 1 to 32 lower-case letters, digits or `-`.
#[must_use]
pub fn is_lane(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=MAX_LANE_BYTES).contains(&text.len()) && text.bytes().all(allowed)
}

/// How many jobs of a lane start for one of `batch` while both wait, unless a runner is told otherwise: 64 of `high`, 8 of
/// any other.
#[must_use]
pub fn default_weight(lane: &str) -> u16 {
    match lane {
        HIGH_LANE => 64,
        BATCH_LANE => 1,
        _ => 8,
    }
}

/// The queue in which callbacks wait for at most so many milliseconds before they are in [`CALLBACKS`] again.
#[must_use]
pub fn waiting_callbacks(ms: u64) -> String {
    format!("{CALLBACKS}.wait.{ms}")
}

/// The longest name of a tenant, in bytes.
pub const MAX_TENANT_BYTES: usize = 64;

/// Whether a text may name a tenant: 1 to 64 letters, digits, `_`, `.` or `-`.
#[must_use]
pub fn is_tenant(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    (1..=MAX_TENANT_BYTES).contains(&text.len()) && text.bytes().all(allowed)
}

/// The routing key of a job: its lane, and its tenant if it names one.
#[must_use]
pub fn route(lane: &str, tenant: &str) -> String {
    match tenant {
        DEFAULT_TENANT => lane.to_owned(),
        _ => format!("{lane}.{tenant}"),
    }
}

/// The lane and the tenant of a [`route`]; `None` if it is none.
#[must_use]
pub fn lane_and_tenant(route: &str) -> Option<(&str, &str)> {
    // No lane has a dot in its name.
    let (lane, tenant) = route.split_once('.').unwrap_or((route, DEFAULT_TENANT));
    (is_lane(lane) && is_tenant(tenant)).then_some((lane, tenant))
}

/// The queue of a [`route`].
#[must_use]
pub fn queue(route: &str) -> String {
    format!("{JOBS_EXCHANGE}.{route}")
}

/// How long runners consume from the queue of a tenant after its last job was sent or asked for its turn, in
/// milliseconds: thirty days. A fleet that stood still for so long finds older jobs only when their tenant sends another.
pub const TENANT_SERVED_MS: u64 = 30 * 86_400_000;

/// The Redis sorted set of the routes of tenants, by when a job was last sent or started there, in milliseconds since
/// 1970: what runners consume besides the lanes' own queues.
pub const ROUTES_KEY: &str = "glovebox:routes";

/// What stands for every tenant that has no limit of its own.
pub const ALL_TENANTS: &str = "*";

/// The Redis set of the tenants that have limits or usage.
pub const TENANTS_KEY: &str = "glovebox:tenants";

/// The Redis hash with a tenant's limits: `max_running`, `max_queued`, `rate`, `burst`.
#[must_use]
pub fn tenant_key(tenant: &str) -> String {
    format!("glovebox:tenant:{tenant}")
}

/// The Redis hash of a tenant's running jobs: the instance and the runner of each.
#[must_use]
pub fn running_key(tenant: &str) -> String {
    format!("{}:running", tenant_key(tenant))
}

/// What a [`queued_key`] ends with.
pub const QUEUED: &str = ":queued";

/// The Redis sorted set of the jobs of a tenant that has a limit of these, by when they were sent, that have not begun.
#[must_use]
pub fn queued_key(tenant: &str) -> String {
    format!("{}{QUEUED}", tenant_key(tenant))
}

/// The Redis string that says until when a tenant's submissions have used its rate up.
#[must_use]
pub fn rate_key(tenant: &str) -> String {
    format!("{}:rate", tenant_key(tenant))
}

/// The Redis hash with what a tenant has used on a day (UTC, as `2026-01-31`).
#[must_use]
pub fn usage_key(tenant: &str, day: &str) -> String {
    format!("glovebox:usage:{tenant}:{day}")
}

/// How long a day's usage is kept.
pub const USAGE_TTL_SECONDS: u64 = 400 * 86_400;

/// The Redis string with a job's result.
#[must_use]
pub fn result_key(id: &JobId) -> String {
    format!("glovebox:result:{id}")
}

/// The Redis hash with how far a job is.
#[must_use]
pub fn state_key(id: &JobId) -> String {
    format!("glovebox:state:{id}")
}

/// The Redis channel that says that a job's result is there.
#[must_use]
pub fn done_channel(id: &JobId) -> String {
    format!("glovebox:done:{id}")
}

/// The Redis stream with a job's output while it runs.
#[must_use]
pub fn output_key(id: &JobId) -> String {
    format!("glovebox:output:{id}")
}

/// The Redis hash with a runner's heartbeat.
#[must_use]
pub fn runner_key(name: &str) -> String {
    format!("{}{name}", runner_prefix())
}

/// What every [`runner_key`] begins with.
#[must_use]
pub fn runner_prefix() -> &'static str {
    "glovebox:runner:"
}

/// The Redis sorted set of the names of runners that did not stop in order, by when each was last heard of, in
/// milliseconds since 1970. One that is here and has no heartbeat is lost.
pub const RUNNERS_KEY: &str = "glovebox:runners";

/// Whether `text` can name a package environment: it becomes a file's name.
#[must_use]
pub fn is_environment(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=64).contains(&text.len())
        && text.bytes().next().is_some_and(plain)
        && text.bytes().all(|b| plain(b) || b"._-".contains(&b))
}

/// Whether `text` can name a runner: it becomes a key and a folder's name.
#[must_use]
pub fn is_runner_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=100).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('.')
}

/// The header that carries when a job was handed over, in milliseconds since 1970: AMQP's own timestamp has seconds only.
pub const ENQUEUED_AT_HEADER: &str = "x-enqueued-at-ms";

/// The key that says that a job is not to be started.
#[must_use]
pub fn cancel_key(id: &JobId) -> String {
    format!("glovebox:cancel:{id}")
}

/// The key that says what was asked for under an id that was derived from a caller's own key: a fingerprint.
#[must_use]
pub fn claim_key(id: &JobId) -> String {
    format!("glovebox:claim:{id}")
}

/// The channel on which a runner hints that it has begun a job, or that there is more of its live output.
#[must_use]
pub fn hint_channel(id: &JobId) -> String {
    format!("glovebox:hint:{id}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn names_are_those_of_the_contract() {
        let id: JobId = "a-1".parse().unwrap();
        assert_eq!(queue("default"), "glovebox.jobs.default");
        assert_eq!(result_key(&id), "glovebox:result:a-1");
        assert_eq!(state_key(&id), "glovebox:state:a-1");
        assert_eq!(done_channel(&id), "glovebox:done:a-1");
        assert_eq!(output_key(&id), "glovebox:output:a-1");
        assert_eq!(runner_key("host-1"), "glovebox:runner:host-1");
        assert_eq!(
            queue(&route("default", "acme")),
            "glovebox.jobs.default.acme"
        );
        assert_eq!(route("default", DEFAULT_TENANT), "default");
    }

    #[test]
    fn a_route_tells_its_lane_and_its_tenant_whatever_the_tenant_is_called() {
        for (lane, tenant) in [("a", "b"), ("a-1", "b.c"), ("a", "default.x"), ("a", ".")] {
            assert_eq!(lane_and_tenant(&route(lane, tenant)), Some((lane, tenant)));
        }
        assert_eq!(lane_and_tenant("a"), Some(("a", DEFAULT_TENANT)));
        for bad in ["", ".a", "a.", "A.b", "a.b c", "a.*"] {
            assert_eq!(lane_and_tenant(bad), None, "{bad}");
        }
    }

    #[test]
    fn environments_are_plain_file_names() {
        assert!(is_environment("data-2.1_x") && is_environment("3d"));
        for bad in ["", "Data", "..", ".x", "-x", "a/b", "ä", &"x".repeat(65)] {
            assert!(!is_environment(bad), "{bad}");
        }
    }

    #[test]
    fn lanes_are_short_and_plain() {
        assert!(is_lane("gpu-2") && is_lane(DEFAULT_LANE));
        for bad in ["", "Default", "a.b", "a_b", "ä", &"x".repeat(33)] {
            assert!(!is_lane(bad), "{bad}");
        }
    }
}
