//! A job that kills its runner, and dead letters that cannot be kept: everything ends, and everything is told.

use glovebox_broker::declare;
use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{
    ATTEMPTS_HEADER, DEAD, DEFAULT_LANE, MAX_ATTEMPTS, REASON_HEADER, queue,
};
use glovebox_schemas::result::{Attempt, Status};
use glovebox_tests::fleet::{eventually, gate, python};
use glovebox_tests::{Fleet, Rabbit, Services};
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueDeleteOptions, QueuePurgeOptions};
use lapin::types::AMQPValue;
use nix::sys::signal::Signal;

use crate::common::{brief, stored};

/// Waits for the next dead letter and takes it.
async fn dead_letter(fleet: &Fleet) -> Delivery {
    let mut letter = None;
    eventually("a dead letter arrives", async || {
        let options = BasicGetOptions { no_ack: true };
        let message = fleet.channel.basic_get(DEAD.into(), options).await?;
        letter = message.map(|message| message.delivery);
        Ok(letter.is_some())
    })
    .await
    .unwrap();
    letter.unwrap()
}

fn header(letter: &Delivery, name: &str) -> String {
    let headers = letter.properties.headers().as_ref().unwrap();
    match headers.inner().get(name) {
        Some(AMQPValue::LongString(text)) => text.to_string(),
        other => panic!("{name}: {other:?}"),
    }
}

#[tokio::test]
async fn a_job_that_kills_its_runners_ends_with_the_history_of_its_attempts() {
    let fleet = Fleet::new().await.unwrap();
    let bystander = fleet.runner(1).await.unwrap();
    let neighbour = gate();
    fleet.client.submit(&neighbour).await.unwrap();
    fleet.started(&neighbour.id, 1).await.unwrap();

    let job = gate();
    fleet.client.submit(&job).await.unwrap();
    let mut died = Vec::new();
    for attempt in 1..=MAX_ATTEMPTS {
        let mut runner = fleet.runner(1).await.unwrap();
        fleet
            .started(&job.id, usize::try_from(attempt).unwrap())
            .await
            .unwrap();
        runner.worker().unwrap().signal(Signal::SIGKILL).unwrap();
        runner.ended().await.unwrap();
        died.push((attempt, runner.name.clone()));
    }
    let last = fleet.runner(1).await.unwrap();
    let letter = dead_letter(&fleet).await;
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!(result.status, Status::Error, "{result:?}");
    let error = result.error.clone().unwrap();
    assert_eq!(error.code, "runner_killed");
    let attempts = result.earlier_attempts.iter();
    let told: Vec<_> = attempts
        .map(|one| (one.attempt, one.runner.clone()))
        .collect();
    assert_eq!(told, died);
    let ends: Vec<_> = result
        .earlier_attempts
        .iter()
        .map(|one| &*one.ended)
        .collect();
    assert_eq!(ends, ["runner_lost"; 4]);
    let starts: Vec<_> = result
        .earlier_attempts
        .iter()
        .map(|one| one.started_at)
        .collect();
    let pauses: Vec<_> = starts
        .windows(2)
        .map(|two| two[1].duration_since(two[0]))
        .collect();
    assert!(pauses.is_sorted(), "no backoff: {pauses:?}");

    assert!(letter.data == job.to_wire_json());
    assert_eq!(header(&letter, REASON_HEADER), error.code);
    let history: Vec<Attempt> = serde_json::from_str(&header(&letter, ATTEMPTS_HEADER)).unwrap();
    assert_eq!(history, result.earlier_attempts);

    bystander.release().unwrap();
    let other = fleet.result(&neighbour.id).await.unwrap();
    assert_eq!((other.status, other.attempt), (Status::Succeeded, 1));
    fleet.drained().await.unwrap();
    assert_eq!(fleet.starts(&job.id).await.unwrap(), 4);
    assert_eq!(stored(&fleet, &job).await, result);
    fleet.stop_settled(last).await.unwrap();
}

