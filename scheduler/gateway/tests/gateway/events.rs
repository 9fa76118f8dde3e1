//! Following a job.

use glovebox_schemas::job::JobId;
use glovebox_tests::http::Sent;
use serde_json::{Value, json};

use crate::common::{Gateway, hello, id, succeeded};

async fn take(gateway: &Gateway) -> (JobId, String) {
    let taken: Value = gateway
        .http
        .post("/v1/jobs", &hello())
        .await
        .unwrap()
        .json()
        .unwrap();
    let id = id(&taken);
    let path = format!("/v1/jobs/{id}/events");
    (id, path)
}

fn output(text: &str) -> Value {
    json!({ "stream": "stdout", "data": text, "encoding": "utf-8" })
}

#[tokio::test]
async fn states_and_output_come_as_they_happen_and_the_result_last() {
    let gateway = Gateway::start().await;
    let (id, path) = take(&gateway).await;
    let mut events = gateway.http.stream(&path).await.unwrap();
    assert_eq!(events.status, 200);
    let first = events.next().await.unwrap().unwrap();
    assert_eq!(
        (first.name.as_str(), &first.data["state"]),
        ("state", &json!("queued"))
    );
    gateway.begin(&id).await;
    let state = events.next().await.unwrap().unwrap();
    assert_eq!(
        (state.name.as_str(), &state.data["state"]),
        ("state", &json!("running"))
    );
    gateway.write(&id, "häl".as_bytes()).await;
    let one = events.next().await.unwrap().unwrap();
    assert_eq!((one.name.as_str(), &one.data), ("output", &output("häl")));
    gateway.write(&id, b"\xff").await;
    let two = events.next().await.unwrap().unwrap();
    assert_eq!(
        (&two.data["data"], &two.data["encoding"]),
        (&json!("/w=="), &json!("base64"))
    );
    gateway.write(&id, b"lo").await;
    gateway.end(&succeeded(&id)).await;
    let rest = events.rest().await.unwrap();
    let names: Vec<_> = rest.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["output", "result"]);
    assert_eq!(rest[1].data["stdout"], "hello\n");

    // Later it is the same, but for the states that are over.
    let all = gateway
        .http
        .stream(&path)
        .await
        .unwrap()
        .rest()
        .await
        .unwrap();
    let seen: Vec<Sent> = [vec![one.clone(), two], rest.clone()].concat();
    assert_eq!(all, seen);
    let resumed = gateway.http.with("last-event-id", &one.id);
    let resumed = resumed.stream(&path).await.unwrap().rest().await.unwrap();
    assert_eq!(resumed, seen[1..]);
    let over = gateway
        .http
        .with("last-event-id", &rest[1].id)
        .get(&path)
        .await
        .unwrap();
    assert_eq!(over.status, 204);
    let strange = gateway
        .http
        .with("last-event-id", "x")
        .stream(&path)
        .await
        .unwrap();
    assert_eq!({ strange }.rest().await.unwrap(), seen);
}

#[tokio::test]
async fn more_output_than_is_fetched_at_once_comes_whole_and_in_order() {
    let gateway = Gateway::start().await;
    let (id, path) = take(&gateway).await;
    for n in 0..600 {
        gateway.write(&id, n.to_string().as_bytes()).await;
    }
    gateway.end(&succeeded(&id)).await;
    let all = gateway
        .http
        .stream(&path)
        .await
        .unwrap()
        .rest()
        .await
        .unwrap();
    let (result, outputs) = all.split_last().unwrap();
    assert_eq!(result.name, "result");
    let said: Vec<_> = outputs
        .iter()
        .map(|one| one.data["data"].as_str().unwrap().to_owned())
        .collect();
    let expected: Vec<_> = (0..600).map(|n| n.to_string()).collect();
    assert_eq!(said, expected);
}

#[tokio::test]
async fn a_result_that_has_expired_is_told_as_a_problem() {
    let gateway = Gateway::start().await;
    let (id, path) = take(&gateway).await;
    let mut redis = gateway.fleet.redis.clone();
    let key = glovebox_schemas::names::state_key(&id);
    let () = redis::AsyncCommands::hset(&mut redis, key, "state", "done")
        .await
        .unwrap();
    let all = gateway
        .http
        .stream(&path)
        .await
        .unwrap()
        .rest()
        .await
        .unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(
        (all[0].name.as_str(), &all[0].data["status"]),
        ("problem", &json!(410))
    );
}

#[tokio::test]
async fn a_gateway_that_stops_ends_its_streams_and_its_waiters() {
    let gateway = Gateway::start().await;
    let (id, path) = take(&gateway).await;
    let mut events = gateway.http.stream(&path).await.unwrap();
    events.next().await.unwrap().unwrap();
    let waiter = format!("/v1/jobs/{id}?wait=60s");
    let waiting = gateway.http.get(&waiter);
    let stopping = async {
        glovebox_tests::fleet::eventually("it waits", async || {
            let metrics = gateway.http.get("/metrics").await?.text();
            Ok(metrics.contains("glovebox_gateway_waiters 2"))
        })
        .await
        .unwrap();
        gateway.stop.cancel();
    };
    let (waited, ()) = tokio::join!(waiting, stopping);
    let waited = waited.unwrap();
    assert_eq!(waited.status, 202);
    assert_eq!(waited.json::<Value>().unwrap()["state"], "queued");
    assert_eq!(events.rest().await.unwrap(), []);
}
