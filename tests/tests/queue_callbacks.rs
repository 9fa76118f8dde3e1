//! Callbacks through the whole product: a runner orders them, `glovebox callbacks` sends them, a receiver hears them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use glovebox_schemas::callback::Notice;
use glovebox_schemas::job::{Callback, Job};
use glovebox_schemas::names::{CALLBACKS, DEFAULT_LANE, state_key};
use glovebox_schemas::result::Status;
use glovebox_tests::fleet::{eventually, gate, glovebox_with, python};
use glovebox_tests::receiver::{Heard, Receiver, Reply};
use glovebox_tests::{Fleet, How, Redis, Runner, Services, glovebox_bin};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

const KEY: &str = "a key that nobody can guess";

/// A running `glovebox callbacks`, which may reach this host, until it is dropped.
async fn deliverer(services: &Services) -> Child {
    let mut child = Command::new(glovebox_bin().unwrap())
        .args([
            "callbacks",
            "--intranet",
            "127.0.0.1",
            "--first-delay",
            "50",
        ])
        .env("GLOVEBOX_AMQP_URL", &services.amqp_url)
        .env("GLOVEBOX_CALLBACK_KEY", KEY)
        .env_remove("GLOVEBOX_LOG")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains("sending callbacks") {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return child;
        }
    }
    panic!("the deliverer has ended");
}

fn calling_back(mut job: Job, receiver: &Receiver) -> Job {
    job.callback = Some(Callback::new(receiver.url("/hook")));
    job.tenant = "somebody".to_owned();
    job.metadata.insert("mine".to_owned(), "kept".to_owned());
    job
}

fn notices(heard: &[Heard]) -> Vec<Notice> {
    let notices = heard.iter().map(|one| serde_json::from_slice(&one.body));
    notices.collect::<Result<_, _>>().unwrap()
}

/// What the example that the documentation shows says of a request.
fn is_genuine(heard: &Heard, key: &str) -> bool {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops/examples");
    let program = "import sys, callback_receiver as it
sys.exit(not it.is_genuine(sys.argv[1].encode(), sys.argv[2], sys.stdin.buffer.read()))";
    let mut python = std::process::Command::new("python3")
        .args(["-c", program, key, &heard.headers["glovebox-signature"]])
        .env("PYTHONPATH", examples)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(&heard.body).unwrap();
    python.wait().unwrap().success()
}

/// One for each end that a job can come to.
#[tokio::test]
async fn each_end_of_a_job_is_told_once() {
    let fleet = Fleet::new().await.unwrap();
    let receiver = Receiver::start(|_| Reply::status(204)).await.unwrap();
    let _deliverer = deliverer(&fleet.services).await;
    let done = calling_back(python("print('ready')"), &receiver);
    let mut expired = calling_back(python(""), &receiver);
    expired.expires_at = Some(jiff::Timestamp::UNIX_EPOCH);
    let rejected = Job {
        language: "klingon".to_owned(),
        ..calling_back(python(""), &receiver)
    };
    // Nobody runs it: its client writes its result, and a runner finds that.
    let cancelled = calling_back(python(""), &receiver);
    let jobs = [&done, &expired, &rejected, &cancelled];
    for job in jobs {
        fleet.client.submit(job).await.unwrap();
    }
    fleet.client.cancel(&cancelled.id).await.unwrap();
    let runner = fleet.runner(1).await.unwrap();

    let heard = receiver.heard(jobs.len()).await.unwrap();
    let mut told = notices(&heard);
    told.sort_by_key(|notice| jobs.iter().position(|job| job.id == notice.id));
    let ends: Vec<_> = told.iter().map(|notice| notice.status).collect();
    assert_eq!(
        ends,
        [
            Status::Succeeded,
            Status::Expired,
            Status::Rejected,
            Status::Cancelled
        ]
    );
    for (notice, job) in told.iter().zip(jobs) {
        assert_eq!(
            (&notice.tenant, &notice.metadata),
            (&job.tenant, &job.metadata)
        );
        assert_eq!(notice.result, Some(fleet.result(&job.id).await.unwrap()));
    }
    assert!(heard.iter().all(|one| is_genuine(one, KEY)));
    let mut forged = heard[0].clone();
    assert!(!is_genuine(&forged, "another key, just as long"));
    forged.body.push(b' ');
    assert!(!is_genuine(&forged, KEY));

    // A second copy of a job that is done has nothing to tell.
    fleet
        .publish(DEFAULT_LANE, &done.to_wire_json(), None)
        .await
        .unwrap();
    fleet.drained().await.unwrap();
    fleet.stop_settled(runner).await.unwrap();
    assert_eq!(fleet.services.messages(CALLBACKS).unwrap(), 0);
    assert_eq!(receiver.so_far().len(), jobs.len());
}

