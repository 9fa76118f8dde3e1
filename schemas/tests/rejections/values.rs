//! Fields of the right type whose value is not allowed.

use glovebox_schemas::job::Job;
use serde_json::{Value, json};

use crate::{check, job_with, refused};

#[test]
fn ids_are_checked_and_never_passed_on_when_wrong() {
    for id in ["a/b", "", &"x".repeat(65), "a b", "ä", "a\n", "../x"] {
        let rejection = refused(&job_with(json!({ "id": id })));
        assert_eq!(
            (rejection.code, rejection.id),
            ("invalid_id", None),
            "{id:?}"
        );
    }
    let message = r#"id: "a/b" is not a job id (1 to 64 letters, digits, "_" or "-")"#;
    assert_eq!(refused(&job_with(json!({ "id": "a/b" }))).message, message);
}

#[test]
fn limits_are_positive_whole_numbers() {
    for name in [
        "wall_ms",
        "cpu_ms",
        "memory_bytes",
        "disk_bytes",
        "output_bytes",
        "processes",
    ] {
        check(
            json!({ "limits": { name: 0 } }),
            "invalid_value",
            &format!("limits.{name}: zero would let nothing run"),
        );
    }
    check(
        json!({ "limits": { "wall_ms": -1 } }),
        "invalid_value",
        "limits.wall_ms: expected a positive whole number, found integer `-1`",
    );
    let huge =
        br#"{"id":"job-1","language":"a","code":"","limits":{"wall_ms":18446744073709551616}}"#;
    assert_eq!(refused(huge).code, "wrong_type");
    assert!(Job::parse(&job_with(json!({ "limits": { "wall_ms": u64::MAX } }))).is_ok());
}

#[test]
fn a_proxy_is_asked_for_less_and_only_with_a_network() {
    check(
        json!({ "proxy": { "ports": [443] } }),
        "conflicting_fields",
        "proxy: the job has no network to go through it",
    );
    for (name, value) in [
        ("connections", json!(0)),
        ("bytes", json!(0)),
        ("ports", json!([0])),
    ] {
        check(
            json!({ "network": "proxy", "proxy": { name: value } }),
            "invalid_value",
            &format!("proxy.{name}: zero would let nothing through"),
        );
    }
    let none = job_with(json!({ "network": "none", "proxy": {} }));
    assert!(Job::parse(&none).is_ok());
}

#[test]
fn an_environment_is_named_with_its_language() {
    for profile in [
        "python",
        "python:",
        ":data",
        "python:Data",
        "python:../x",
        "python:a:b",
        "a b:c",
    ] {
        check(
            json!({ "profile": profile }),
            "invalid_value",
            &format!("profile: {profile:?} is not a valid name"),
        );
    }
    assert!(Job::parse(&job_with(json!({ "profile": "c++:x-1.2_3" }))).is_ok());
}

