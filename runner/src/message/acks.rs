//! The acks of one session: those that are due at the same time go to the broker in one frame.
//!
//! A quorum queue writes each ack it is sent to its log; one that stands for many costs it one entry. Nobody waits for
//! others to be due: under load they are. Must never cover a delivery that is not settled.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lapin::Channel;
use lapin::options::BasicAckOptions;

/// Of one channel.
pub(super) struct Acks {
    channel: Channel,
    tags: Mutex<Tags>,
    /// One frame at a time: what becomes due meanwhile goes along with the next.
    turn: tokio::sync::Mutex<()>,
}

/// A channel's deliveries by their tags, which count up from 1, whichever consumer they are for.
#[derive(Default)]
struct Tags {
    /// All up to this one are settled or due. One that lies unseen in a consumer's buffer is not.
    floor: u64,
    /// Those above it that are.
    above: BTreeSet<u64>,
    due: BTreeSet<u64>,
}

impl Acks {
    pub(super) fn new(channel: Channel) -> Acks {
        Acks {
            channel,
            tags: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// It needs no ack: the broker was told otherwise, or asks for none.
    pub(super) fn settled(&self, tag: u64) {
        self.tags().above.insert(tag);
    }

    /// Acknowledges it; when this returns the frame is on its way.
    pub(super) async fn ack(&self, tag: u64) -> lapin::Result<()> {
        {
            let mut tags = self.tags();
            tags.above.insert(tag);
            tags.due.insert(tag);
        }
        // Whoever is ready to run now may have one as well.
        tokio::task::yield_now().await;
        let _turn = self.turn.lock().await;
        // Nothing if it went along with another's.
        let frames = self.tags().frames();
        for (tag, multiple) in frames {
            let options = BasicAckOptions { multiple };
            self.channel.basic_ack(tag, options).await?;
        }
        Ok(())
    }

    fn tags(&self) -> MutexGuard<'_, Tags> {
        self.tags.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tags {
    /// What is due, as tags and whether each stands for all before it too.
    fn frames(&mut self) -> Vec<(u64, bool)> {
        while self.above.remove(&(self.floor + 1)) {
            self.floor += 1;
        }
        let due = std::mem::take(&mut self.due);
        let together = due.range(..=self.floor);
        let last = together.clone().next_back();
        let last = last.map(|tag| (*tag, together.count() > 1));
        let single = due.range(self.floor + 1..).map(|tag| (*tag, false));
        last.into_iter().chain(single).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Tags;

    #[test]
    fn one_frame_stands_for_all_before_the_first_delivery_that_is_not_settled() {
        let mut tags = Tags::default();
        let mut frames = |due: &[u64], otherwise: &[u64]| {
            tags.due.extend(due);
            tags.above.extend(due.iter().chain(otherwise));
            tags.frames()
        };
        assert_eq!(frames(&[], &[]), []);
        assert_eq!(frames(&[1], &[]), [(1, false)]);
        assert_eq!(frames(&[3, 4], &[2]), [(4, true)]);
        // 5 may lie in a buffer, and be a job that nobody has seen.
        assert_eq!(frames(&[6, 7], &[]), [(6, false), (7, false)]);
        assert_eq!(frames(&[9], &[5]), [(9, false)]);
        assert_eq!(frames(&[8, 10, 12], &[]), [(10, true), (12, false)]);
    }
}
