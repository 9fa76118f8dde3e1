//! Whether what runs here is still this runner's to run.
//!
//! A job is ours for as long as the broker can't have given its message to somebody else, or for as long as
//! everybody can see in Redis that we live ([`TTL`]). When neither is sure any more its cells are ended: another
//! runner may have begun it. So a job goes on while one of the two servers is away, however long.
//!
//! Must never call anything ours on the strength of a clock that can be set.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often the lease is renewed.
pub(crate) const RENEW_EVERY: Duration = Duration::from_secs(1);
/// How long after the last renewal others may take our jobs over. Longer than the warden's patience with a frozen
/// runner (`glovebox_cell::SILENCE`), so that its cells are gone by then.
pub(crate) const TTL: Duration = Duration::from_secs(9);
/// We stop trusting it so much earlier: the renewal was on its way for a while.
const MARGIN: Duration = Duration::from_secs(1);
/// A broker that has answered so lately has not given our messages away: it does that after two heartbeats that
/// did not come, ten seconds each.
const BROKER_TRUST: Duration = Duration::from_secs(10);
/// A pause in the renewals that is longer means that Redis was away, and that others could not renew theirs either.
const PAUSE: Duration = Duration::from_secs(3);

/// One process's claim on its jobs. Times are milliseconds since `start`; 0 stands for never.
pub(crate) struct Lease {
    /// Tells this process from an earlier one with the same name.
    pub(crate) instance: String,
    start: Instant,
    renewed: AtomicU64,
    /// Since when the renewals came without a pause.
    steady: AtomicU64,
    broker_answered: AtomicU64,
    /// The connection to the broker that is in use, counted from 1.
    session: AtomicU64,
}

/// What entitles us to run one job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    /// The connection that its message came by; 0 if it came by none.
    pub(crate) session: u64,
    /// Whether Redis says that it runs here.
    pub(crate) written: bool,
}

impl Lease {
    pub(crate) fn new(instance: String) -> Lease {
        // One that has never heard of a server starts before anything was.
        let start = Instant::now();
        Lease {
            instance,
            start: start.checked_sub(TTL * 2).unwrap_or(start),
            renewed: AtomicU64::new(0),
            steady: AtomicU64::new(0),
            broker_answered: AtomicU64::new(0),
            session: AtomicU64::new(0),
        }
    }

    /// Redis has taken a renewal that was sent at `sent`.
    pub(crate) fn renewed(&self, sent: Instant) {
        let sent = self.ms(sent);
        let before = self.renewed.swap(sent, Ordering::AcqRel);
        if before == 0 || sent.saturating_sub(before) > millis(PAUSE) {
            self.steady.store(sent, Ordering::Release);
        }
    }

    /// The broker has answered on the connection in use what it was asked at `asked`. When the answer was read says
    /// nothing: we may have been frozen between, and our messages given away.
    pub(crate) fn broker_answered(&self, asked: Instant) {
        self.broker_answered
            .store(self.ms(asked), Ordering::Release);
    }

    /// There is a new connection to the broker: what came by earlier ones may be delivered to others.
    pub(crate) fn next_session(&self) -> u64 {
        self.broker_answered(Instant::now());
        self.session.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The connection to the broker is gone.
    pub(crate) fn session_lost(&self) {
        self.broker_answered.store(0, Ordering::Release);
    }

    /// Whether a job is surely still ours.
    pub(crate) fn holds(&self, claim: Claim) -> bool {
        let ours = self.session.load(Ordering::Acquire) == claim.session;
        (ours && self.broker_is_near())
            || (claim.written && self.is_fresh(&self.renewed, TTL - MARGIN))
    }

    /// Whether the broker answered lately.
    pub(crate) fn broker_is_near(&self) -> bool {
        self.is_fresh(&self.broker_answered, BROKER_TRUST)
    }

    /// Whether Redis has been there for so long that every runner that lives has renewed its lease there: only
    /// then does the lack of one mean that its runner is lost.
    pub(crate) fn can_judge_others(&self) -> bool {
        let steady = self.steady.load(Ordering::Acquire);
        let long = self.ms(Instant::now()).saturating_sub(steady) > millis(TTL);
        steady != 0 && long && self.is_fresh(&self.renewed, PAUSE)
    }

    fn is_fresh(&self, at: &AtomicU64, within: Duration) -> bool {
        let at = at.load(Ordering::Acquire);
        at != 0 && self.ms(Instant::now()).saturating_sub(at) < millis(within)
    }

    fn ms(&self, at: Instant) -> u64 {
        millis(at.saturating_duration_since(self.start))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ago(duration: Duration) -> Instant {
        let now = Instant::now();
        now.checked_sub(duration).unwrap_or(now)
    }

    #[test]
    fn nothing_is_ours_before_a_server_has_answered() {
        let lease = Lease::new("a".into());
        for (session, written) in [(0, false), (1, true), (1, false)] {
            assert!(!lease.holds(Claim { session, written }));
        }
        assert!(!lease.can_judge_others());
    }

    #[test]
    fn a_message_of_the_present_connection_is_ours_and_of_an_earlier_one_is_not() {
        let lease = Lease::new("a".into());
        let first = lease.next_session();
        let claim = |session| Claim {
            session,
            written: false,
        };
        assert!(lease.holds(claim(first)));
        lease.session_lost();
        assert!(!lease.holds(claim(first)));
        let second = lease.next_session();
        assert!(lease.holds(claim(second)) && !lease.holds(claim(first)));
    }

    #[test]
    fn an_answer_that_was_read_late_is_as_old_as_its_question() {
        let lease = Lease::new("a".into());
        let claim = Claim {
            session: lease.next_session(),
            written: false,
        };
        lease.broker_answered(ago(BROKER_TRUST));
        assert!(!lease.holds(claim));
        lease.broker_answered(ago(BROKER_TRUST / 2));
        assert!(lease.holds(claim));
    }

    #[test]
    fn what_redis_says_holds_without_the_broker_until_shortly_before_others_may_take_it() {
        let lease = Lease::new("a".into());
        let written = Claim {
            session: 1,
            written: true,
        };
        lease.renewed(ago(TTL - MARGIN - Duration::from_secs(1)));
        assert!(lease.holds(written));
        lease.renewed(ago(TTL - MARGIN));
        assert!(!lease.holds(written));
        assert!(!lease.holds(Claim {
            written: false,
            ..written
        }));
    }

    #[test]
    fn others_are_judged_only_after_a_steady_while() {
        let lease = Lease::new("a".into());
        lease.renewed(ago(TTL + Duration::from_secs(2)));
        lease.renewed(ago(Duration::ZERO));
        assert!(!lease.can_judge_others(), "there was a pause");
        let lease = Lease::new("a".into());
        for seconds in (0..=TTL.as_secs() + 1).rev() {
            lease.renewed(ago(Duration::from_secs(seconds)));
        }
        assert!(lease.can_judge_others());
    }
}
