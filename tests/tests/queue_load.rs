//! Many jobs at once: each has one result, and the runner is no larger afterwards.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;

use futures_util::stream::{self, StreamExt as _};
use glovebox_schemas::job::Job;
use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::Fleet;
use glovebox_tests::fleet::{eventually, python};

const KIB: u64 = 1024;

/// Sends so many jobs and waits for all of their results.
async fn send(fleet: &Fleet, count: usize) {
    let jobs: HashMap<String, Job> = (0..count)
        .map(|number| python(&format!("print({number})")))
        .map(|job| (job.id.to_string(), job))
        .collect();
    stream::iter(jobs.values())
        .for_each_concurrent(64, async |job| {
            fleet.client.submit(job).await.unwrap();
        })
        .await;
    let keys: Vec<_> = jobs
        .keys()
        .map(|id| format!("glovebox:result:{id}"))
        .collect();
    let mut redis = fleet.redis.clone();
    let mut most = 0;
    // As long as there is progress, the machine is merely busy.
    while most < count {
        eventually("another result arrives", async || {
            let mut exists = redis::cmd("EXISTS");
            let there: usize = exists.arg(&keys).query_async(&mut redis).await?;
            let more = there > most;
            most = there;
            Ok(more)
        })
        .await
        .unwrap();
    }
    let mut get = redis::cmd("MGET");
    let stored: Vec<Vec<u8>> = get.arg(&keys).query_async(&mut redis).await.unwrap();
    for document in stored {
        let result = JobResult::from_json(&document).unwrap();
        assert_eq!((result.status, result.attempt), (Status::Succeeded, 1));
        let code = jobs[result.id.as_str()].code.clone().unwrap();
        assert_eq!(code, format!("print({})", result.stdout.trim_end()));
    }
}

#[tokio::test]
async fn a_thousand_jobs_have_a_thousand_results() {
    let fleet = Fleet::new().await.unwrap();
    let runner = fleet.runner(4).await.unwrap();
    send(&fleet, 200).await;
    let before = runner.own_memory_kib().unwrap();
    send(&fleet, 1000).await;
    let after = runner.own_memory_kib().unwrap();
    assert!(
        after < before + 2 * KIB,
        "{before} KiB before, {after} KiB after"
    );
    assert_eq!(runner.warden().unwrap().leaves().unwrap(), []);
    fleet.stop_settled(runner).await.unwrap();
}
