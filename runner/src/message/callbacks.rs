//! Callbacks on their way out of the runner: an order in a queue of its own, from which `glovebox callbacks` sends them.
//!
//! A job's message is acknowledged after the broker has confirmed its order, so that a runner may die anywhere between.
//! Must never reach a receiver itself: that is a stranger's address, and may take its time.

use glovebox_broker::{Letter, Outbox, Outlet};
use glovebox_schemas::callback::Order;
use glovebox_schemas::names::{CALLBACKS, CONTENT_TYPE};
use glovebox_schemas::topology::Topology;
use lapin::BasicProperties;

/// AMQP's delivery mode of a message that survives the broker's restart.
const PERSISTENT: u8 = 2;

/// The way to the queue of callbacks.
pub(crate) struct Callbacks {
    outbox: Outbox,
}

impl Callbacks {
    /// Connects when there is something to send.
    pub(crate) fn open(url: String, runner: &str) -> Callbacks {
        let name = format!("{runner} (callbacks)");
        let outlet = Outlet::new(url, name, Topology::for_lanes::<&str>(&[]));
        Callbacks {
            outbox: Outbox::open(outlet),
        }
    }

    /// Returns when the broker has the order, however long that takes.
    pub(crate) async fn send(&self, order: &Order) {
        let letter = Letter {
            exchange: "",
            routing_key: CALLBACKS.to_owned(),
            body: order.to_json(),
            properties: BasicProperties::default()
                .with_message_id(order.id.as_str().into())
                .with_content_type(CONTENT_TYPE.into())
                .with_delivery_mode(PERSISTENT),
        };
        self.outbox.send(letter).await;
    }
}
