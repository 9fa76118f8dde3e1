//! Network namespaces, such as a cell has. These tests need root.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;

use nix::sched::{CloneFlags, unshare};

use super::rig::{Echo, listen, patterns, policy};
use crate::{Doors, Gate, Permit, Verdict};

/// Runs `inside` on a thread in a new network namespace with loopback up; threads that it starts are there, too.
async fn in_a_namespace<T: Send + 'static>(inside: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = tokio::sync::oneshot::channel();
    let work = move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("this test needs root");
        ip(&["link", "set", "lo", "up"]);
        assert!(done.send(inside()).is_ok());
    };
    std::thread::Builder::new().spawn(work).unwrap();
    result.await.unwrap()
}

fn ip(args: &[&str]) {
    let status = Command::new("ip").args(args).status();
    assert!(status.unwrap().success());
}

fn doors(http: TcpListener, socks: TcpListener) -> Doors {
    Doors {
        http: http.into(),
        socks: socks.into(),
    }
}

/// What comes back for a tunnel to `target` on which `hello` is said.
fn hello(target: &str) -> String {
    let mut said = String::new();
    let mut stream = TcpStream::connect("127.0.0.1:3128").unwrap();
    write!(stream, "CONNECT {target} HTTP/1.1\r\n\r\nhello").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    stream.read_to_string(&mut said).unwrap();
    said
}

#[tokio::test]
async fn a_job_gets_out_by_its_doors_and_by_nothing_else() {
    let echo = Echo::start();
    let target = format!("127.0.0.1:{}", echo.port);
    let (hand_out, handed_out) = mpsc::channel();
    let mut policy = policy(echo.port);
    policy.intranet = patterns(&["127.0.0.1"]);
    let gate = Gate::start().unwrap();
    let job = in_a_namespace(move || {
        hand_out
            .send(doors(listen("127.0.0.1:3128"), listen("127.0.0.1:1080")))
            .unwrap();
        (TcpStream::connect(&target).is_err(), hello(&target))
    });
    let open = async {
        let doors = tokio::task::spawn_blocking(move || handed_out.recv().unwrap());
        gate.open(doors.await.unwrap(), policy, Permit::always())
            .unwrap()
    };
    let ((alone, said), passage) = tokio::join!(job, open);
    assert!(alone, "the job's own network must lead nowhere");
    assert_eq!(said, "HTTP/1.1 200 OK\r\n\r\nhello");
    assert_eq!(echo.accepted(), 1);
    assert_eq!(
        passage.close().await.connections[0].verdict,
        Verdict::Allowed
    );
}

#[tokio::test]
async fn a_public_address_of_this_host_is_private_until_the_intranet_opens_it() {
    let (said, opened) = in_a_namespace(|| {
        // Public so far as its network goes; the gate is started in here, so this is its host.
        ip(&["address", "add", "198.51.100.7/24", "dev", "lo"]);
        let server = listen("198.51.100.7:0");
        let port = server.local_addr().unwrap().port();
        let (http, socks) = (listen("127.0.0.1:3128"), listen("127.0.0.1:1080"));
        let gate = Gate::start().unwrap();
        let mut policy = policy(port);
        let again = doors(http.try_clone().unwrap(), socks.try_clone().unwrap());
        let passage = gate
            .open(doors(http, socks), policy.clone(), Permit::always())
            .unwrap();
        let said = hello(&format!("198.51.100.7:{port}"));
        drop((passage, gate));
        policy.intranet = patterns(&["198.51.100.0/24"]);
        let gate = Gate::start().unwrap();
        let _passage = gate.open(again, policy, Permit::always()).unwrap();
        let serve = move || drop(server.accept().unwrap());
        std::thread::Builder::new().spawn(serve).unwrap();
        (said, hello(&format!("198.51.100.7:{port}")))
    })
    .await;
    assert!(
        said.contains("403 Forbidden") && said.contains("private_address"),
        "{said}"
    );
    assert!(opened.starts_with("HTTP/1.1 200 OK"), "{opened}");
}
