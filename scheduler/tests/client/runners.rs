//! Who works, who does not and why, and who was lost.

use glovebox_broker::connect_redis;
use glovebox_scheduler::{Client, Condition, RunnerState};
use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{RUNNERS_KEY, runner_key};
use glovebox_tests::Services;
use glovebox_tests::fleet::eventually;
use jiff::Timestamp;

use crate::common::NO_RABBITMQ;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// What a runner writes with each beat, so long ago. An empty beat has expired.
async fn beat(redis_url: &str, name: &str, ago_ms: i64, fields: &[&str]) {
    let mut redis = connect_redis(redis_url).await.unwrap();
    let mut commands = redis::pipe();
    let seen_ms = Timestamp::now().as_millisecond() - ago_ms;
    commands.zadd(RUNNERS_KEY, name, seen_ms).ignore();
    if !fields.is_empty() {
        let key = runner_key(name);
        commands.cmd("HSET").arg(&key).arg(fields).ignore();
        commands.expire(&key, 60).ignore();
    }
    let () = commands.query_async(&mut redis).await.unwrap();
}

/// The runner of this name, if it is listed.
async fn listed(client: &Client, name: &str) -> Option<RunnerState> {
    let runners = client.runners().await.unwrap();
    runners.into_iter().find(|runner| runner.name == name)
}

fn a_name() -> String {
    format!("runner-{}", JobId::new_v7())
}

#[tokio::test]
async fn a_runner_says_what_it_does_until_it_is_not_heard_of_any_more() {
    let redis_url = Services::shared_redis().unwrap();
    let client = Client::new(NO_RABBITMQ, &redis_url);
    let name = a_name();
    assert_eq!(listed(&client, &name).await, None);
    let fields = [
        ["state", "paused"],
        ["reason", "the spool is full"],
        ["slots", "4"],
        ["busy", "3"],
        ["spooled", "200"],
        ["version", "1.2.3"],
    ];
    beat(&redis_url, &name, 0, &fields.concat()).await;

    let runner = listed(&client, &name).await.unwrap();
    assert_eq!(runner.condition, Condition::Paused);
    assert_eq!(runner.reason.as_deref(), Some("the spool is full"));
    assert_eq!(
        (runner.slots, runner.busy, runner.spooled),
        (Some(4), Some(3), Some(200))
    );
    assert_eq!(runner.version.as_deref(), Some("1.2.3"));

    let mut redis = connect_redis(&redis_url).await.unwrap();
    let mut expire = redis::cmd("PEXPIRE");
    let expire = expire.arg(runner_key(&name)).arg(1);
    let () = expire.query_async(&mut redis).await.unwrap();
    let mut lost = None;
    eventually("it is lost", async || {
        lost = listed(&client, &name).await;
        let condition = lost.as_ref().map(|runner| &runner.condition);
        Ok(condition == Some(&Condition::Lost))
    })
    .await
    .unwrap();
    let lost = lost.unwrap();
    assert_eq!(lost.seen_at, runner.seen_at);
    assert_eq!((lost.slots, lost.version), (None, None));
}

#[tokio::test]
async fn a_lost_runner_is_shown_for_a_day_and_a_living_one_by_any_clock() {
    let redis_url = Services::shared_redis().unwrap();
    let client = Client::new(NO_RABBITMQ, &redis_url);
    let (recent, old, slow, fast) = (a_name(), a_name(), a_name(), a_name());
    beat(&redis_url, &recent, 23 * HOUR_MS, &[]).await;
    beat(&redis_url, &old, 25 * HOUR_MS, &[]).await;
    let lives = ["state", "consuming"];
    beat(&redis_url, &slow, 25 * HOUR_MS, &lives).await;
    beat(&redis_url, &fast, -25 * HOUR_MS, &lives).await;

    for (name, condition) in [
        (&slow, Some(Condition::Consuming)),
        (&fast, Some(Condition::Consuming)),
        (&recent, Some(Condition::Lost)),
        (&old, None),
    ] {
        let runner = listed(&client, name).await;
        assert_eq!(runner.map(|runner| runner.condition), condition, "{name}");
    }
    let mut redis = connect_redis(&redis_url).await.unwrap();
    let mut score = redis::cmd("ZSCORE");
    let score = score.arg(RUNNERS_KEY).arg(&old);
    let kept: Option<f64> = score.query_async(&mut redis).await.unwrap();
    assert_eq!(kept, None, "it is forgotten");
}
