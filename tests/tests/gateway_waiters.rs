//! Thousands who wait: over one subscription, in little memory, and none is forgotten when Redis loses it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use futures_util::future::join_all;
use glovebox_broker::connect_redis;
use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{done_channel, result_key, state_key};
use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::fleet::{Fleet, eventually};
use glovebox_tests::gateway::Gateway;
use glovebox_tests::processes::Process;
use glovebox_tests::{Redis, Services};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

const WAITERS: usize = 2_000;
/// All that the gateway may have in memory with them, in KiB.
const MOST_KIB: u64 = 100 * 1024;

/// Ends a job, as a runner does; `heard` says whether the word is passed on.
async fn end(redis: &mut glovebox_broker::Redis, id: &JobId, heard: bool) {
    let result = JobResult::new(id.clone(), Status::Succeeded, "r");
    let mut commands = redis::pipe();
    commands.set(result_key(id), result.to_json()).ignore();
    commands.hset(state_key(id), "state", "done").ignore();
    if heard {
        commands.publish(done_channel(id), "done").ignore();
    }
    commands.exec_async(redis).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_wait_and_each_gets_its_result() {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: most,
            maximum: most,
        },
    )
    .unwrap();
    let redis = Redis::start().unwrap();
    let services = Services {
        amqp_url: Services::isolated_vhost().unwrap(),
        redis_url: redis.url().to_owned(),
    };
    let _fleet = Fleet::on(services.clone()).await.unwrap();
    let gateway = Gateway::before(&services, &[]);
    let process = Process(gateway.process.pid().as_raw_nonzero().get());
    let idle = process.memory_kib().unwrap();
    let ids: Vec<_> = (0..WAITERS).map(|_| JobId::new_v7()).collect();
    let waiting = join_all(ids.iter().map(|id| async {
        let job = json!({ "id": id.as_str(), "language": "python", "code": "" });
        gateway.http.post("/v1/jobs?wait=300s", &job).await.unwrap()
    }));
    let runner = async {
        let mut commands = connect_redis(redis.url()).await.unwrap();
        eventually("all of them listen", async || {
            let all: Vec<String> = redis::cmd("PUBSUB")
                .arg("CHANNELS")
                .arg("glovebox:done:*")
                .query_async(&mut commands)
                .await?;
            Ok(all.len() == WAITERS)
        })
        .await
        .unwrap();
        let kib = process.memory_kib().unwrap();
        let subscribed: u32 = {
            let clients: String = redis::cmd("CLIENT")
                .arg("LIST")
                .arg("TYPE")
                .arg("PUBSUB")
                .query_async(&mut commands)
                .await
                .unwrap();
            u32::try_from(clients.lines().count()).unwrap()
        };
        assert_eq!(subscribed, 1, "one connection for all");
        assert!(
            kib <= MOST_KIB,
            "{kib} KiB with {WAITERS} waiters, {idle} KiB without"
        );

        let (first, rest) = ids.split_at(WAITERS / 2);
        for id in first {
            end(&mut commands, id, true).await;
        }
        // Cut off, and what is said meanwhile is heard by nobody.
        let killed: u32 = redis::cmd("CLIENT")
            .arg(&["KILL", "TYPE", "pubsub"])
            .query_async(&mut commands)
            .await
            .unwrap();
        assert_eq!(killed, 1);
        for id in rest {
            end(&mut commands, id, false).await;
        }
    };
    let (answers, ()) = tokio::join!(waiting, runner);
    for (id, answer) in ids.iter().zip(answers) {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(&answer.json::<JobResult>().unwrap().id, id);
    }
    // One that comes late has it at once.
    let late = gateway
        .http
        .get(&format!("/v1/jobs/{}?wait=300s", ids[0]))
        .await
        .unwrap();
    assert_eq!(late.status, 200);
}
