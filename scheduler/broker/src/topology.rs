//! Declares what `glovebox_schemas::topology` describes.
//!
//! It must never make up a name or an argument of its own: a broker closes the
//! channel of whoever declares a queue differently from the one before.

use glovebox_schemas::topology::{Argument, Binding, Exchange, ExchangeKind, Queue, Topology};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ErrorKind};

use crate::error::{BrokerError, innermost};

/// Makes sure that the exchanges, the dead-letter queue and the queues of
/// `lanes` exist. Doing it again changes nothing.
///
/// A client passes no lanes: a queue that no runner serves would only swallow jobs.
///
/// # Errors
///
/// [`BrokerError::OtherSettings`] when one exists with other settings,
/// [`BrokerError::Declare`] for any other refusal. Either way the broker has
/// closed `channel`.
pub async fn declare<L: AsRef<str>>(channel: &Channel, lanes: &[L]) -> Result<(), BrokerError> {
    declare_all(channel, &Topology::for_lanes(lanes)).await
}

/// Makes sure that all of this exists. Doing it again changes nothing.
///
/// # Errors
///
/// As [`declare`].
pub async fn declare_all(channel: &Channel, topology: &Topology) -> Result<(), BrokerError> {
    for exchange in &topology.exchanges {
        declare_exchange(channel, exchange)
            .await
            .map_err(|error| refused("exchange", exchange.name, error))?;
    }
    for queue in &topology.queues {
        declare_queue(channel, queue)
            .await
            .map_err(|error| refused("queue", &queue.name, error))?;
    }
    for binding in &topology.bindings {
        bind(channel, binding)
            .await
            .map_err(|error| refused("binding of the queue", &binding.queue, error))?;
    }
    Ok(())
}

async fn declare_exchange(channel: &Channel, exchange: &Exchange) -> lapin::Result<()> {
    let kind = match exchange.kind {
        ExchangeKind::Direct => lapin::ExchangeKind::Direct,
        ExchangeKind::Fanout => lapin::ExchangeKind::Fanout,
    };
    let options = ExchangeDeclareOptions {
        durable: exchange.durable,
        ..ExchangeDeclareOptions::default()
    };
    channel
        .exchange_declare(exchange.name.into(), kind, options, FieldTable::default())
        .await
}

async fn declare_queue(channel: &Channel, queue: &Queue) -> lapin::Result<()> {
    let options = QueueDeclareOptions {
        durable: queue.durable,
        ..QueueDeclareOptions::default()
    };
    let mut arguments = FieldTable::default();
    for (name, value) in &queue.arguments {
        let value = match *value {
            Argument::Int(number) => AMQPValue::LongLongInt(number),
            Argument::Str(text) => AMQPValue::LongString(text.into()),
        };
        arguments.insert((*name).into(), value);
    }
    channel
        .queue_declare(queue.name.as_str().into(), options, arguments)
        .await?;
    Ok(())
}

async fn bind(channel: &Channel, binding: &Binding) -> lapin::Result<()> {
    channel
        .queue_bind(
            binding.queue.as_str().into(),
            binding.exchange.into(),
            binding.routing_key.as_str().into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
}

fn refused(kind: &'static str, name: &str, error: lapin::Error) -> BrokerError {
    let mismatch = matches!(
        error.kind(),
        ErrorKind::ProtocolError(protocol)
            if *protocol.kind() == AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED)
    );
    let name = name.to_owned();
    let source = innermost(error);
    if mismatch {
        BrokerError::OtherSettings { kind, name, source }
    } else {
        BrokerError::Declare { kind, name, source }
    }
}
