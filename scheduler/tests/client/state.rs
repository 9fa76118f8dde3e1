//! How far a job is, and whether its runner is lost.

use futures_util::future::join_all;
use glovebox_broker::connect_redis;
use glovebox_scheduler::{Client, Phase};
use glovebox_schemas::names::runner_key;
use glovebox_tests::Services;
use glovebox_tests::fleet::eventually;
use glovebox_tests::relay::{Door, Relay};

use crate::common::{NO_RABBITMQ, hello, say};

#[tokio::test]
async fn a_running_job_says_where_since_when_and_for_the_how_manyth_time() {
    let redis_url = Services::shared_redis().unwrap();
    let client = Client::new(NO_RABBITMQ, &redis_url);
    let job = hello();
    let fields = [
        ["state", "running"],
        ["attempt", "2"],
        ["runner", "nobody"],
        ["since", "1750000000123"],
        ["enqueued_at", "1740000000000"],
    ];
    say(&redis_url, &job.id, &fields.concat()).await;

    let state = client.state(&job.id).await.unwrap().unwrap();

    assert_eq!(state.phase, Phase::Running);
    assert_eq!(
        (state.attempt, state.runner.as_deref()),
        (Some(2), Some("nobody"))
    );
    assert_eq!(state.since.unwrap().to_string(), "2025-06-15T15:06:40.123Z");
}

#[tokio::test]
async fn a_job_whose_runner_is_gone_or_another_process_is_lost() {
    let redis_url = Services::shared_redis().unwrap();
    let client = Client::new(NO_RABBITMQ, &redis_url);
    let mut redis = connect_redis(&redis_url).await.unwrap();
    // The instance that began the job, the one that is heard of, and whether the job is lost.
    for (began, heard, is_lost) in [
        ("a", Some("a"), false),
        ("a", Some("b"), true),
        ("a", None, true),
        // Written by an older release.
        ("", Some("b"), false),
        ("", None, true),
    ] {
        let job = hello();
        let runner = job.id.as_str();
        let mut fields = vec!["state", "running", "runner", runner];
        if !began.is_empty() {
            fields.extend(["instance", began]);
        }
        say(&redis_url, &job.id, &fields).await;
        if let Some(instance) = heard {
            let () = redis::cmd("HSET")
                .arg(runner_key(runner))
                .arg(&["seen_at", "now", "instance", instance])
                .query_async(&mut redis)
                .await
                .unwrap();
        }

        let state = client.state(&job.id).await.unwrap().unwrap();
        assert_eq!(
            state.is_lost, is_lost,
            "{began:?} began it, {heard:?} is heard of"
        );
    }
}

#[tokio::test]
async fn whoever_asks_while_redis_is_away_shares_one_attempt_to_reach_it() {
    let relay = Relay::start(&Services::shared_redis().unwrap()).unwrap();
    let client = Client::new(NO_RABBITMQ, relay.url());
    let id = hello().id;

    relay.door(Door::Shut);
    for outcome in join_all((0..50).map(|_| client.state(&id))).await {
        assert!(outcome.unwrap_err().is_temporary());
    }
    // The attempt, and perhaps the question whether it is TLS that is wanted there.
    assert!((1..=2).contains(&relay.made()), "{}", relay.made());

    relay.mend();
    eventually("Redis is asked again", async || {
        Ok(client.state(&id).await.is_ok())
    })
    .await
    .unwrap();
}
