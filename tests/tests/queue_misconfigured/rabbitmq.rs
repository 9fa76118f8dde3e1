//! RabbitMQ: logins, places, strangers, and what is there already.

use std::time::Duration;

use glovebox_broker::connect_amqp;
use glovebox_schemas::job::JobId;
use glovebox_schemas::names::{RUNNERS_KEY, runner_key, state_key};
use glovebox_tests::fleet::glovebox_with;
use glovebox_tests::{Fleet, Services};
use lapin::ExchangeKind;
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;

use crate::common::{Commands, SECRET, Wrong, check, closed, place, web_server};

#[tokio::test]
async fn a_rabbitmq_that_cannot_be_used() {
    let commands = Commands::new();
    let good = Services::isolated().unwrap();
    // Only a client that finds a queue gets as far as publishing; it is the connection that is tested here.
    let _fleet = Fleet::on(good.clone()).await.unwrap();
    let (rabbit, redis) = (place(&good.amqp_url), place(&good.redis_url));
    let vhost = good.amqp_url.rsplit_once('/').unwrap().1;
    let (closed, web) = (closed(), web_server().await);
    let url = "GLOVEBOX_AMQP_URL";
    for (amqp_url, says) in [
        (
            format!("amqp://guest:{SECRET}@{rabbit}/{vhost}"),
            ("refused the user name or the password", url),
        ),
        (
            format!("amqp://nobody:{SECRET}@{rabbit}/{vhost}"),
            ("refused the user name or the password", url),
        ),
        (
            format!("amqp://guest:guest@{rabbit}/not-there"),
            (
                "gives no access to the virtual host \"not-there\"",
                "add_vhost 'not-there'",
            ),
        ),
        (
            format!("amqp://guest:{SECRET}@{closed}/{vhost}"),
            ("is out of reach: Connection refused", url),
        ),
        (
            format!("amqp://guest:{SECRET}@no-such-host.invalid/{vhost}"),
            ("is out of reach", url),
        ),
        (
            format!("amqp://guest:{SECRET}@{web}/{vhost}"),
            ("is not RabbitMQ", url),
        ),
        (
            format!("amqp://guest:{SECRET}@{redis}/{vhost}"),
            ("did not answer within 10 s", "RabbitMQ's"),
        ),
        (
            format!("amqps://guest:{SECRET}@{rabbit}/{vhost}"),
            ("does not speak TLS", "amqp:// instead of amqps://"),
        ),
        (
            format!("http://guest:{SECRET}@{rabbit}/{vhost}"),
            ("the URL of RabbitMQ cannot be used", url),
        ),
        (
            format!("amqp//guest:{SECRET}@127.0.0.1"),
            ("the URL of RabbitMQ cannot be used", url),
        ),
        (String::new(), ("the URL of RabbitMQ cannot be used", url)),
    ] {
        let services = Services {
            amqp_url,
            redis_url: good.redis_url.clone(),
        };
        commands
            .refused(Wrong::RabbitMq, &services, says, &[])
            .await;
    }
}

#[tokio::test]
async fn a_queue_or_an_exchange_that_was_made_otherwise() {
    let commands = Commands::new();
    let fleet = Fleet::new().await.unwrap();
    let name = "glovebox.jobs.default";
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    fleet
        .channel
        .queue_delete(name.into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    fleet
        .channel
        .queue_declare(name.into(), durable, FieldTable::default())
        .await
        .unwrap();
    let runner = &commands.that_need(Wrong::RabbitMq)[0];
    let runner: Vec<&str> = runner.iter().map(String::as_str).collect();
    let said = glovebox_with(&fleet.services, &runner, &[]).await.unwrap();
    let says = "the queue glovebox.jobs.default exists already with other settings";
    check(
        &said,
        says,
        "rabbitmqctl delete_queue glovebox.jobs.default",
        "runner",
    );

    let services = Services::isolated().unwrap();
    let connection = connect_amqp(&services.amqp_url, "test", Duration::from_secs(30))
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel
        .exchange_declare(
            "glovebox.jobs".into(),
            ExchangeKind::Fanout,
            ExchangeDeclareOptions::default(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    let says = (
        "the exchange glovebox.jobs exists already with other settings",
        "rabbitmqadmin delete exchange name=glovebox.jobs",
    );
    commands
        .refused(Wrong::RabbitMq, &services, says, &[])
        .await;
}

#[tokio::test]
async fn a_runner_that_never_began_is_not_called_lost() {
    let fleet = Fleet::new().await.unwrap();
    let services = Services {
        amqp_url: format!(
            "amqp://guest:{SECRET}@{}/%2f",
            place(&fleet.services.amqp_url)
        ),
        ..fleet.services.clone()
    };
    let (name, spool) = (JobId::new_v7().to_string(), tempfile::tempdir().unwrap());
    let spool = spool.path().to_str().unwrap();
    let runner = ["runner", "--name", &name, "--spool", spool];
    let said = glovebox_with(&services, &runner, &[]).await.unwrap();
    assert_eq!(said.code, Some(4), "{said:#?}");

    let mut redis = fleet.redis.clone();
    let mut known = redis::cmd("ZSCORE");
    known.arg(RUNNERS_KEY).arg(&name);
    let known: Option<f64> = known.query_async(&mut redis).await.unwrap();
    assert_eq!(known, None);
    assert!(fleet.hash(&runner_key(&name)).await.unwrap().is_empty());
}

/// The mark in Redis is enough: the runner looks for it.
#[tokio::test]
async fn a_running_job_is_cancelled_without_rabbitmq_too() {
    let good = Fleet::new().await.unwrap();
    let id = JobId::new_v7();
    let mut redis = good.redis.clone();
    let mut hash = redis::cmd("HSET");
    hash.arg(state_key(&id)).arg(&["state", "running"]);
    let () = hash.query_async(&mut redis).await.unwrap();
    let services = Services {
        amqp_url: format!(
            "amqp://guest:{SECRET}@{}/%2f",
            place(&good.services.amqp_url)
        ),
        ..good.services.clone()
    };

    let said = glovebox_with(&services, &["cancel", id.as_str()], &[]).await;
    let said = said.unwrap();
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.stdout.starts_with("cancelled; "), "{said:#?}");
    assert_eq!(said.stderr.lines().count(), 1, "{said:#?}");
    assert!(said.stderr.contains("refused the user name"), "{said:#?}");
    assert!(!said.stderr.contains(SECRET), "{said:#?}");
}
