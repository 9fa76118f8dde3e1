//! The runners of a fleet, as they say of themselves: `glovebox:runners`, who
//! was ever heard of, and `glovebox:runner:<name>`, a heartbeat that expires.
//!
//! A runner is lost if it did not stop in order and its heartbeat has expired.
//! Whether it is must never be told by comparing clocks: hosts' differ.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use glovebox_schemas::language::Language;
use glovebox_schemas::names::{RUNNERS_KEY, runner_key};
use jiff::Timestamp;
use redis::Script;

use crate::client::Client;
use crate::error::ClientError;
use crate::store::Doing;

/// How long a lost runner is shown, in milliseconds.
const SHOWN_MS: u64 = 24 * 60 * 60 * 1000;

/// Who was lost longer ago is forgotten here, since this list is all that it is remembered for.
static RUNNERS: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local time = redis.call('TIME')
local oldest = time[1] * 1000 - ARGV[2]
local names = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
local runners = {}
for at = 1, #names, 2 do
  local beat = redis.call('HGETALL', ARGV[1] .. names[at])
  if #beat == 0 and tonumber(names[at + 1]) < oldest then
    redis.call('ZREM', KEYS[1], names[at])
  else
    runners[#runners + 1] = { names[at], names[at + 1], beat }
  end
end
return runners
",
    )
});

/// A runner, as it was when it was last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerState {
    /// Its name.
    pub name: String,
    /// What it does.
    pub condition: Condition,
    /// Why it does not consume, in words, if it does not and says so.
    pub reason: Option<String>,
    /// Jobs that it can run at one time. This and what follows is not known of a lost one.
    pub slots: Option<u32>,
    /// Jobs that it runs now.
    pub busy: Option<u32>,
    /// Finished results that wait for Redis to take them.
    pub spooled: Option<u32>,
    /// Jobs that it has given an interpreter that was kept warm, and those of such languages that started cold.
    pub warm: Option<u64>,
    /// See `warm`.
    pub cold: Option<u64>,
    /// The release it is of.
    pub version: Option<String>,
    /// What it can run; empty if a release that does not say.
    pub languages: Vec<Language>,
    /// When it was last heard of, by its own clock, to the second or so.
    pub seen_at: Option<Timestamp>,
}

/// What a runner does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It takes jobs.
    Consuming,
    /// It has no connection to RabbitMQ just now.
    Connecting,
    /// It takes no jobs until its results have been stored.
    Paused,
    /// It can build no cells, and takes no jobs.
    Unhealthy,
    /// It was told to stop, and ends what it runs.
    Draining,
    /// It did not stop in order, and nothing is heard of it.
    Lost,
    /// A word of another release; empty if that says nothing.
    Other(String),
}

impl Condition {
    fn from_word(word: &str) -> Self {
        match word {
            "consuming" => Self::Consuming,
            "connecting" => Self::Connecting,
            "paused" => Self::Paused,
            "unhealthy" => Self::Unhealthy,
            "draining" => Self::Draining,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Consuming => "consuming",
            Self::Connecting => "connecting",
            Self::Paused => "paused",
            Self::Unhealthy => "unhealthy",
            Self::Draining => "draining",
            Self::Lost => "lost",
            Self::Other(word) => word,
        })
    }
}

/// Name, when it was heard of, and its heartbeat.
type Heard = (String, String, HashMap<String, String>);

impl Client {
    /// Every runner that works, by name, and those that were lost within a day.
    /// One that is killed counts as lost within ten seconds.
    ///
    /// # Errors
    ///
    /// When Redis fails.
    pub async fn runners(&self) -> Result<Vec<RunnerState>, ClientError> {
        let mut runners = RUNNERS.prepare_invoke();
        runners.key(RUNNERS_KEY).arg(runner_key("")).arg(SHOWN_MS);
        let doing = Doing::of_none("listing the runners");
        let heard: Vec<Heard> = self.store.run(doing, &runners).await?;
        let mut runners: Vec<_> = heard.into_iter().map(state).collect();
        runners.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(runners)
    }
}

/// A field that cannot be read counts as absent.
fn state((name, seen_ms, beat): Heard) -> RunnerState {
    let text = |field| beat.get(field).filter(|text: &&String| !text.is_empty());
    let count = |field| text(field)?.parse::<u64>().ok();
    let number = |field| u32::try_from(count(field)?).ok();
    let word = text("state").map_or("", String::as_str);
    RunnerState {
        name,
        condition: match beat.is_empty() {
            true => Condition::Lost,
            false => Condition::from_word(word),
        },
        reason: text("reason").cloned(),
        slots: number("slots"),
        busy: number("busy"),
        spooled: number("spooled"),
        warm: count("warm"),
        cold: count("cold"),
        version: text("version").cloned(),
        languages: text("languages")
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default(),
        seen_at: seen_ms
            .parse()
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok()),
    }
}
