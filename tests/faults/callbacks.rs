//! The broker takes no messages while jobs end whose ends are to be told: they wait, and nobody else does.

use glovebox_tests::fleet::{eventually, gate};
use glovebox_tests::{Fleet, Rabbit, Services};

use crate::common::{brief, calling_back, ordered};

#[tokio::test]
async fn an_alarm_holds_up_callbacks_and_no_other_job() {
    let rabbit = Rabbit::start().unwrap();
    let services = Services {
        amqp_url: rabbit.vhost().unwrap(),
        redis_url: Services::shared_redis().unwrap(),
    };
    let fleet = Fleet::on(services).await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let mut first = gate();
    first.callback = calling_back().callback;
    let behind = [calling_back(), brief(), calling_back(), brief()];
    fleet.client.submit(&first).await.unwrap();
    fleet.started(&first.id, 1).await.unwrap();
    for job in &behind {
        fleet.client.submit(job).await.unwrap();
    }
    rabbit.raise_alarm().unwrap();
    runner.release().unwrap();
    for job in [&first].into_iter().chain(&behind) {
        fleet.result(&job.id).await.unwrap();
    }
    assert_eq!(ordered(&fleet).await, []);

    rabbit.clear_alarm().unwrap();
    let (mut told, mut wanted) = (Vec::new(), vec![first.id.clone()]);
    let wishes = behind.iter().filter(|job| job.callback.is_some());
    wanted.extend(wishes.map(|job| job.id.clone()));
    eventually("all are ordered", async || {
        told.extend(ordered(&fleet).await);
        Ok(wanted.iter().all(|id| told.contains(id)))
    })
    .await
    .unwrap();
    fleet.stop_settled(runner).await.unwrap();
}
