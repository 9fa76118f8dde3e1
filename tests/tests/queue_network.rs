//! Jobs with the network in a real runner, whose slots and whose gate live on from one job to the next.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_schemas::job::{Job, JobFile, Network};
use glovebox_schemas::result::{JobResult, Limit, Status, Verdict};
use glovebox_tests::Runner;
use glovebox_tests::fleet::{Fleet, eventually, python};
use glovebox_tests::policies::{POLICIES, Policies};
use glovebox_tests::site::{OUTSIDE, REACH, Site};

/// Leaves with everything open: an answer that goes on, requests of which only a part was sent, at both doors.
const LEAVES_OPEN: &str = "
hung = connect(HOST, PORT)[2]
hung.sendall(b'GET /hang HTTP/1.1\\r\\n\\r\\n')
assert some(hung, 43).endswith(b'begun')
half = door(HTTP); half.sendall(b'CONNECT 127.0.0.2:')
half_socks = door(SOCKS); half_socks.sendall(b'\\5\\1')
asked = door(HTTP); asked.sendall(f'GET http://{HOST}:{PORT}/left HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 9\\r\\n\\r\\nhalf'.encode())
print('ready')
";

/// A runner whose profile opens the site.
async fn runner(fleet: &Fleet, site: &Site, slots: u16) -> (Policies, Runner) {
    let policies = Policies::opening("python", &[site.port()], &[&OUTSIDE.to_string()]);
    let variables = [(POLICIES, policies.path())];
    let slots = slots.to_string();
    let runner = Runner::spawn_with(&fleet.services, &["--slots", &slots], &variables).unwrap();
    runner.says("consuming").await.unwrap();
    (policies, runner)
}

fn job(site: &Site, code: &str) -> Job {
    let mut job = python(&site.program(code));
    job.network = Network::Proxy;
    job.files = vec![JobFile {
        path: "reach.py".to_owned(),
        content: REACH.as_bytes().to_vec(),
    }];
    job
}

/// Both doors work, and these are all of the job's connections.
fn reached_twice(result: &JobResult, site: &Site) {
    assert_eq!(result.status, Status::Succeeded, "{result:#?}");
    assert_eq!(result.stdout, "(200, '/mine') /mine\n", "{result:#?}");
    let all = result.connections.iter();
    let seen: Vec<_> = all.map(|one| (one.port, one.verdict)).collect();
    assert_eq!(seen, [(site.port(), Verdict::Allowed); 2], "{result:#?}");
}

/// Whether anybody has used this network before: what it has counted, and which connections it knows.
const LOOKS_BACK: &str = "
def counted(file, heading):
    names, values = [line.split()[1:] for line in open(f'/proc/net/{file}') if line.startswith(heading)]
    return {name: int(value) for name, value in zip(names, values)}
received = open('/proc/net/dev').read().split('lo:')[1].split()[0]
connections = [line.split()[3] for line in list(open('/proc/net/tcp'))[1:]]
print(received, connections, counted('snmp', 'Tcp:')['ActiveOpens'])
";

const REACHES_TWICE: &str =
    "print(plain(HOST, PORT, '/mine'), get(socks(HOST, PORT)[1], '/mine')[2])";