/// What cannot be said any more is not passed over.
#[tokio::test]
async fn a_job_whose_result_has_expired_untold_is_a_dead_letter() {
    let fleet = Fleet::new().await.unwrap();
    let receiver = Receiver::start(|_| Reply::status(204)).await.unwrap();
    let job = calling_back(python(""), &receiver);
    fleet.client.submit(&job).await.unwrap();
    let mut set = redis::cmd("HSET");
    set.arg(state_key(&job.id)).arg("state").arg("done");
    let mut redis = fleet.redis.clone();
    set.query_async::<()>(&mut redis).await.unwrap();
    let mut runner = fleet.runner(1).await.unwrap();
    assert_eq!(fleet.dead_letter().await.unwrap(), job.to_wire_json());
    runner.stop().await.unwrap();
}

/// A result that waits for Redis is nobody's to tell yet.
#[tokio::test]
async fn nobody_is_called_back_before_the_result_is_stored() {
    let redis = Redis::durable().unwrap();
    let services = Services {
        amqp_url: Services::isolated_vhost().unwrap(),
        redis_url: redis.url().to_owned(),
    };
    let fleet = Fleet::on(services).await.unwrap();
    let receiver = Receiver::start(|_| Reply::status(204)).await.unwrap();
    let spool = tempfile::tempdir().unwrap();
    std::fs::set_permissions(spool.path(), Permissions::from_mode(0o755)).unwrap();
    let how = How {
        arguments: &["--slots", "1", "--spool-memory", "0"],
        spool: Some(spool.path()),
        ..How::default()
    };
    let runner = Runner::start(&fleet.services, how).unwrap();
    runner.says("consuming").await.unwrap();
    let job = calling_back(gate(), &receiver);
    fleet.client.submit(&job).await.unwrap();
    fleet.started(&job.id, 1).await.unwrap();
    redis.kill().unwrap();
    runner.release().unwrap();
    let own = spool.path().join(&runner.name);
    eventually("its result waits", async || {
        Ok(std::fs::read_dir(&own)?.flatten().any(|file| {
            let name = file.file_name();
            name.to_string_lossy().ends_with(".json")
        }))
    })
    .await
    .unwrap();
    assert_eq!(fleet.services.messages(CALLBACKS).unwrap(), 0);

    redis.restart().unwrap();
    let _deliverer = deliverer(&fleet.services).await;
    let notice = notices(&receiver.heard(1).await.unwrap()).remove(0);
    let after = Fleet::on(fleet.services.clone()).await.unwrap();
    assert_eq!(notice.result, Some(after.result(&job.id).await.unwrap()));
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test]
async fn without_a_key_or_with_a_wrong_one_it_does_not_start() {
    let services = Services::isolated().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "[tenants]\na = ['s3cret']\n").unwrap();
    let keys = [
        "callbacks",
        "--callback-keys",
        file.path().to_str().unwrap(),
    ];
    for (arguments, variables, said) in [
        (&keys[..1], &[][..], "no key to sign"),
        (
            &keys[..1],
            &[("GLOVEBOX_CALLBACK_KEY", "s3cret")][..],
            "fewer than 16",
        ),
        (&keys[..], &[][..], "\"a\": a key has 6 bytes"),
        (
            &keys[..],
            &[("GLOVEBOX_CALLBACK_KEY", KEY)][..],
            "choose one",
        ),
    ] {
        let ended = glovebox_with(&services, arguments, variables)
            .await
            .unwrap();
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(said), "{ended:?}");
        assert!(!ended.stderr.contains("s3cret"), "{ended:?}");
    }
    let open = ["callbacks", "--intranet", "*"];
    let ended = glovebox_with(&services, &open, &[]).await.unwrap();
    assert!(
        ended.code == Some(2) && ended.stderr.contains("everything"),
        "{ended:?}"
    );
}
