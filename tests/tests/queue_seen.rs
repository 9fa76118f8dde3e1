//! What the command says of a job without a result: how far it is, or why there will be none; and of runners.
//!
//! What a runner would write is written here, so that nothing has to happen at the right moment.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{RUNNERS_KEY, runner_key, state_key};
use glovebox_tests::fleet::{glovebox, python};
use glovebox_tests::{Fleet, Services};

/// Sets fields of a hash in Redis.
async fn write(fleet: &Fleet, key: &str, fields: &[&str]) {
    let mut redis = fleet.redis.clone();
    let mut set = redis::cmd("HSET");
    let set = set.arg(key).arg(fields);
    let () = set.query_async(&mut redis).await.unwrap();
}

/// What this command says on stderr of a job without a result. The exit code must be 3.
async fn said(fleet: &Fleet, arguments: &[&str]) -> String {
    let said = fleet.glovebox(arguments).await.unwrap();
    assert_eq!((said.code, &*said.stdout), (Some(3), ""), "{said:?}");
    said.stderr
}

#[tokio::test]
async fn a_job_without_a_result_is_said_to_be_where_it_is() {
    let fleet = Fleet::new().await.unwrap();
    let living = JobId::new_v7().to_string();
    write(
        &fleet,
        &runner_key(&living),
        &["seen_at", "now", "instance", "1"],
    )
    .await;
    let running = |runner, instance| {
        let since = ["since", "1750000000123", "state", "running", "attempt", "2"];
        [&since[..], &["runner", runner, "instance", instance]].concat()
    };
    let cases = [
        (vec![], "nothing is known of this id".to_owned()),
        (
            vec!["state", "queued", "enqueued_at", "1750000000123"],
            "queued since 2025-06-15 15:06:40 UTC".to_owned(),
        ),
        (
            running(&living, "1"),
            format!("running on {living} since 2025-06-15 15:06:40 UTC (attempt 2)"),
        ),
        (
            running(&living, "2"),
            format!("was running on {living}, which is lost; it will be delivered again"),
        ),
        (
            running("gone", "1"),
            "was running on gone, which is lost; it will be delivered again".to_owned(),
        ),
    ];
    for (fields, expected) in cases {
        let id = JobId::new_v7();
        if !fields.is_empty() {
            write(&fleet, &state_key(&id), &fields).await;
        }
        let result = said(&fleet, &["result", id.as_str()]).await;
        assert_eq!(result, format!("glovebox: no result of {id}: {expected}\n"));
    }
    let id = JobId::new_v7();
    write(&fleet, &state_key(&id), &running(&living, "1")).await;
    let waited = said(&fleet, &["wait", id.as_str(), "--timeout", "1"]).await;
    let expected = format!("no result of {id} within 1 s: running on {living} since");
    assert!(waited.contains(&expected), "{waited}");
}

#[tokio::test]
async fn a_result_that_has_expired_is_not_unknown() {
    let fleet = Fleet::new().await.unwrap();
    let id = JobId::new_v7();
    write(&fleet, &state_key(&id), &["state", "done"]).await;

    for command in ["result", "wait"] {
        let said = said(&fleet, &[command, id.as_str()]).await;
        let expected = format!("the result of job {id} has expired");
        assert!(said.contains(&expected), "{command}: {said}");
        assert!(said.contains("under another id"), "{command}: {said}");
    }
}

#[tokio::test]
async fn the_runners_are_listed_without_rabbitmq() {
    let fleet = Fleet::new().await.unwrap();
    let (living, lost) = (JobId::new_v7().to_string(), JobId::new_v7().to_string());
    let now_ms = std::time::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_millis()
        .to_string();
    let mut redis = fleet.redis.clone();
    let mut add = redis::cmd("ZADD");
    let add = add
        .arg(RUNNERS_KEY)
        .arg(&[&now_ms, &living, &now_ms, &lost]);
    let () = add.query_async(&mut redis).await.unwrap();
    let counts = [
        "slots", "4", "busy", "3", "spooled", "0", "warm", "7", "cold", "2",
    ];
    let beat = [&["state", "unhealthy", "reason", "no cgroup"], &counts[..]].concat();
    write(&fleet, &runner_key(&living), &beat).await;
    let nowhere = Services {
        amqp_url: "amqp://127.0.0.1:1/%2f".to_owned(),
        redis_url: fleet.services.redis_url.clone(),
    };

    let table = glovebox(&nowhere, &["runners"]).await.unwrap();
    let list = glovebox(&nowhere, &["runners", "--json"]).await.unwrap();

    assert_eq!(
        (table.code, list.code),
        (Some(0), Some(0)),
        "{table:?} {list:?}"
    );
    let line = |name: &str| {
        table
            .stdout
            .lines()
            .find(|line| line.contains(name))
            .unwrap()
    };
    for word in ["unhealthy", "no cgroup", "3 of 4"] {
        assert!(line(&living).contains(word), "{}", line(&living));
    }
    assert!(line(&lost).contains("lost"), "{}", line(&lost));
    let list: Vec<serde_json::Value> = serde_json::from_str(&list.stdout).unwrap();
    let one = |name: &str| list.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(one(&living)["state"], "unhealthy");
    assert_eq!(one(&living)["busy"], 3);
    assert_eq!(
        (&one(&living)["warm"], &one(&living)["cold"]),
        (&7.into(), &2.into())
    );
    assert_eq!(one(&lost)["state"], "lost");
}

#[tokio::test]
async fn without_rabbitmq_a_running_job_is_marked_and_its_owner_is_told() {
    let fleet = Fleet::new().await.unwrap();
    let job = python("");
    write(&fleet, &state_key(&job.id), &["state", "running"]).await;
    let nowhere = Services {
        amqp_url: "amqp://guest:s3cret@127.0.0.1:1/%2f".to_owned(),
        redis_url: fleet.services.redis_url.clone(),
    };

    let said = glovebox(&nowhere, &["cancel", job.id.as_str()])
        .await
        .unwrap();

    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(said.stdout, "cancelled; it was running\n");
    assert!(said.stderr.contains("could not be told"), "{said:?}");
    assert!(!said.stderr.contains("s3cret"), "{said:?}");
    assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
}
