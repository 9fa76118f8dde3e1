//! The exchanges, queues and bindings, as plain data.
//!
//! Both sides declare them at each connect, and a broker closes the channel of whoever declares one with other
//! arguments: so no other crate may make up an argument of its own.

use crate::names::{
    CALLBACKS, CONSUMER_TIMEOUT_MS, CONTROL_EXCHANGE, DEAD, DELIVERY_LIMIT, JOBS_EXCHANGE, queue,
    waiting_callbacks,
};

/// Everything that has to exist on the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// Declared first.
    pub exchanges: Vec<Exchange>,
    /// Declared second.
    pub queues: Vec<Queue>,
    /// Made last.
    pub bindings: Vec<Binding>,
}

/// One exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Its name.
    pub name: &'static str,
    /// How it routes.
    pub kind: ExchangeKind,
    /// Whether it survives a restart of the broker.
    pub durable: bool,
}

/// How an exchange routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeKind {
    /// To the queues bound with the message's routing key.
    Direct,
    /// To every bound queue.
    Fanout,
}

/// One queue. None is exclusive or deletes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Whether it survives a restart of the broker.
    pub durable: bool,
    /// Its `x-` arguments.
    pub arguments: Vec<(&'static str, Argument)>,
}

/// The value of a queue's argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// A whole number.
    Int(i64),
    /// A text.
    Str(&'static str),
}

/// One binding of a queue to an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The queue that receives.
    pub queue: String,
    /// The exchange it receives from.
    pub exchange: &'static str,
    /// With which key; empty for a fanout.
    pub routing_key: String,
}

impl Topology {
    /// What has to exist for these lanes, or [routes](crate::names::route) of tenants in them. A runner binds its own exclusive queue to [`CONTROL_EXCHANGE`] besides.
    #[must_use]
    pub fn for_lanes<L: AsRef<str>>(lanes: &[L]) -> Self {
        let exchange = |name, kind| Exchange {
            name,
            kind,
            durable: true,
        };
        let mut queues = vec![dead_queue(), callbacks_queue()];
        let mut bindings = vec![Binding {
            queue: DEAD.into(),
            exchange: DEAD,
            routing_key: String::new(),
        }];
        for lane in lanes.iter().map(AsRef::as_ref) {
            queues.push(lane_queue(lane));
            bindings.push(Binding {
                queue: queue(lane),
                exchange: JOBS_EXCHANGE,
                routing_key: lane.into(),
            });
        }
        Self {
            exchanges: vec![
                exchange(JOBS_EXCHANGE, ExchangeKind::Direct),
                exchange(DEAD, ExchangeKind::Fanout),
                exchange(CONTROL_EXCHANGE, ExchangeKind::Fanout),
            ],
            queues,
            bindings,
        }
    }

    /// What has to exist for callbacks that wait: a queue for each of these times, in milliseconds.
    #[must_use]
    pub fn for_callbacks(waits: impl IntoIterator<Item = u64>) -> Self {
        let mut topology = Self::for_lanes::<&str>(&[]);
        topology.queues.extend(waits.into_iter().map(waiting_queue));
        topology
    }
}

/// The broker's own limit is a last resort against an order that nobody survives reading.
fn callbacks_queue() -> Queue {
    let arguments = vec![
        ("x-queue-type", Argument::Str("quorum")),
        ("x-delivery-limit", Argument::Int(DELIVERY_LIMIT.into())),
        ("x-dead-letter-exchange", Argument::Str(DEAD)),
        ("x-dead-letter-strategy", Argument::Str("at-least-once")),
        ("x-overflow", Argument::Str("reject-publish")),
    ];
    Queue {
        name: CALLBACKS.into(),
        durable: true,
        arguments,
    }
}

/// What has waited here goes to the queue of callbacks by the exchange without a name. Its name has its time, so that
/// other times are other queues, and not other settings of the same.
fn waiting_queue(ms: u64) -> Queue {
    let arguments = vec![
        ("x-queue-type", Argument::Str("quorum")),
        (
            "x-message-ttl",
            Argument::Int(i64::try_from(ms).unwrap_or(i64::MAX)),
        ),
        ("x-dead-letter-exchange", Argument::Str("")),
        ("x-dead-letter-routing-key", Argument::Str(CALLBACKS)),
        ("x-dead-letter-strategy", Argument::Str("at-least-once")),
        ("x-overflow", Argument::Str("reject-publish")),
    ];
    Queue {
        name: waiting_callbacks(ms),
        durable: true,
        arguments,
    }
}

fn lane_queue(lane: &str) -> Queue {
    let arguments = vec![
        ("x-queue-type", Argument::Str("quorum")),
        ("x-delivery-limit", Argument::Int(DELIVERY_LIMIT.into())),
        (
            "x-consumer-timeout",
            Argument::Int(CONSUMER_TIMEOUT_MS.into()),
        ),
        ("x-dead-letter-exchange", Argument::Str(DEAD)),
        // A dead letter may not get lost on its way, and the broker only promises that with this overflow rule.
        ("x-dead-letter-strategy", Argument::Str("at-least-once")),
        ("x-overflow", Argument::Str("reject-publish")),
    ];
    Queue {
        name: queue(lane),
        durable: true,
        arguments,
    }
}

fn dead_queue() -> Queue {
    let arguments = vec![("x-queue-type", Argument::Str("quorum"))];
    Queue {
        name: DEAD.into(),
        durable: true,
        arguments,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lane_has_a_queue_that_dead_letters() {
        let topology = Topology::for_lanes(&["default", "slow"]);
        let names: Vec<_> = topology
            .queues
            .iter()
            .map(|queue| queue.name.as_str())
            .collect();
        assert_eq!(
            names,
            [
                "glovebox.dead",
                "glovebox.callbacks",
                "glovebox.jobs.default",
                "glovebox.jobs.slow"
            ]
        );
        for queue in &topology.queues[1..] {
            assert!(
                queue
                    .arguments
                    .contains(&("x-delivery-limit", Argument::Int(20)))
            );
            assert!(
                queue
                    .arguments
                    .contains(&("x-dead-letter-exchange", Argument::Str(DEAD)))
            );
        }
        let keys: Vec<_> = topology
            .bindings
            .iter()
            .map(|b| (b.exchange, &*b.routing_key))
            .collect();
        let expected = [
            (DEAD, ""),
            (JOBS_EXCHANGE, "default"),
            (JOBS_EXCHANGE, "slow"),
        ];
        assert_eq!(keys, expected);
        assert!(topology.exchanges.iter().all(|exchange| exchange.durable));
    }
}