/// It dies with the other one when that first kills their runner, and yet it is not its doing.
#[tokio::test]
async fn a_job_beside_a_deadly_one_is_not_blamed() {
    let fleet = Fleet::new().await.unwrap();
    let deadly = gate();
    let mut beside = python("print('ready')\nimport time\ntime.sleep(1)");
    beside.stream = true;
    for job in [&deadly, &beside] {
        fleet.client.submit(job).await.unwrap();
    }
    for attempt in 1..=MAX_ATTEMPTS {
        let mut runner = fleet.runner(2).await.unwrap();
        let times = usize::try_from(attempt).unwrap();
        fleet.started(&deadly.id, times).await.unwrap();
        if attempt == 1 {
            fleet.started(&beside.id, times).await.unwrap();
        }
        runner.worker().unwrap().signal(Signal::SIGKILL).unwrap();
        runner.ended().await.unwrap();
    }
    let last = fleet.runner(2).await.unwrap();
    let result = fleet.result(&beside.id).await.unwrap();
    assert_eq!(result.status, Status::Succeeded, "{result:?}");
    assert!(dead_letter(&fleet).await.data == deadly.to_wire_json());
    fleet.drained().await.unwrap();
    fleet.stop_settled(last).await.unwrap();
}

/// A message that is no job, with an id to answer to.
async fn send_rubbish(fleet: &Fleet) -> (JobId, Vec<u8>) {
    let id = JobId::new_v7();
    let body = format!("{{ {id}").into_bytes();
    let lane = DEFAULT_LANE;
    fleet.publish(lane, &body, Some(id.as_str())).await.unwrap();
    let told = fleet.result(&id).await.unwrap();
    assert_eq!(told.status, Status::Rejected, "{told:?}");
    (id, body)
}

/// Nothing of it is lost, and it is still there to be seen, until it can be kept; others are served meanwhile.
async fn waits(fleet: &Fleet, body: Vec<u8>, mend: impl AsyncFnOnce()) {
    fleet.run(&brief()).await.unwrap();
    let jobs = queue(DEFAULT_LANE);
    assert_eq!(fleet.services.messages(&jobs).unwrap(), 1, "not visible");
    mend().await;
    assert_eq!(dead_letter(fleet).await.data, body);
    fleet.drained().await.unwrap();
}

/// Publishes dead letters until the broker takes no more: a limit is reached a little late.
async fn fill(fleet: &Fleet) {
    eventually("the dead letters are full", async || {
        let options = BasicPublishOptions::default();
        let sent = fleet.channel.basic_publish(
            DEAD.into(),
            "".into(),
            options,
            b"full",
            BasicProperties::default(),
        );
        Ok(!sent.await?.await?.is_ack())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_dead_letter_without_a_place_stays_with_the_jobs_until_it_has_one() {
    let rabbit = Rabbit::start().unwrap();
    // How often the broker itself tries; three minutes otherwise.
    let often = "application:set_env(rabbit, dead_letter_worker_publisher_confirm_timeout, 1000)";
    rabbit.erl(often).unwrap();
    let fleet = Fleet::on(Services {
        amqp_url: rabbit.vhost().unwrap(),
        redis_url: Services::shared_redis().unwrap(),
    })
    .await
    .unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let (_, kept) = send_rubbish(&fleet).await;
    assert_eq!(dead_letter(&fleet).await.data, kept);

    let delete = QueueDeleteOptions::default();
    fleet
        .channel
        .queue_delete(DEAD.into(), delete)
        .await
        .unwrap();
    let (_, body) = send_rubbish(&fleet).await;
    waits(&fleet, body, async || {
        declare(&fleet.channel, &[DEFAULT_LANE]).await.unwrap();
    })
    .await;

    let vhost = fleet.services.amqp_url.rsplit('/').next().unwrap();
    let policy = |call: &str| rabbit.erl(&format!("rabbit_policy:{call}")).unwrap();
    policy(&format!(
        "set(<<\"{vhost}\">>, <<\"small\">>, <<\"^glovebox.dead$\">>,
             [{{<<\"max-length\">>, 1}}, {{<<\"overflow\">>, <<\"reject-publish\">>}}],
             0, <<\"queues\">>, <<\"test\">>)"
    ));
    fill(&fleet).await;
    let (_, body) = send_rubbish(&fleet).await;
    waits(&fleet, body, async || {
        let purge = QueuePurgeOptions::default();
        fleet.channel.queue_purge(DEAD.into(), purge).await.unwrap();
    })
    .await;
    fleet.stop_settled(runner).await.unwrap();
}
