//! Servers that fail amid a batch, and results that are gone.

use super::*;

#[tokio::test]
async fn lost_connections_to_redis_lose_nothing() {
    let redis = Redis::start().unwrap();
    let services = Services {
        amqp_url: Services::isolated_vhost().unwrap(),
        redis_url: redis.url().to_owned(),
    };
    let _runner = Answering::start(&services, 3).await;
    let folder = tempfile::tempdir().unwrap();
    let mut results = open(&folder, false);
    let path = folder.path().join("out");
    let operator = async {
        for done in [50, 100, 150, 200] {
            eventually("there is progress", async || {
                let text = std::fs::read(&path)?;
                Ok(text.iter().filter(|byte| **byte == b'\n').count() >= done)
            })
            .await
            .unwrap();
            let mut commands = connect_redis(redis.url()).await.unwrap();
            for kind in ["pubsub", "normal"] {
                let mut kill = redis::cmd("CLIENT");
                kill.arg(&["KILL", "TYPE", kind, "SKIPME", "yes"]);
                let () = kill.query_async(&mut commands).await.unwrap();
            }
        }
    };
    let text = Cursor::new(input(400));
    let never = never();
    let running = run(&services, text, &mut results, 16, &never);
    let (outcome, ()) = tokio::join!(running, operator);

    assert!(outcome.0.unwrap());
    results.close(true).unwrap();
    assert_eq!(codes(&written(&folder)), numbers(400));
}

#[tokio::test]
async fn a_server_that_is_away_at_first_or_a_lane_that_nobody_serves_ends_it() {
    let services = Services::isolated().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let away = Services {
        amqp_url: "amqp://127.0.0.1:1/%2f".to_owned(),
        redis_url: services.redis_url.clone(),
    };
    let mut results = open(&folder, false);
    let (outcome, _) = run(&away, Cursor::new(input(3)), &mut results, 10, &never()).await;
    let error = outcome.unwrap_err();
    assert!(
        matches!(
            &error,
            BatchError::Submit {
                line: 1,
                source: SubmitError::Client(_)
            }
        ),
        "{error:?}"
    );
    drop(results);

    let runner = Answering::start(&services, 1).await;
    let lost = "{\"language\": \"python\", \"code\": \"1\", \"lane\": \"nobody\"}\n";
    let text = [&line(0), lost, &line(2)].concat();
    let mut results = open(&folder, true);
    let (outcome, _) = run(&services, Cursor::new(text), &mut results, 100, &never()).await;
    let error = outcome.unwrap_err();
    assert!(
        matches!(
            &error,
            BatchError::Submit {
                line: 2,
                source: SubmitError::NoSuchLane { .. }
            }
        ),
        "{error:?}"
    );
    assert!(error.hint().contains("--lane nobody"), "{}", error.hint());
    // What was sent before has its result.
    drop(results);
    assert_eq!(codes(&written(&folder)), ["0"]);

    let mut results = open(&folder, true);
    let (outcome, _) = run(
        &services,
        Cursor::new(input(3)),
        &mut results,
        100,
        &never(),
    )
    .await;
    assert!(outcome.unwrap());
    results.close(true).unwrap();
    assert_eq!(codes(&written(&folder)), ["0", "1", "2"]);
    assert_eq!(runner.seen().len(), 3, "what was sent is found");
}

#[tokio::test]
async fn a_result_that_has_expired_does_not_stop_the_others() {
    let services = Services::isolated().unwrap();
    let _runner = Answering::start(&services, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let mut results = open(&folder, false);
    let (expired, done) = (JobId::new_v7(), JobId::new_v7());
    say(&services.redis_url, &expired, &["state", "done"]).await;
    let mut before = JobResult::new(done.clone(), Status::Failed, "r");
    before.stdout = "before".to_owned();
    store_result(&services.redis_url, &before).await;
    let of = |id| format!("{{\"id\": \"{id}\", \"language\": \"python\", \"code\": \"x\"}}\n");

    let text = format!("{}{}{}", of(expired), of(done), line(2));
    let (outcome, _) = run(&services, Cursor::new(text), &mut results, 10, &never()).await;

    assert!(outcome.unwrap());
    results.close(true).unwrap();
    let results = written(&folder);
    assert_eq!(codes(&results), ["", "before", "2"]);
    assert_eq!(results[0].status, Status::Error);
    assert_eq!(results[0].error.as_ref().unwrap().code, "result_lost");
}

#[tokio::test]
async fn what_nobody_will_ask_for_is_cancelled() {
    let services = Services::isolated().unwrap();
    let (_connection, channel) = runner_of(&services.amqp_url).await;
    let client = Arc::new(Client::new(&services.amqp_url, &services.redis_url));
    let batch = Batch::new(Arc::clone(&client), 8, |_| {});
    let mut results = Results::to(io::sink());
    let ids: Vec<_> = (0..8).map(|_| JobId::new_v7()).collect();
    let of = |id| format!("{{\"id\": \"{id}\", \"language\": \"python\", \"code\": \"x\"}}\n");
    let text: String = ids.iter().map(of).collect();
    let lines = read_ahead(Lines::new(Cursor::new(text), results.batch())).unwrap();
    let stop = never();
    let stopper = async {
        arrived(&channel, 8).await;
        stop.cancel();
    };
    let (outcome, ()) = tokio::join!(batch.run(lines, &mut results, &stop, |_| {}), stopper);

    assert!(!outcome.unwrap());
    assert!(!results.can_be_resumed());
    batch.cancel().await.unwrap();
    for id in &ids {
        let result = client.result(id).await.unwrap().unwrap();
        assert_eq!(result.status, Status::Cancelled);
    }
}
