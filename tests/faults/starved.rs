//! A runner that its host leaves without processes, descriptors or disk: that is our failure, another one does the
//! work, and no job is blamed or lost.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use glovebox_schemas::job::Job;
use glovebox_schemas::names::runner_key;
use glovebox_schemas::result::Status;
use glovebox_tests::fleet::{eventually, gate};
use glovebox_tests::policies::{POLICIES, Policies};
use glovebox_tests::processes::Process;
use glovebox_tests::relay::{Door, Relay};
use glovebox_tests::{Fleet, How, Pen, Runner, Services};

use crate::common::brief;

/// Starves one runner while another one is busy: it says that it is not well, and its job is done by the other.
async fn starved(more: &[&str], starve: impl FnOnce(&Runner, &Pen)) {
    let fleet = Fleet::new().await.unwrap();
    let other = fleet.runner(1).await.unwrap();
    let busy = gate();
    fleet.client.submit(&busy).await.unwrap();
    fleet.started(&busy.id, 1).await.unwrap();
    let pen = Pen::new();
    let arguments = [&["--slots", "1"], more].concat();
    let how = How {
        pen: Some(&pen),
        arguments: &arguments,
        ..How::default()
    };
    let poor = Runner::start(&fleet.services, how).unwrap();
    poor.says("consuming").await.unwrap();
    starve(&poor, &pen);

    let key = runner_key(&poor.name);
    let mut job = brief();
    fleet.client.submit(&job).await.unwrap();
    eventually("it is unhealthy", async || {
        // What was ready before needs nothing more, and is used up first.
        if fleet.stored(&job.id).await?.is_some() {
            job = brief();
            fleet.client.submit(&job).await?;
        }
        let state = fleet.hash(&key).await?;
        Ok(state.get("state").is_some_and(|state| state == "unhealthy"))
    })
    .await
    .unwrap();
    assert_ne!(fleet.hash(&key).await.unwrap()["reason"], "");
    other.release().unwrap();
    let result = fleet.result(&job.id).await.unwrap();
    assert_eq!(
        (result.status, &result.runner),
        (Status::Succeeded, &other.name)
    );
    assert!(!result.earlier_attempts.is_empty());
    for attempt in &result.earlier_attempts {
        assert_eq!(attempt.runner, poor.name);
        assert!(
            ["cell_not_built", "runner_out_of_resources"].contains(&&*attempt.ended),
            "{attempt:?}"
        );
    }
    fleet.drained().await.unwrap();
    drop(poor);
    assert_eq!(pen.leftovers(), Vec::<String>::new());
    fleet.stop_settled(other).await.unwrap();
}

/// It keeps what it has open and gets a few more. Root itself may not be allowed to say so to a process of another
/// user; that user is.
fn no_descriptors(process: Process, more: usize) {
    let id = |field| {
        let ids = process.status(field).unwrap();
        ids.split_whitespace().next().unwrap().to_owned()
    };
    let most = process.descriptors().unwrap() + more;
    let lowered = Command::new("setpriv")
        .args([
            "--reuid",
            &id("Uid"),
            "--regid",
            &id("Gid"),
            "--clear-groups",
        ])
        .args(["prlimit", "--pid", &process.0.to_string()])
        .arg(format!("--nofile={most}:{most}"))
        .status();
    assert!(lowered.unwrap().success());
}

#[tokio::test]
async fn without_processes_it_is_unhealthy_and_its_job_goes_elsewhere() {
    starved(&[], |_, pen| pen.close()).await;
}

#[tokio::test]
async fn a_worker_without_descriptors_is_unhealthy_and_its_job_goes_elsewhere() {
    starved(&[], |runner, _| no_descriptors(runner.worker().unwrap(), 0)).await;
}

#[tokio::test]
async fn a_warden_without_descriptors_is_unhealthy_and_its_job_goes_elsewhere() {
    let cold = &["--warm-memory", "0"];
    starved(cold, |runner, _| {
        no_descriptors(runner.warden().unwrap(), 6)
    })
    .await;
}

/// What it keeps warm has the last of them, and does not need them as much as the job.
#[tokio::test]
async fn a_job_gets_the_processes_of_what_waits() {
    let fleet = Fleet::new().await.unwrap();
    let pen = Pen::new();
    // So each that waits is of two processes: of Python.
    let policies = Policies::changed("nodejs", &[("mode = \"ahead\"", "mode = \"off\"")]);
    let how = How {
        pen: Some(&pen),
        arguments: &["--slots", "2"],
        variables: &[(POLICIES, policies.path())],
        ..How::default()
    };
    let runner = Runner::start(&fleet.services, how).unwrap();
    runner.says("consuming").await.unwrap();
    fleet.run(&brief()).await.unwrap();
    eventually("both slots have one that waits", async || {
        Ok(runner.warden()?.called("glovebox-ready")?.len() == 2)
    })
    .await
    .unwrap();
    // One has to end before the other's place is there.
    pen.fill(2);
    let mut job = Job::new("bash");
    job.code = Some("echo there".to_owned());
    let result = fleet.run(&job).await.unwrap();
    assert_eq!((result.stdout.as_str(), result.attempt), ("there\n", 1));
    drop(runner);
    assert_eq!(pen.leftovers(), Vec::<String>::new());
}

/// The folder of its spool takes a few results, its host's disk no more.
#[tokio::test]
async fn without_disk_its_spool_loses_nothing() {
    let fleet = Fleet::new().await.unwrap();
    let relay = Relay::start(&fleet.services.redis_url).unwrap();
    let services = Services {
        redis_url: relay.url().to_owned(),
        ..fleet.services.clone()
    };
    let folder = tempfile::tempdir().unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let path = folder.path().to_str().unwrap();
    // A disk that the runner alone sees, and that goes with it.
    let mount = format!("mount -t tmpfs -o size=16k,mode=755 none {path} && exec \"$@\"");
    let how = How {
        arguments: &["--slots", "1", "--spool", path, "--spool-memory", "0"],
        through: &["unshare", "--mount", "sh", "-c", &mount, "sh"],
        ..How::default()
    };
    let runner = Runner::start(&services, how).unwrap();
    runner.says("consuming").await.unwrap();
    let first = gate();
    fleet.client.submit(&first).await.unwrap();
    fleet.started(&first.id, 1).await.unwrap();
    let mut jobs = vec![first];
    for _ in 0..12 {
        let job = brief();
        fleet.client.submit(&job).await.unwrap();
        jobs.push(job);
    }
    relay.door(Door::Shut);
    relay.cut();
    runner.release().unwrap();
    runner.says("nothing new is taken").await.unwrap();
    assert!(fleet.services.messages("glovebox.jobs.default").unwrap() > 0);

    relay.mend();
    for job in &jobs {
        let result = fleet.result(&job.id).await.unwrap();
        assert_eq!((result.status, result.attempt), (Status::Succeeded, 1));
    }
    fleet.drained().await.unwrap();
    fleet.stop_settled(runner).await.unwrap();
}
