//! The network of a job, through the real command: nothing, or what the gate lets through and the result tells.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use glovebox_schemas::result::{Connection, Limit, Status, Verdict};
use glovebox_tests::policies::{POLICIES, Policies};
use glovebox_tests::run::{Outcome, Run};
use glovebox_tests::site::{OUTSIDE, REACH, Site};
use nix::sched::{CloneFlags, unshare};
use serde_json::{Value, json};

/// A job with the proxy, under these policies.
fn job(policies: &Policies, code: &str) -> Run {
    Run::python(code)
        .file("reach.py", REACH)
        .with("network", "proxy")
        .limit("wall_ms", 60_000)
        .variable(POLICIES, policies.path())
}

/// Policies that open these servers alone.
fn opening(sites: &[&Site]) -> Policies {
    let ports: Vec<u16> = sites.iter().map(|site| site.port()).collect();
    Policies::opening("python", &ports, &[&OUTSIDE.to_string()])
}

/// The program succeeded and printed this as JSON; no call of it was refused.
fn printed(outcome: &Outcome, expected: &Value) {
    let result = &outcome.result;
    assert_eq!(result.status, Status::Succeeded, "{result:#?}");
    assert!(result.denied.is_empty(), "{result:#?}");
    assert_eq!(&outcome.printed(), expected, "{result:#?}");
}

/// What the result says of each connection, but for bytes and hints.
fn reached(outcome: &Outcome) -> Vec<(&str, u16, Verdict)> {
    let all = outcome.result.connections.iter();
    all.map(|one| (one.host.as_str(), one.port, one.verdict))
        .collect()
}

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

// ---- less for one job

#[test]
fn a_job_narrows_hosts_and_ports() {
    let (site, other) = (Site::start(), Site::start());
    let policies = opening(&[&site, &other]);
    let code = site.program(&format!(
        "import json\nprint(json.dumps([plain(HOST, PORT), connect('example.org', PORT)[:2], connect(HOST, {})[:2]]))",
        other.port()
    ));
    let outcome = job(&policies, &code)
        .with(
            "proxy",
            json!({"hosts": [OUTSIDE.to_string()], "ports": [site.port(), 22]}),
        )
        .result();
    printed(
        &outcome,
        &json!([
            [200, "/hello"],
            [403, "host_not_allowed"],
            [403, "port_not_allowed"]
        ]),
    );
    let here = OUTSIDE.to_string();
    let expected = [
        (here.as_str(), site.port(), Verdict::Allowed),
        ("example.org", site.port(), Verdict::HostNotAllowed),
        (here.as_str(), other.port(), Verdict::PortNotAllowed),
    ];
    assert_eq!(reached(&outcome), expected);
    assert_eq!(other.asked(), [""; 0]);
}

#[test]
fn when_its_bytes_are_used_up_the_program_sees_a_closed_connection() {
    let site = Site::start();
    let policies = opening(&[&site]);
    let code = site.program(
        "
import json
client = connect(HOST, PORT)[2]
request = b'GET /bytes/100000 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'
client.sendall(request)
read = 0
try:
    while chunk := client.recv(4096): read += len(chunk)
except ConnectionResetError: pass
print(json.dumps([len(request) + read, connect(HOST, PORT)[:2], socks(HOST, PORT)[0]]))",
    );
    let outcome = job(&policies, &code)
        .with("proxy", json!({"bytes": 1000}))
        .result();
    printed(&outcome, &json!([1000, [403, "byte_limit"], 2]));
    let verdicts: Vec<_> = reached(&outcome).iter().map(|one| one.2).collect();
    assert_eq!(verdicts, [Verdict::ByteLimit; 3]);
    let counted = |one: &Connection| one.bytes_sent + one.bytes_received;
    let counted: Vec<_> = outcome.result.connections.iter().map(counted).collect();
    assert_eq!(counted, [1000, 0, 0]);
}

#[test]
fn after_so_many_connections_there_are_no_more() {
    let site = Site::start();
    let policies = opening(&[&site]);
    let code = site.program(
        "import json\nprint(json.dumps([plain(HOST, PORT)[0], connect(HOST, PORT)[0], connect(HOST, PORT)[:2], plain(HOST, PORT)[0], socks(HOST, PORT)[0]]))",
    );
    let outcome = job(&policies, &code)
        .with("proxy", json!({"connections": 2}))
        .result();
    printed(
        &outcome,
        &json!([200, 200, [403, "connection_limit"], 403, 2]),
    );
    let verdicts: Vec<_> = reached(&outcome).iter().map(|one| one.2).collect();
    let (open, over) = (Verdict::Allowed, Verdict::ConnectionLimit);
    assert_eq!(verdicts, [open, open, over, over, over]);
}

