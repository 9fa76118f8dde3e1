//! The network of a job, through the real command: nothing, or what the gate lets through and the result tells.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use glovebox_schemas::result::{Limit, Status, Verdict};
use glovebox_tests::network::{job, opening, printed, reached};
use glovebox_tests::policies::Policies;
use glovebox_tests::run::Run;
use glovebox_tests::site::{OUTSIDE, REACH, Site};
use nix::sched::{CloneFlags, unshare};
use serde_json::json;

// ---- none

#[test]
fn without_the_proxy_there_is_no_network_and_no_socket_for_one() {
    let code = "
import json, socket
from reach import tried
families = [(socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_INET6, socket.SOCK_STREAM)]
lines = open('/proc/net/dev').read().splitlines()[2:]
print(json.dumps({
    'sockets': [tried(socket.socket, *family) for family in families],
    'interfaces': [line.split(':')[0].strip() for line in lines],
    'addresses': open('/proc/net/if_inet6').read(), 'routes': open('/proc/net/route').read().splitlines()[1:],
}))";
    let outcome = Run::python(code).file("reach.py", REACH).result();
    let result = &outcome.result;
    assert_eq!(result.status, Status::Succeeded, "{result:#?}");
    let refused = "Operation not permitted";
    // A loopback that is up would have the address ::1.
    let expected = json!({
        "sockets": [refused, refused, refused], "interfaces": ["lo"], "addresses": "", "routes": [],
    });
    assert_eq!(outcome.printed(), expected);
    let [denied] = result.denied.as_slice() else {
        panic!("{:#?}", result.denied);
    };
    let words = "this profile has no network; ask for \"network\": \"proxy\"";
    assert_eq!(
        (&*denied.syscall, denied.count, &*denied.hint),
        ("socket", 3, words)
    );
    assert_eq!(result.connections, []);
}

// ---- the doors

#[test]
fn each_door_leads_to_an_open_host_and_the_bytes_are_told() {
    let site = Site::start();
    let policies = opening(&[&site]);
    let code = site.program(
        "
import json, urllib.request
by_environment = urllib.request.urlopen(f'http://{HOST}:{PORT}/environment').read().decode()
connected, _, tunnel = connect(HOST, PORT)
reply, socket = socks(HOST, PORT)
print(json.dumps([by_environment, plain(HOST, PORT), connected, get(tunnel, '/connect'), reply, get(socket, '/bytes/5')]))",
    );
    let outcome = job(&policies, &code).result();
    let said = outcome.printed();
    let (tunnel, socket) = (&said[3], &said[5]);
    printed(
        &outcome,
        &json!([
            "/environment",
            [200, "/hello"],
            200,
            [tunnel[0], tunnel[1], "/connect"],
            0,
            [socket[0], socket[1], "xxxxx"]
        ]),
    );
    let asked = ["/environment", "/connect", "/bytes/5", "/hello"];
    let mut seen = site.asked();
    let mut wanted = asked.map(|path| format!("GET {path} HTTP/1.1")).to_vec();
    seen.sort();
    wanted.sort();
    assert_eq!(seen, wanted);

    let here = OUTSIDE.to_string();
    let allowed = (here.as_str(), site.port(), Verdict::Allowed);
    assert_eq!(reached(&outcome), [allowed; 4]);
    let all = &outcome.result.connections;
    assert!(all.iter().all(|one| one.hint.is_empty()), "{all:#?}");
    // In the order in which they were asked for: the two tunnels come before the second plain request.
    for (connection, counted) in [(&all[1], tunnel), (&all[2], socket)] {
        assert_eq!(
            (
                json!(connection.bytes_sent),
                json!(connection.bytes_received)
            ),
            (counted[0].clone(), counted[1].clone()),
            "{all:#?}"
        );
    }
    assert!(
        all[0].bytes_sent > 0 && all[0].bytes_received > 12,
        "{all:#?}"
    );
}

#[test]
fn an_ordinary_user_has_the_same_gate() {
    let site = Site::start();
    let policies = opening(&[&site]);
    let code = site.program(
        "import json\nprint(json.dumps([plain(HOST, PORT), get(socks(HOST, PORT)[1])[2], connect('10.0.0.1', PORT)[:2]]))",
    );
    let outcome = job(&policies, &code).as_user().result();
    printed(
        &outcome,
        &json!([[200, "/hello"], "/hello", [403, "private_address"]]),
    );
    let (here, port) = (OUTSIDE.to_string(), site.port());
    let expected = [
        (here.as_str(), port, Verdict::Allowed),
        (here.as_str(), port, Verdict::Allowed),
        ("10.0.0.1", port, Verdict::PrivateAddress),
    ];
    assert_eq!(reached(&outcome), expected);
}

#[test]
fn nothing_but_the_two_doors_can_be_connected_to_and_nothing_bound() {
    let site = Site::start();
    let policies = opening(&[&site]);
    let code = site.program(
        "
import json, socket
def bound(family, kind, where):
    with socket.socket(family, kind) as one: one.bind(where)
def connected(family, where):
    with socket.socket(family) as one: one.connect(where)
def sent(where):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one: one.sendto(b'x', where)
four, six, stream = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM
print(json.dumps({
    'bound': [tried(bound, four, stream, ('127.0.0.1', 0)), tried(bound, four, stream, ('127.0.0.2', 3128)), tried(bound, six, stream, ('::1', 0))],
    'connected': [tried(connected, four, (host, port)) for host, port in [(HOST, PORT), ('127.0.0.1', PORT), ('127.0.0.1', 22), ('192.0.2.1', 80)]],
    'the port elsewhere': tried(connected, four, ('192.0.2.1', 3128)),
    'six': tried(connected, six, ('::1', PORT)),
    'datagrams': [tried(sent, ('192.0.2.1', 53)), tried(sent, ('169.254.169.254', 80))],
}))",
    );
    let outcome = job(&policies, &code).result();
    let refused = "Permission denied";
    let nowhere = "Network is unreachable";
    printed(
        &outcome,
        &json!({
            "bound": [refused, refused, refused],
            "connected": [refused, refused, refused, refused],
            "the port elsewhere": nowhere,
            "six": refused,
            "datagrams": [nowhere, nowhere],
        }),
    );
    assert_eq!(site.asked(), [""; 0]);
    assert_eq!(outcome.result.connections, []);
}