#[tokio::test(flavor = "multi_thread")]
async fn the_next_job_of_a_slot_has_nothing_of_what_the_last_left_open() {
    let fleet = Fleet::new().await.unwrap();
    let site = Site::start();
    let (_policies, runner) = runner(&fleet, &site, 1).await;
    let first = fleet.run(&job(&site, LEAVES_OPEN)).await.unwrap();
    assert_eq!(first.status, Status::Succeeded, "{first:#?}");
    // What was only half said is no connection yet.
    let seen: Vec<_> = first.connections.iter().map(|one| one.verdict).collect();
    assert_eq!(seen.first(), Some(&Verdict::Allowed), "{first:#?}");
    assert!((1..=2).contains(&seen.len()), "{first:#?}");
    site.wait_for_the_end_of_a_hung_answer();

    let next = fleet.run(&job(&site, LOOKS_BACK)).await.unwrap();
    // 0A: the two doors listen.
    assert_eq!(next.stdout, "0 ['0A', '0A'] 0\n", "{next:#?}");

    for _ in 0..2 {
        let next = fleet.run(&job(&site, REACHES_TWICE)).await.unwrap();
        reached_twice(&next, &site);
    }
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_job_has_its_own_connections_while_others_have_theirs() {
    let fleet = Fleet::new().await.unwrap();
    let site = Site::start();
    let (_policies, runner) = runner(&fleet, &site, 2).await;
    // Both are at the site before either goes on.
    let waits = |path: &str| {
        let mut job = job(
            &site,
            &format!(
                "
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGUSR1}})
plain(HOST, PORT, '{path}')
print('ready')
signal.sigwait({{signal.SIGUSR1}})
get(socks(HOST, PORT)[1], '{path}')
"
            ),
        );
        job.stream = true;
        job
    };
    let jobs = [waits("/bytes/10"), waits("/bytes/2000")];
    for job in &jobs {
        fleet.client.submit(job).await.unwrap();
    }
    for job in &jobs {
        fleet.started(&job.id, 1).await.unwrap();
    }
    runner.release().unwrap();
    for (job, least) in jobs.iter().zip([10, 2000]) {
        let result = fleet.result(&job.id).await.unwrap();
        assert_eq!(result.status, Status::Succeeded, "{result:#?}");
        let received: Vec<_> = result
            .connections
            .iter()
            .map(|one| one.bytes_received)
            .collect();
        // The site's head has less than a hundred bytes.
        let own = |bytes: &u64| (least..least + 100).contains(bytes);
        assert!(
            received.len() == 2 && received.iter().all(own),
            "{result:#?}"
        );
    }
    fleet.stop_settled(runner).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_stopped_amid_a_download_leaves_nothing_open() {
    let fleet = Fleet::new().await.unwrap();
    let site = Site::start();
    let (_policies, runner) = runner(&fleet, &site, 1).await;
    // The first job with the network brings the gate, and whatever is made once.
    reached_twice(&fleet.run(&job(&site, REACHES_TWICE)).await.unwrap(), &site);
    let worker = runner.worker().unwrap();
    let before = worker.descriptors().unwrap();

    let downloads = format!("{LEAVES_OPEN}rest(hung)");
    let mut cancelled = job(&site, &downloads);
    cancelled.stream = true;
    fleet.client.submit(&cancelled).await.unwrap();
    fleet.started(&cancelled.id, 1).await.unwrap();
    fleet.client.cancel(&cancelled.id).await.unwrap();
    let result = fleet.result(&cancelled.id).await.unwrap();
    assert_eq!(result.status, Status::Cancelled, "{result:#?}");
    cut(&result, &site);

    let mut exceeded = job(&site, &format!("{LEAVES_OPEN}while True: pass"));
    exceeded.limits.cpu_ms = Some(1_000);
    let result = fleet.run(&exceeded).await.unwrap();
    assert_eq!(result.limit, Some(Limit::CpuTime), "{result:#?}");
    cut(&result, &site);

    reached_twice(&fleet.run(&job(&site, REACHES_TWICE)).await.unwrap(), &site);
    eventually(
        "the runner has no more descriptors than before",
        async || Ok(worker.descriptors()? <= before),
    )
    .await
    .unwrap();
    fleet.stop_settled(runner).await.unwrap();
}

/// The download is told, and its server has seen the end.
fn cut(result: &JobResult, site: &Site) {
    let first = result.connections.first().unwrap();
    assert_eq!(
        (first.port, first.verdict, first.bytes_received),
        (site.port(), Verdict::Allowed, 43),
        "{result:#?}"
    );
    site.wait_for_the_end_of_a_hung_answer();
}

/// What the runner itself lives on is on this host's loopback: no job is to come near it, whatever is open.
#[tokio::test(flavor = "multi_thread")]
async fn the_runners_own_servers_are_out_of_reach() {
    let fleet = Fleet::new().await.unwrap();
    let port = |url: &str| -> u16 {
        let (_, after) = url
            .rsplit_once('@')
            .unwrap_or(("", url.split_once("://").unwrap().1));
        let authority = after.split('/').next().unwrap();
        authority.rsplit_once(':').unwrap().1.parse().unwrap()
    };
    let ports = [
        port(&fleet.services.amqp_url),
        port(&fleet.services.redis_url),
    ];
    let policies = Policies::opening("python", &ports, &[]);
    let variables = [(POLICIES, policies.path())];
    let runner = Runner::spawn_with(&fleet.services, &["--slots", "1"], &variables).unwrap();
    runner.says("consuming").await.unwrap();
    let site = Site::start();
    let code = format!(
        "
for port in {ports:?}:
    for host in ['127.0.0.1', 'localhost', '0.0.0.0', '[::1]', '[::ffff:127.0.0.1]']:
        print(connect(host, port)[1], socks(host, port)[0])
"
    );
    let result = fleet.run(&job(&site, &code)).await.unwrap();
    assert_eq!(
        result.stdout,
        "private_address 2\n".repeat(10),
        "{result:#?}"
    );
    assert_eq!(result.connections.len(), 20);
    fleet.stop_settled(runner).await.unwrap();
}