#[test]
fn a_job_goes_through_a_proxy_of_its_own_choice() {
    let (site, proxy) = (Site::start(), Site::start());
    let policies = opening(&[&site, &proxy]);
    let code = site.program(
        "import json\nprint(json.dumps([plain(HOST, PORT), get(connect(HOST, PORT)[2])[2], get(socks(HOST, PORT)[1])[2], connect('10.0.0.1', PORT)[:2]]))",
    );
    let upstream = format!("http://{OUTSIDE}:{}", proxy.port());
    let outcome = job(&policies, &code)
        .with("proxy", json!({"upstream": upstream}))
        .result();
    printed(
        &outcome,
        &json!([
            [200, "/hello"],
            "/hello",
            "/hello",
            [403, "private_address"]
        ]),
    );
    let connect = format!("CONNECT {OUTSIDE}:{} HTTP/1.1", site.port());
    assert_eq!(proxy.asked(), vec![connect; 3]);
    assert_eq!(site.asked().len(), 3);
}

#[test]
fn a_profiles_own_proxy_is_used_and_no_job_gets_around_it() {
    let (site, proxy) = (Site::start(), Site::start());
    let open = format!(
        "ports = [{}, {}]\nintranet = [\"{OUTSIDE}\"]\nupstream = \"http://{OUTSIDE}:{}\"",
        site.port(),
        proxy.port(),
        proxy.port()
    );
    let policies = Policies::changed("python", &[("ports = [80, 443]", &open)]);
    let code = site.program("import json\nprint(json.dumps(plain(HOST, PORT)))");
    printed(&job(&policies, &code).result(), &json!([200, "/hello"]));
    assert_eq!(proxy.asked().len(), 1);

    let upstream = format!("http://{OUTSIDE}:{}", site.port());
    let refused = job(&policies, &code).with("proxy", json!({"upstream": upstream}));
    rejected(&refused.result(), "proxy_not_offered", "proxy");
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

// ---- what is refused before it starts

fn rejected(outcome: &Outcome, code: &str, words: &str) {
    let result = &outcome.result;
    assert_eq!(result.status, Status::Rejected, "{result:#?}");
    let error = result.error.as_ref().unwrap();
    assert_eq!(error.code, code, "{error:#?}");
    assert!(error.message.contains(words), "{error:#?}");
    assert!(error.hint.len() > 10, "{error:#?}");
}

#[test]
fn wishes_that_cannot_be_granted_are_rejected() {
    let policies = Policies::opening("python", &[8080], &[]);
    for (proxy, code, words) in [
        (
            json!({"ports": [22]}),
            "proxy_not_offered",
            "none of the ports [22]",
        ),
        (
            json!({"upstream": "http://example.org:3128"}),
            "proxy_not_offered",
            "example.org:3128",
        ),
        (
            json!({"upstream": "socks://example.org:8080"}),
            "invalid_value",
            "socks://",
        ),
        (json!({"hosts": ["*.*"]}), "invalid_value", "*.*"),
        (
            json!({"hosts": ["10.0.0.0/33"]}),
            "invalid_value",
            "10.0.0.0/33",
        ),
        (
            json!({"hosts": ["http://example.org"]}),
            "invalid_value",
            "http://example.org",
        ),
    ] {
        let outcome = job(&policies, "print('ran')").with("proxy", proxy).result();
        rejected(&outcome, code, words);
    }
}

#[test]
fn wishes_without_the_network_are_refused_at_once() {
    let run = Run::python("print('ran')").with("proxy", json!({"ports": [80]}));
    let ended = run.spawn().finish();
    assert_eq!(ended.code(), 2, "{ended}");
    assert!(
        ended.stderr().contains("add \"network\": \"proxy\""),
        "{ended}"
    );
}

#[test]
fn a_profile_without_the_proxy_rejects_who_asks_for_it() {
    let lua = include_str!("../../policies/profiles/lua.toml");
    let (before, _) = lua.split_once("\n[proxy]").unwrap();
    let policies = Policies::new().profile("lua", &before.replace(", \"proxy\"", ""));
    let outcome = Run::new("lua")
        .with("code", "print('ran')")
        .with("network", "proxy")
        .variable(POLICIES, policies.path())
        .result();
    rejected(&outcome, "network_not_offered", "does not offer \"proxy\"");
}
