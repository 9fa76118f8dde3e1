//! Redis dies, is full, read-only, slow or flushed, or another one takes over: nothing is acknowledged before its
//! result is stored, nothing is announced that is not, and no result is lost.

use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use glovebox_broker::subscribe;
use glovebox_schemas::job::Job;
use glovebox_schemas::names::done_channel;
use glovebox_schemas::result::Status;
use glovebox_tests::fleet::{eventually, gate};
use glovebox_tests::relay::{Flow, Relay};
use glovebox_tests::{Fleet, MASTER, Redis, Runner, Sentinel, Services};
use redis::FromRedisValue as _;

use crate::common::{brief, stored};

/// A runner of one slot on this Redis, with a job that waits to be released.
async fn busy_on(redis: &Redis) -> (Fleet, Runner, Job) {
    let services = Services {
        amqp_url: Services::isolated_vhost().unwrap(),
        redis_url: redis.url().to_owned(),
    };
    let fleet = Fleet::on(services).await.unwrap();
    let runner = fleet.runner(1).await.unwrap();
    let job = gate();
    fleet.client.submit(&job).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    (fleet, runner, job)
}

/// A number that Redis counts.
fn counted(redis: &Redis, name: &str) -> u64 {
    let info = redis.ask(&["INFO", "everything"]).unwrap();
    let info = String::from_redis_value(info).unwrap();
    let count = info
        .lines()
        .find_map(|line| line.strip_prefix(name)?.split([',', '\r']).next());
    count.map_or(0, |count| count.parse().unwrap())
}

/// Redis refuses to write while a job ends, and takes its result when that is over. `sign` is what it counts each
/// time that it is tried.
async fn refuses(sign: &str, harm: &[&str], mend: &[&str]) {
    let redis = Redis::durable().unwrap();
    let (fleet, runner, job) = busy_on(&redis).await;
    let mut announced = subscribe(redis.url(), &done_channel(&job.id))
        .await
        .unwrap();
    let mut announced = announced.on_message();
    redis.ask(harm).unwrap();
    runner.release().unwrap();
    let warden = runner.warden().unwrap();
    eventually("its cell is gone", async || Ok(warden.leaves()?.is_empty()))
        .await
        .unwrap();
    let before = counted(&redis, sign);
    eventually("its result is refused", async || {
        Ok(counted(&redis, sign) >= before + 3)
    })
    .await
    .unwrap();
    assert_eq!(fleet.stored(&job.id).await.unwrap(), None);
    assert!(announced.next().now_or_never().is_none(), "too early");

    redis.ask(mend).unwrap();
    assert!(announced.next().await.is_some());
    let result = stored(&fleet, &job).await;
    assert_eq!((result.status, result.attempt), (Status::Succeeded, 1));
    assert_eq!(result.stdout, "ready\nreleased\n");
    fleet.run(&brief()).await.unwrap();
    fleet.stop_settled(runner).await.unwrap();
    assert_eq!(fleet.starts(&job.id).await.unwrap(), 1);
    assert!(announced.next().now_or_never().is_none(), "twice");
}

#[tokio::test]
async fn a_full_redis_is_waited_for() {
    let limit = |bytes| ["CONFIG", "SET", "maxmemory", bytes];
    refuses("errorstat_OOM:count=", &limit("1"), &limit("0")).await;
}

#[tokio::test]
async fn a_redis_that_became_read_only_is_waited_for() {
    // Nobody is there: it keeps what it has.
    let of_nobody = ["REPLICAOF", "127.0.0.1", "1"];
    let mend = ["REPLICAOF", "NO", "ONE"];
    // A new connection is not used before its role is known.
    refuses("cmdstat_role:calls=", &of_nobody, &mend).await;
}

#[tokio::test]
async fn a_flushed_redis_costs_no_job_that_is_there() {
    let redis = Redis::start().unwrap();
    let (fleet, runner, job) = busy_on(&redis).await;
    let behind = [brief(), brief()];
    for job in &behind {
        fleet.client.submit(job).await.unwrap();
    }
    redis.ask(&["FLUSHALL"]).unwrap();
    runner.release().unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!((result.status, result.attempt), (Status::Succeeded, 1));
    for job in &behind {
        let result = fleet.result(&job.id).await.unwrap();
        assert_eq!((result.status, result.attempt), (Status::Succeeded, 1));
    }
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn a_slow_redis_is_waited_for_on_the_connection_that_stands() {
    let direct = Fleet::new().await.unwrap();
    let relay = Relay::start(&direct.services.redis_url).unwrap();
    let services = Services {
        redis_url: relay.url().to_owned(),
        ..direct.services.clone()
    };
    let fleet = Fleet::on(services).await.unwrap();
    let runner = fleet.runner(4).await.unwrap();
    direct.run(&brief()).await.unwrap();
    let made = relay.made();
    relay.both(Flow::Delay(Duration::from_secs(1)));
    let jobs = [brief(), brief(), brief(), brief()];
    for job in &jobs {
        direct.client.submit(job).await.unwrap();
    }
    for job in &jobs {
        assert_eq!(direct.result(&job.id).await.unwrap().attempt, 1);
    }
    assert_eq!(relay.made(), made);
    relay.mend();
    direct.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn what_was_stored_outlives_redis_and_is_recognised() {
    let redis = Redis::durable().unwrap();
    let (fleet, runner, job) = busy_on(&redis).await;
    runner.release().unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    redis.kill().unwrap();
    redis.restart().unwrap();
    let after = Fleet::on(fleet.services.clone()).await.unwrap();
    let body = job.to_wire_json();
    after.publish("default", &body, None).await.unwrap();
    after.run(&brief()).await.unwrap();
    after.stop_settled(runner).await.unwrap();
    assert_eq!(after.starts(&job.id).await.unwrap(), 1);
    assert_eq!(stored(&after, &job).await, result);
}

/// The replica has not heard of the result when the master dies: it was never acknowledged.
#[tokio::test]
async fn a_failover_loses_no_result() {
    let servers = Sentinel::start().unwrap();
    let amqp_url = Services::isolated_vhost().unwrap();
    let on = |redis: &Redis| Services {
        amqp_url: amqp_url.clone(),
        redis_url: redis.url().to_owned(),
    };
    let fleet = Fleet::on(on(&servers.first)).await.unwrap();
    let services = Services {
        redis_url: format!("redis+sentinel://{}/{MASTER}", servers.place()),
        ..on(&servers.first)
    };
    let arguments = ["--slots", "1", "--replicas", "1"];
    let runner = Runner::spawn(&services, &arguments).unwrap();
    runner.says("consuming").await.unwrap();
    let job = gate();
    fleet.client.submit(&job).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    servers.first.ask(&["WAIT", "1", "0"]).unwrap();

    // It hears no more from the master. The Sentinel mends that, but not before eight seconds.
    servers
        .second
        .ask(&["REPLICAOF", "127.0.0.1", "1"])
        .unwrap();
    runner.release().unwrap();
    fleet.result(&job.id).await.unwrap();
    servers.first.kill().unwrap();
    servers.await_master(&servers.second).unwrap();
    // The new master has no replica yet, and that is what its results wait for.
    servers.first.restart().unwrap();
    let port = servers.second.port().to_string();
    servers
        .first
        .ask(&["REPLICAOF", "127.0.0.1", &port])
        .unwrap();

    let after = Fleet::on(on(&servers.second)).await.unwrap();
    let result = after.result(&job.id).await.unwrap();
    assert_eq!((result.status, result.attempt), (Status::Succeeded, 1));
    after.run(&brief()).await.unwrap();
    after.stop_settled(runner).await.unwrap();
}
