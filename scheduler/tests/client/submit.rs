//! Submitting to a real RabbitMQ and a real Redis.

use crate::common::{full_lane, hello, is_first_copy, next, runner_of, say, store_result};
use std::time::Duration;

use glovebox_scheduler::{Client, Phase, SubmitError, Submitted};
use glovebox_schemas::job::Job;
use glovebox_schemas::names::{ENQUEUED_AT_HEADER, queue};
use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::Services;
use lapin::types::AMQPValue;

#[tokio::test]
async fn a_job_arrives_as_it_was_sent() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
    let client = Client::new(&services.amqp_url, &services.redis_url);
    let job = hello();
    assert_eq!(client.state(&job.id).await.unwrap(), None);

    assert_eq!(client.submit(&job).await.unwrap(), Submitted::Queued);

    assert_eq!(
        client.state(&job.id).await.unwrap().unwrap().phase,
        Phase::Queued
    );
    let message = next(&channel, &queue("default")).await.unwrap();
    assert_eq!(Job::parse(&message.data).unwrap(), job);
    let properties = &message.properties;
    assert_eq!(
        properties.message_id().as_ref().unwrap().as_str(),
        job.id.as_str()
    );
    assert_eq!(
        properties.content_type().as_ref().unwrap().as_str(),
        "application/json"
    );
    assert_eq!(*properties.delivery_mode(), Some(2));
    let headers = properties.headers().as_ref().unwrap();
    let Some(AMQPValue::LongLongInt(sent_ms)) = headers.inner().get(ENQUEUED_AT_HEADER) else {
        panic!("no time of submission in {headers:?}");
    };
    let seconds = properties.timestamp().unwrap();
    assert_eq!(u64::try_from(*sent_ms / 1000).unwrap(), seconds);
}

#[tokio::test]
async fn a_lane_nobody_serves_is_an_error_even_among_jobs_that_arrive() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
    let client = Client::new(&services.amqp_url, &services.redis_url);

    let submissions = (0..60).map(|number| {
        let mut job = hello();
        if number % 3 == 0 {
            job.lane = "nobody".to_owned();
        }
        let client = &client;
        async move {
            let outcome = client.submit(&job).await;
            (job, outcome)
        }
    });
    for (job, outcome) in futures_util::future::join_all(submissions).await {
        if job.lane == "nobody" {
            let error = outcome.unwrap_err();
            assert!(matches!(error, SubmitError::NoSuchLane { .. }), "{error:?}");
            assert!(error.hint().contains("glovebox runner --lane nobody"));
            assert_eq!(client.state(&job.id).await.unwrap(), None);
        } else {
            assert_eq!(outcome.unwrap(), Submitted::Queued);
        }
    }
    let mut arrived = 0;
    while next(&channel, &queue("default")).await.is_some() {
        arrived += 1;
    }
    assert_eq!(arrived, 40);
}

#[tokio::test]
async fn a_full_queue_is_an_error_and_leaves_no_state() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
    full_lane(&channel).await;
    let client = Client::new(&services.amqp_url, &services.redis_url);
    let mut job = hello();
    job.lane = "full".to_owned();

    let error = client.submit(&job).await.unwrap_err();

    assert!(matches!(error, SubmitError::QueueFull { .. }), "{error:?}");
    assert_eq!(client.state(&job.id).await.unwrap(), None);
    // That it was refused is known; that nobody has stored it is not.
    job.lane = "default".to_owned();
    assert_eq!(client.submit(&job).await.unwrap(), Submitted::QueuedAgain);
    assert_eq!(is_first_copy(&channel).await, Some(false));
    assert_eq!(
        client.state(&job.id).await.unwrap().unwrap().phase,
        Phase::Queued
    );
}

#[tokio::test]
async fn a_job_that_is_done_is_not_sent_again() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
    let client = Client::new(&services.amqp_url, &services.redis_url);
    let job = hello();
    let result = JobResult::new(job.id.clone(), Status::Succeeded, "r");
    store_result(&services.redis_url, &result).await;

    assert_eq!(client.submit(&job).await.unwrap(), Submitted::AlreadyDone);
    assert!(next(&channel, &queue("default")).await.is_none());
}

#[tokio::test]
async fn a_job_whose_result_has_expired_is_not_sent_again() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
    let client = Client::new(&services.amqp_url, &services.redis_url);
    let job = hello();
    say(&services.redis_url, &job.id, &["state", "done"]).await;

    assert_eq!(client.submit(&job).await.unwrap(), Submitted::AlreadyDone);
    assert!(next(&channel, &queue("default")).await.is_none());
}

#[tokio::test]
async fn the_first_copy_alone_is_marked_as_such() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
    let client = Client::new(&services.amqp_url, &services.redis_url);
    let job = hello();

    assert_eq!(client.submit(&job).await.unwrap(), Submitted::Queued);
    assert_eq!(client.submit(&job).await.unwrap(), Submitted::QueuedAgain);
    assert_eq!(is_first_copy(&channel).await, Some(true));
    assert_eq!(is_first_copy(&channel).await, Some(false));
}

#[tokio::test]
async fn of_one_id_sent_by_many_at_once_one_copy_is_the_first() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
    let job = hello();
    let clients: Vec<_> = (0..4)
        .map(|_| Client::new(&services.amqp_url, &services.redis_url))
        .collect();

    let sent = clients
        .iter()
        .cycle()
        .take(20)
        .map(|client| client.submit(&job));
    for outcome in futures_util::future::join_all(sent).await {
        outcome.unwrap();
    }

    let mut firsts = Vec::new();
    while let Some(is_first) = is_first_copy(&channel).await {
        firsts.push(is_first);
    }
    assert_eq!(firsts.len(), 20);
    assert_eq!(firsts.iter().filter(|first| **first).count(), 1);
}

#[tokio::test]
async fn a_job_that_others_know_is_no_first_copy() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
    let client = Client::new(&services.amqp_url, &services.redis_url);
    // A foreign client sent it and a runner began it; or it was cancelled ahead.
    let (running, cancelled) = (hello(), hello());
    say(&services.redis_url, &running.id, &["state", "running"]).await;
    client.cancel(&cancelled.id).await.unwrap();

    for job in [&running, &cancelled] {
        assert_eq!(client.submit(job).await.unwrap(), Submitted::QueuedAgain);
        assert_eq!(is_first_copy(&channel).await, Some(false));
    }
    let state = client.state(&running.id).await.unwrap().unwrap();
    assert_eq!(state.phase, Phase::Running);
}

#[tokio::test]
async fn a_wrong_job_is_refused_before_anything_is_connected() {
    let client = Client::new("amqp://127.0.0.1:1/%2f", "redis://127.0.0.1:1/0");
    let mut job = hello();
    job.code = None;

    let error = client.submit(&job).await.unwrap_err();

    assert!(matches!(error, SubmitError::Rejected(_)), "{error:?}");
}

/// Whatever a client does can be done in a task of its own.
#[test]
fn futures_of_the_client_can_be_spawned() {
    fn sent<F: Future + Send>(_: F) {}
    let (client, job) = (Client::new("", ""), hello());
    sent(client.submit(&job));
    sent(client.submit_all([&job]));
    sent(client.state(&job.id));
    sent(client.result(&job.id));
    sent(client.cancel(&job.id));
    sent(client.runners());
    sent(client.wait(&job.id, Duration::from_secs(1)));
}
