//! What a tenant may submit, and where it goes.
use std::time::Duration;

use glovebox_scheduler::{Client, Limit, Setting, SubmitError, Submitted};
use glovebox_schemas::job::Job;
use glovebox_schemas::names::queue;
use glovebox_tests::{Redis, Services};

use super::common::{hello, next, runner_of};

/// Nothing of these tests is to be seen by runners of others.
fn services() -> (Services, Redis) {
    let redis = Redis::start().unwrap();
    let services = Services {
        amqp_url: Services::isolated_vhost().unwrap(),
        redis_url: redis.url().to_owned(),
    };
    (services, redis)
}

fn of(tenant: &str) -> Job {
    let mut job = hello();
    job.tenant = tenant.to_owned();
    job
}

fn limited(outcome: Result<Submitted, SubmitError>) -> (Limit, Duration) {
    match outcome {
        Err(SubmitError::Limited {
            limit, retry_after, ..
        }) => (limit, retry_after),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_job_of_a_tenant_goes_to_its_own_queue_which_is_made_for_it() {
    let (services, _redis) = services();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
    let client = Client::new(&services.amqp_url, &services.redis_url);
    let jobs = [of("acme"), of("acme"), of("Other.Tenant"), hello()];
    for job in &jobs {
        assert_eq!(client.submit(job).await.unwrap(), Submitted::Queued);
    }
    let routes = [
        "default.acme",
        "default.acme",
        "default.Other.Tenant",
        "default",
    ];
    for (job, route) in jobs.iter().zip(routes) {
        let message = next(&channel, &queue(route)).await.unwrap();
        assert_eq!(Job::parse(&message.delivery.data).unwrap().id, job.id);
        let headers = message.properties.headers().clone().unwrap_or_default();
        let mark = glovebox_schemas::names::FIRST_COPY_HEADER;
        assert!(headers.inner().contains_key(mark), "{route}");
    }

    // A queue that is gone though everybody believes that it is there.
    let gone = lapin::options::QueueDeleteOptions::default();
    let deleted = channel.queue_delete(queue("default.acme").into(), gone);
    deleted.await.unwrap();
    let again = of("acme");
    assert_eq!(client.submit(&again).await.unwrap(), Submitted::Queued);
    let message = next(&channel, &queue("default.acme")).await.unwrap();
    let headers = message.properties.headers().clone().unwrap_or_default();
    let mark = glovebox_schemas::names::FIRST_COPY_HEADER;
    assert!(
        headers.inner().contains_key(mark),
        "what came back was nowhere"
    );
}

#[tokio::test]
async fn a_lane_that_nobody_serves_is_none_for_tenants_either() {
    let (services, _redis) = services();
    let (_connection, _channel) = runner_of(&services.amqp_url).await;
    let client = Client::new(&services.amqp_url, &services.redis_url);
    let mut job = of("acme");
    job.lane = "nowhere".to_owned();
    for _ in 0..2 {
        let refused = client.submit(&job).await.unwrap_err();
        assert!(
            matches!(refused, SubmitError::NoSuchLane { .. }),
            "{refused}"
        );
    }
    assert_eq!(client.state(&job.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_rate_lets_a_burst_through_and_says_when_the_next_may_come() {
    let (services, _redis) = services();
    let (_connection, _channel) = runner_of(&services.amqp_url).await;
    let client = Client::new(&services.amqp_url, &services.redis_url);
    let limits = [(Setting::Rate, Some(0.5)), (Setting::Burst, Some(2.0))];
    client.set_limits("acme", &limits).await.unwrap();
    for _ in 0..2 {
        client.submit(&of("acme")).await.unwrap();
    }
    let job = of("acme");
    let (limit, retry_after) = limited(client.submit(&job).await);
    assert_eq!(limit, Limit::Rate);
    let soon = Duration::from_millis(500)..=Duration::from_secs(2);
    assert!(soon.contains(&retry_after), "{retry_after:?}");
    assert_eq!(client.state(&job.id).await.unwrap(), None);
    client.submit(&of("other")).await.unwrap();
    // Then, and not before.
    tokio::time::sleep(retry_after).await;
    assert_eq!(client.submit(&job).await.unwrap(), Submitted::Queued);
    limited(client.submit(&of("acme")).await);
}

#[tokio::test]
async fn no_more_wait_than_may_and_whoever_leaves_the_queue_makes_room() {
    let (services, _redis) = services();
    let (_connection, _channel) = runner_of(&services.amqp_url).await;
    let client = Client::new(&services.amqp_url, &services.redis_url);
    // Of all tenants that have no limit of their own.
    let limits = [(Setting::MaxQueued, Some(2.0))];
    client.set_limits("*", &limits).await.unwrap();
    let unlimited = [(Setting::MaxQueued, Some(0.0))];
    client.set_limits("free", &unlimited).await.unwrap();
    for _ in 0..3 {
        client.submit(&of("free")).await.unwrap();
    }
    let jobs = [of("acme"), of("acme"), of("acme")];
    client.submit(&jobs[0]).await.unwrap();
    client.submit(&jobs[1]).await.unwrap();
    let (limit, _) = limited(client.submit(&jobs[2]).await);
    assert_eq!(limit, Limit::Queued);
    // One that waits already may be sent again.
    assert_eq!(
        client.submit(&jobs[1]).await.unwrap(),
        Submitted::QueuedAgain
    );
    client.cancel(&jobs[0].id).await.unwrap();
    assert_eq!(client.submit(&jobs[2]).await.unwrap(), Submitted::Queued);
    limited(client.submit(&of("acme")).await);

    // What the broker did not take does not wait.
    let mut nowhere = of("lost");
    nowhere.lane = "nowhere".to_owned();
    for _ in 0..3 {
        nowhere.id = glovebox_schemas::job::JobId::new_v7();
        let refused = client.submit(&nowhere).await.unwrap_err();
        assert!(
            matches!(refused, SubmitError::NoSuchLane { .. }),
            "{refused}"
        );
    }
}
