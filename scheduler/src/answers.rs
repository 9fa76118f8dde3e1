//! What RabbitMQ said of the messages of one batch, put together.
//!
//! lapin hands a message that came back over with the confirm that arrives next, which may be another message's. So it
//! must never take a message for stored while one that came back may not have been handed over yet.

use std::collections::HashMap;

use lapin::Confirmation;
use lapin::message::BasicReturnMessage;

use crate::message::Message;
use crate::publisher::Verdict;

/// Gives each message its verdict, if its answer lets it know one.
pub(crate) fn judge(messages: Vec<&mut Message<'_>>, answers: &[Option<Confirmation>]) {
    let is_complete = answers.iter().all(Option::is_some);
    let mut came_back = count(answers);
    for (message, answer) in messages.into_iter().zip(answers) {
        let copies = came_back.get_mut(&(message.id.as_str(), message.routing_key));
        if let Some(copies) = copies.filter(|copies| **copies > 0) {
            *copies -= 1;
            message.verdict = Some(Verdict::Unroutable);
            continue;
        }
        message.verdict = match answer {
            // Nothing that had come back by then was left to hand over.
            Some(Confirmation::Ack(None)) => Some(Verdict::Stored),
            Some(Confirmation::Ack(Some(_))) if is_complete => Some(Verdict::Stored),
            Some(Confirmation::Nack(_)) => Some(Verdict::Refused),
            // Only on a channel without confirms: then nothing is known.
            Some(Confirmation::NotRequested) => Some(Verdict::Unconfirmed),
            Some(Confirmation::Ack(Some(_))) | None => None,
        };
    }
}

/// How many copies came back, by id and routing key: one id may be in a batch twice.
fn count(answers: &[Option<Confirmation>]) -> HashMap<(&str, &str), usize> {
    let returned = answers.iter().flatten().filter_map(|answer| match answer {
        Confirmation::Ack(message) | Confirmation::Nack(message) => message.as_ref(),
        Confirmation::NotRequested => None,
    });
    let mut copies = HashMap::new();
    for message in returned {
        if let Some(id) = id(message) {
            *copies
                .entry((id, message.routing_key.as_str()))
                .or_default() += 1;
        }
    }
    copies
}

fn id(message: &BasicReturnMessage) -> Option<&str> {
    let id = message.properties.message_id().as_ref()?;
    Some(id.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use glovebox_schemas::job::JobId;
    use lapin::BasicProperties;
    use lapin::message::Delivery;

    use super::*;

    const LANE: &str = "lane";

    fn message(id: &JobId) -> Message<'_> {
        Message {
            exchange: "",
            routing_key: LANE,
            mandatory: true,
            body: b"",
            id,
            sent_ms: 0,
            is_first: true,
            may_have_arrived: true,
            verdict: None,
        }
    }

    fn returned(id: &str) -> BasicReturnMessage {
        let mut delivery = Delivery::mock(0, "".into(), LANE.into(), false, Vec::new());
        delivery.properties = BasicProperties::default().with_message_id(id.into());
        BasicReturnMessage {
            delivery,
            reply_code: 312,
            reply_text: "NO_ROUTE".into(),
        }
    }

    fn judged(ids: [&str; 3], answers: &[Option<Confirmation>; 3]) -> [Option<Verdict>; 3] {
        let ids = ids.map(|id| id.parse::<JobId>().unwrap());
        let mut messages = ids.each_ref().map(message);
        judge(messages.iter_mut().collect(), answers);
        messages.map(|message| message.verdict)
    }

    #[test]
    fn what_came_back_is_known_by_its_id() {
        let answers = [
            Some(Confirmation::Ack(None)),
            Some(Confirmation::Nack(Some(returned("c")))),
            Some(Confirmation::Ack(None)),
        ];
        let verdicts = [Verdict::Stored, Verdict::Refused, Verdict::Unroutable];
        assert_eq!(judged(["a", "b", "c"], &answers), verdicts.map(Some));
    }

    #[test]
    fn of_two_copies_only_as_many_came_back_as_were_handed_over() {
        let answers = [
            Some(Confirmation::Ack(Some(returned("a")))),
            Some(Confirmation::Ack(None)),
            Some(Confirmation::Ack(None)),
        ];
        let verdicts = [Verdict::Unroutable, Verdict::Stored, Verdict::Stored];
        assert_eq!(judged(["a", "a", "b"], &answers), verdicts.map(Some));
    }

    /// It came with another one's message: its own may not have been handed over.
    #[test]
    fn while_an_answer_is_missing_a_confirm_with_a_message_tells_nothing() {
        let answers = [
            Some(Confirmation::Ack(Some(returned("c")))),
            Some(Confirmation::Ack(None)),
            None,
        ];
        let verdicts = [None, Some(Verdict::Stored), Some(Verdict::Unroutable)];
        assert_eq!(judged(["a", "b", "c"], &answers), verdicts);
    }
}
