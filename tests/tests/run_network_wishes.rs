//! A job may ask for less of the network than its profile opens, through the real command; for more it is rejected.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_schemas::result::{Connection, Status, Verdict};
use glovebox_tests::network::{job, opening, printed, reached};
use glovebox_tests::policies::{POLICIES, Policies};
use glovebox_tests::run::{Outcome, Run};
use glovebox_tests::site::{OUTSIDE, Site};
use serde_json::json;

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
