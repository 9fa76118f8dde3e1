//! A job's whole way with TLS to both servers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt;

use glovebox_schemas::result::{JobResult, Status};
use glovebox_tests::certificates::Clients;
use glovebox_tests::fleet::glovebox_with;
use glovebox_tests::{Certificates, Rabbit, Redis, Runner, Services};

#[tokio::test]
async fn a_job_goes_its_way_and_the_authoritys_file_need_be_readable_for_root_alone() {
    let certificates = Certificates::new().unwrap();
    let rabbit = Rabbit::start_tls(&certificates, Clients::Anyone).unwrap();
    let redis = Redis::start_tls(&certificates, Clients::Anyone).unwrap();
    let services = Services {
        amqp_url: rabbit.url_tls().unwrap(),
        redis_url: redis.url_tls().unwrap(),
    };
    let authority = certificates.authority();
    std::fs::set_permissions(&authority, PermissionsExt::from_mode(0o400)).unwrap();
    let trusted = [("GLOVEBOX_TLS_CA", authority.to_str().unwrap())];
    let mut runner = Runner::spawn_with(&services, &["--slots", "1"], &trusted).unwrap();
    runner.says("consuming").await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("main.py");
    std::fs::write(&program, "print('through')").unwrap();
    let said = glovebox_with(&services, &["submit", program.to_str().unwrap()], &trusted).await;
    let said = said.unwrap();
    assert_eq!(said.code, Some(0), "{said:#?}");
    let said = glovebox_with(&services, &["wait", said.stdout.trim_end()], &trusted).await;
    let said = said.unwrap();
    assert_eq!(said.code, Some(0), "{said:#?}");
    let result = JobResult::from_json(said.stdout.as_bytes()).unwrap();
    assert_eq!(result.status, Status::Succeeded);
    assert_eq!(result.stdout, "through\n");
    runner.stop().await.unwrap();
}
