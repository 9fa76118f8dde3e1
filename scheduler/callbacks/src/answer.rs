//! What a receiver's answer, or the lack of one, means for the callback.
//!
//! Pure. Must never take an answer for the receiver's last word that may be another in an hour.

use std::time::Duration;

use glovebox_gate::Verdict;
use jiff::Timestamp;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The receiver has answered so, and asks to be left alone for so long.
    Status(u16, Option<Duration>),
    /// There is no connection to it.
    NotReached(Verdict),
    /// No TLS with it, or not with a certificate that is trusted here.
    NoTls,
    /// What came back is no answer, or broke off.
    Broken,
    /// It took too long.
    TimedOut,
    /// No request can be made of this URL.
    NoRequest,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgment {
    /// It is delivered.
    Delivered,
    /// It is to be tried again, after this at least.
    Later(Option<Duration>),
    /// Trying again would change nothing.
    Never,
}

impl Answer {
    pub(crate) fn judge(&self) -> Judgment {
        match *self {
            Answer::Status(200..=299, _) => Judgment::Delivered,
            // Gone: the receiver wants no more of it.
            Answer::Status(410, _) => Judgment::Never,
            Answer::Status(_, after) => Judgment::Later(after),
            // Only an operator can open it, and trying on would be probing.
            Answer::NotReached(Verdict::PrivateAddress | Verdict::Malformed) => Judgment::Never,
            Answer::NoRequest => Judgment::Never,
            Answer::NotReached(_) | Answer::NoTls | Answer::Broken | Answer::TimedOut => {
                Judgment::Later(None)
            }
        }
    }

    /// A stable word for it.
    pub(crate) fn code(&self) -> String {
        match self {
            Answer::Status(status, _) => format!("http_{status}"),
            Answer::NotReached(verdict) => verdict.as_str().to_owned(),
            Answer::NoTls => "tls_failed".to_owned(),
            Answer::Broken => "broken".to_owned(),
            Answer::TimedOut => "timeout".to_owned(),
            Answer::NoRequest => "invalid_url".to_owned(),
        }
    }
}

/// The value of `Retry-After` (RFC 9110, 10.2.3): seconds, or a date.
pub(crate) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn only_2xx_is_delivered_and_only_what_stays_is_never() {
        for status in [200, 201, 204, 299] {
            assert_eq!(Answer::Status(status, None).judge(), Judgment::Delivered);
        }
        for status in [301, 302, 307, 400, 401, 404, 408, 429, 500, 503] {
            assert_eq!(Answer::Status(status, None).judge(), Judgment::Later(None));
        }
        assert_eq!(Answer::Status(410, None).judge(), Judgment::Never);
        let internal = Answer::NotReached(Verdict::PrivateAddress);
        assert_eq!(
            (internal.judge(), &*internal.code()),
            (Judgment::Never, "private_address")
        );
        let unresolved = Answer::NotReached(Verdict::Unresolved);
        assert_eq!(unresolved.judge(), Judgment::Later(None));
    }

    #[test]
    fn a_receiver_says_when_in_either_form() {
        let now: Timestamp = "2030-01-31T12:00:00Z".parse().unwrap();
        let after = |value| retry_after(value, now).map(|after| after.as_secs());
        assert_eq!(after(" 120 "), Some(120));
        assert_eq!(after("Thu, 31 Jan 2030 12:01:00 GMT"), Some(60));
        assert_eq!(after("Thu, 31 Jan 2030 11:00:00 GMT"), Some(0));
        for nonsense in ["", "soon", "-1", "1.5", "99999999999999999999"] {
            assert_eq!(after(nonsense), None, "{nonsense}");
        }
    }
}
