//! What is wrong with a message is told to its sender and never stops the next one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_schemas::job::{Job, JobId, MAX_JOB_BYTES};
use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::Fleet;
use glovebox_tests::fleet::python;

/// What the runner must do with a bad message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is told so and the message is acknowledged.
    Acked,
    /// It is kept among the dead letters.
    Dead,
}

/// Publishes a bad message, sees what becomes of it, and that a good one behind it is served.
async fn publish(fleet: &Fleet, body: &[u8], message_id: Option<&str>, fate: Fate) {
    fleet.publish("default", body, message_id).await.unwrap();
    let good = python("print('served')");
    assert_eq!(fleet.run(&good).await.unwrap().stdout, "served\n");
    if fate == Fate::Dead {
        let dead = fleet.dead_letter().await.unwrap();
        assert!(dead == body, "another dead letter of {} bytes", dead.len());
    }
}

/// Its result, which must be there with this status, and the text of its error.
async fn told(fleet: &Fleet, id: &JobId, status: Status) -> String {
    let result = fleet.result(id).await.unwrap();
    assert_eq!(result.status, status, "{result:?}");
    assert_eq!(result.attempt, 1);
    assert!(result.times.finished_at.is_some());
    result.error.map_or(String::new(), |error| {
        format!("{}: {} {}", error.code, error.message, error.hint)
    })
}

#[tokio::test]
async fn what_is_not_json_is_kept_aside_and_told_where_it_has_an_id() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let id = JobId::new_v7();
    for body in [&b"{"[..], b"", b"\xff\xfe\0", b"[1, 2]", b"\"text\""] {
        publish(&fleet, body, None, Fate::Dead).await;
        // A slash would be in the key's name.
        publish(&fleet, body, Some("a/b"), Fate::Dead).await;
    }
    publish(
        &fleet,
        b"{\"language\": \"python\", ",
        Some(id.as_str()),
        Fate::Dead,
    )
    .await;

    let error = told(&fleet, &id, Status::Rejected).await;
    assert!(error.starts_with("invalid_json: "), "{error}");
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_field_that_is_not_known_is_named() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let id = JobId::new_v7();
    let body = format!("{{\"id\": \"{id}\", \"langauge\": \"python\", \"code\": \"\"}}");
    publish(&fleet, body.as_bytes(), None, Fate::Dead).await;

    let error = told(&fleet, &id, Status::Rejected).await;
    assert!(
        error.contains("langauge") && error.contains("\"language\""),
        "{error}"
    );
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn an_id_with_a_slash_is_no_id() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let body = br#"{"id": "../x", "language": "python", "code": ""}"#;
    publish(&fleet, body, Some("../x"), Fate::Dead).await;

    let sender = JobId::new_v7();
    publish(&fleet, body, Some(sender.as_str()), Fate::Dead).await;
    let error = told(&fleet, &sender, Status::Rejected).await;
    assert!(error.contains("id"), "{error}");
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_job_that_no_profile_allows_is_told_so_and_is_no_dead_letter() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let mut unknown = Job::new("klingon");
    unknown.code = Some("nuqneH".to_owned());
    unknown
        .metadata
        .insert("mine".to_owned(), "kept".to_owned());
    let mut greedy = python("");
    greedy.limits.memory_bytes = Some(1 << 50);
    for (job, expected) in [(&unknown, "klingon"), (&greedy, "limits.memory_bytes")] {
        publish(&fleet, &job.to_wire_json(), None, Fate::Acked).await;
        let error = told(&fleet, &job.id, Status::Rejected).await;
        assert!(error.contains(expected), "{error}");
    }
    let result = fleet.stored(&unknown.id).await.unwrap().unwrap();
    assert_eq!(
        JobResult::from_json(&result).unwrap().metadata,
        unknown.metadata
    );
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_job_that_expired_in_the_queue_is_not_run() {
    let fleet = Fleet::new().await.unwrap();
    let mut job = python("print('ready')");
    job.stream = true;
    job.expires_at = Some("2020-01-01T00:00:00Z".parse().unwrap());
    let body = job.to_wire_json();
    fleet
        .publish("default", &body, Some(job.id.as_str()))
        .await
        .unwrap();
    let runner = fleet.runner(1).await.unwrap();

    told(&fleet, &job.id, Status::Expired).await;
    assert_eq!(fleet.starts(&job.id).await.unwrap(), 0);
    assert_eq!(fleet.state(&job.id).await.unwrap()["state"], "done");
    fleet.run(&python("")).await.unwrap();
    fleet.stop_settled(runner).await.unwrap();
}

/// Far above what may be sent, and below what RabbitMQ takes (128 MiB).
#[tokio::test]
async fn a_message_that_is_far_too_large_costs_its_sender_alone() {
    const KIB: u64 = 1024;
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    fleet.run(&python("")).await.unwrap();
    let worker = runner.worker().unwrap();
    let before = worker.own_memory_kib().unwrap();
    for bytes in [MAX_JOB_BYTES + (1 << 20), 100 << 20] {
        let id = JobId::new_v7();
        publish(&fleet, &vec![b'x'; bytes], Some(id.as_str()), Fate::Dead).await;

        let error = told(&fleet, &id, Status::Rejected).await;
        assert!(error.starts_with("too_large: "), "{error}");
    }
    assert!(worker.is_alive());
    let after = worker.own_memory_kib().unwrap();
    assert!(
        after < before + 8 * KIB,
        "{before} KiB before, {after} KiB after"
    );
    fleet.stop_settled(runner).await.unwrap();
}