#[test]
fn values_are_of_the_kind_the_contract_says() {
    let cases = [
        (
            json!({ "language": "py thon" }),
            r#"language: "py thon" is not a valid name"#,
        ),
        (
            json!({ "language": "" }),
            r#"language: "" is not a valid name"#,
        ),
        (
            json!({ "lane": "Fast" }),
            r#"lane: "Fast" is not a valid name"#,
        ),
        (
            json!({ "lane": "x".repeat(33) }),
            &format!(r#"lane: "{}" is not a valid name"#, "x".repeat(33)),
        ),
        (
            json!({ "tenant": "a/b" }),
            r#"tenant: "a/b" is not a valid name"#,
        ),
        (
            json!({ "network": "prox" }),
            r#"network: "prox" is not one of none, proxy; did you mean "proxy"?"#,
        ),
        (
            json!({ "tests": [{ "name": "a", "compare": "fuzzy" }] }),
            r#"tests[0].compare: "fuzzy" is not one of exact, trimmed, tokens, floats, unordered_lines, checker"#,
        ),
        (
            json!({ "tests": [{ "name": "a" }, { "name": "a" }] }),
            r#"tests[1].name: "a" is also the name of another test"#,
        ),
        (
            json!({ "tests": [{ "name": "a\n" }] }),
            r#"tests[0].name: "a\n" is not a valid name"#,
        ),
        (
            json!({ "args": ["a", "b\0"] }),
            "args[1]: has a NUL character in it",
        ),
        (
            json!({ "env": { "A": "\0" } }),
            "env.A: has a NUL character in it",
        ),
        (
            json!({ "env": { "1A": "" } }),
            r#"env: "1A" cannot be a variable's name"#,
        ),
        (
            json!({ "env": { "A=B": "" } }),
            r#"env: "A=B" cannot be a variable's name"#,
        ),
        (
            json!({ "env": { "": "" } }),
            r#"env: "" cannot be a variable's name"#,
        ),
    ];
    for (fields, message) in cases {
        check(fields, "invalid_value", message);
    }
    for time in [
        "tomorrow",
        "",
        "2030-01-31",
        "2030-01-31T12:00:00",
        "2030-13-31T12:00:00Z",
        "2030-01-31 12:00:00Z",
        "2030-01-31T12:00:00+01:00[Europe/Berlin]",
        "20300131T120000Z",
    ] {
        check(
            json!({ "expires_at": time }),
            "invalid_value",
            &format!("expires_at: {time:?} is not a time"),
        );
    }
    check(
        json!({ "stdin": "a", "tests": [{ "name": "a" }] }),
        "conflicting_fields",
        r#"stdin: excludes "tests", which have their own"#,
    );
}

#[test]
fn a_tolerance_is_for_numbers_and_not_negative() {
    let test = |compare: &str, tolerance: Value| json!({ "tests": [{ "name": "a", "compare": compare, "tolerance": tolerance }] });
    for (name, shown) in [("absolute", "-0.5"), ("relative", "-0.5")] {
        check(
            test("floats", json!({ name: -0.5 })),
            "invalid_value",
            &format!("tests[0].tolerance.{name}: {shown} is less than 0"),
        );
    }
    check(
        test("tokens", json!({ "absolute": 1 })),
        "conflicting_fields",
        "tests[0].tolerance: the test does not compare numbers",
    );
    check(
        test("floats", json!({ "absolute": "1" })),
        "wrong_type",
        "tests[0].tolerance.absolute: expected a number, found string \"1\"",
    );
    check(
        test("floats", json!({ "absolut": 1 })),
        "unknown_field",
        "unknown field \"absolut\" in tests[0].tolerance; did you mean \"absolute\"?",
    );
    let job = Job::parse(&job_with(test("floats", json!({ "relative": 0.25 })))).unwrap();
    let tolerance = job.tests[0].tolerance;
    assert_eq!((tolerance.absolute, tolerance.relative), (0.0, 0.25));
    let job = Job::parse(&job_with(
        json!({ "tests": [{ "name": "a", "compare": "floats" }] }),
    ))
    .unwrap();
    assert_eq!(job.tests[0].tolerance.relative, 1e-6);
}

#[test]
fn a_checker_is_there_when_it_is_asked_for_and_only_then() {
    let judged = json!([{ "name": "a" }, { "name": "b", "compare": "checker" }]);
    let python = json!({ "language": "python", "code": "" });
    assert!(Job::parse(&job_with(json!({ "tests": judged, "checker": python }))).is_ok());
    check(
        json!({ "tests": judged }),
        "missing_field",
        "tests[1].compare: the job has no \"checker\"",
    );
    for tests in [json!([]), json!([{ "name": "a" }])] {
        check(
            json!({ "tests": tests, "checker": python }),
            "conflicting_fields",
            "checker: no test is compared by it",
        );
    }
    for (field, value, code, message) in [
        (
            "language",
            json!("py thon"),
            "invalid_value",
            r#"checker.language: "py thon" is not a valid name"#,
        ),
        (
            "profile",
            json!("python"),
            "invalid_value",
            r#"checker.profile: "python" is not a valid name"#,
        ),
        (
            "limits",
            json!({ "cpu_ms": 0 }),
            "invalid_value",
            "checker.limits.cpu_ms: zero would let nothing run",
        ),
        (
            "files",
            json!([{ "path": "/a", "content": "" }]),
            "invalid_path",
            r#"checker.files[0].path: "/a" is absolute"#,
        ),
        (
            "network",
            json!("proxy"),
            "unknown_field",
            r#"unknown field "network" in checker"#,
        ),
    ] {
        let mut checker = python.clone();
        checker[field] = value;
        check(
            json!({ "tests": judged, "checker": checker }),
            code,
            message,
        );
    }
}

#[test]
fn only_a_job_with_tests_says_how_they_are_run() {
    check(
        json!({ "parallel": 2 }),
        "conflicting_fields",
        "parallel: the job has no tests",
    );
    check(
        json!({ "stop_on_failure": true }),
        "conflicting_fields",
        "stop_on_failure: the job has no tests",
    );
    check(
        json!({ "parallel": 0, "tests": [{ "name": "a" }] }),
        "invalid_value",
        "parallel: zero would let nothing run",
    );
}

#[test]
fn content_is_what_its_encoding_says() {
    let file = |content: &str, encoding: &str| json!({ "files": [{ "path": "a.bin", "content": content, "encoding": encoding }] });
    for bad in ["YQ", "Y Q==", "YQ==\n", "_w==", "YR==", "!"] {
        let message = r#"files[0].content: the content of "a.bin" is not base64"#;
        check(file(bad, "base64"), "invalid_base64", message);
    }
    let job = Job::parse(&job_with(file("/w==", "base64"))).unwrap();
    assert_eq!(job.files[0].content, b"\xff");
    let message =
        r#"files[0].encoding: "base46" is not one of utf-8, base64; did you mean "base64"?"#;
    check(file("", "base46"), "invalid_value", message);
}