// ---- what stays closed

#[test]
fn the_intranet_stays_closed_in_every_spelling() {
    let site = Site::start();
    let policies = Policies::opening("python", &[site.port()], &[]);
    let spellings = [
        ("127.0.0.2", "127.0.0.2"),
        ("127.0.0.2.", "127.0.0.2"),
        ("127.2", "127.0.0.2"),
        ("2130706434", "127.0.0.2"),
        ("0x7f000002", "127.0.0.2"),
        ("0177.0.0.2", "127.0.0.2"),
        ("localhost", "localhost"),
        ("0.0.0.0", "0.0.0.0"),
        ("10.0.0.1", "10.0.0.1"),
        ("172.16.0.1", "172.16.0.1"),
        ("192.168.0.1", "192.168.0.1"),
        ("100.64.0.1", "100.64.0.1"),
        ("169.254.169.254", "169.254.169.254"),
        ("224.0.0.1", "224.0.0.1"),
        ("[::1]", "[::1]"),
        ("[::ffff:127.0.0.2]", "[::ffff:127.0.0.2]"),
        ("[::ffff:7f00:2]", "[::ffff:127.0.0.2]"),
        ("[64:ff9b::7f00:2]", "[64:ff9b::7f00:2]"),
        ("[fd00::2]", "[fd00::2]"),
        ("[fe80::1]", "[fe80::1]"),
    ];
    let code = site.program(
        "
import json, sys
answers = set()
for host in sys.argv[1:]:
    answers.add(connect(host, PORT)[:2])
    answers.add(plain(host, PORT)[0])
    answers.add(socks(host, PORT)[0])
print(json.dumps(sorted(map(str, answers))))",
    );
    let outcome = job(&policies, &code)
        .with("args", spellings.map(|(written, _)| written).to_vec())
        .result();
    printed(&outcome, &json!(["(403, 'private_address')", "2", "403"]));
    let closed = |host| (host, site.port(), Verdict::PrivateAddress);
    let expected: Vec<_> = spellings
        .iter()
        .flat_map(|(_, host)| [closed(*host); 3])
        .collect();
    assert_eq!(reached(&outcome), expected);
    assert!(
        outcome
            .result
            .connections
            .iter()
            .all(|one| one.hint.contains("intranet"))
    );
    assert_eq!(site.asked(), [""; 0]);
}

/// A network of this thread's own, and of what it starts: all of 198.51.100.0/24 answers, and 203.0.113.7 is
/// this host itself. Both are public to whoever does not look closely.
fn own_internet() {
    unshare(CloneFlags::CLONE_NEWNET).expect("these tests need root");
    for words in [
        "link set lo up",
        "address add 203.0.113.7/32 dev lo",
        "route add local 198.51.100.0/24 dev lo",
    ] {
        let ip = Command::new("ip").args(words.split(' ')).status();
        assert!(ip.expect("iproute2 is installed").success(), "{words}");
    }
}

#[test]
fn the_hosts_own_public_address_is_closed_and_others_are_not() {
    own_internet();
    let own = Site::at("203.0.113.7".parse().unwrap());
    let foreign = Site::at("198.51.100.7".parse().unwrap());
    let policies = Policies::opening("python", &[own.port(), foreign.port()], &[]);
    let code = own.program(&format!(
        "import json\nprint(json.dumps([connect(HOST, PORT)[:2], socks(HOST, PORT)[0], plain('198.51.100.7', {})]))",
        foreign.port()
    ));
    let outcome = job(&policies, &code).result();
    printed(
        &outcome,
        &json!([[403, "private_address"], 2, [200, "/hello"]]),
    );
    let closed = ("203.0.113.7", own.port(), Verdict::PrivateAddress);
    let open = ("198.51.100.7", foreign.port(), Verdict::Allowed);
    assert_eq!(reached(&outcome), [closed, closed, open]);
    assert_eq!(own.asked(), [""; 0]);
}

// ---- ends

#[test]
fn a_job_that_is_stopped_amid_a_download_tells_of_it() {
    let site = Site::start();
    let policies = opening(&[&site]);
    let code = site.program("get(connect(HOST, PORT)[2], '/hang')");
    let outcome = job(&policies, &code).limit("wall_ms", 1_500).result();
    let result = &outcome.result;
    let ended = (result.status, result.limit);
    assert_eq!(
        ended,
        (Status::LimitExceeded, Some(Limit::WallTime)),
        "{result:#?}"
    );
    site.wait_for_the_end_of_a_hung_answer();
    let [one] = result.connections.as_slice() else {
        panic!("{result:#?}");
    };
    assert_eq!((one.port, one.verdict), (site.port(), Verdict::Allowed));
    // What the site sent of its answer, and what the job had asked.
    assert_eq!(
        (one.bytes_sent, one.bytes_received),
        (31, 43),
        "{result:#?}"
    );
}
