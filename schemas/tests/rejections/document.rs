//! The document as a whole: its size, its JSON, its fields and their types.

use glovebox_schemas::job::Job;
use glovebox_schemas::job::caps::MAX_JOB_BYTES;
use serde_json::json;

use crate::{check, job_with, refused, refused_with};

#[test]
fn a_good_job_is_taken() {
    let job = Job::parse(&job_with(
        json!({ "limits": { "wall_ms": 1 }, "expires_at": "2030-01-31T12:00:00+01:00" }),
    ))
    .unwrap();
    assert_eq!(job.limits.wall_ms, Some(1));
    assert_eq!(
        (job.version, &*job.lane, &*job.tenant),
        (1, "default", "default")
    );
    assert_eq!(job.expires_at.unwrap().to_string(), "2030-01-31T11:00:00Z");
}

#[test]
fn null_is_absent_where_a_field_may_be_absent() {
    let bytes = br#"{"id":"a","language":"python","code":"","entrypoint":null,"expires_at":null,"limits":{"cpu_ms":null}}"#;
    assert!(Job::parse(bytes).is_ok());
}

#[test]
fn what_is_no_json_is_refused() {
    let cases: [(&[u8], &str); 7] = [
        (
            b"",
            "the job is not valid JSON: EOF while parsing a value at line 1 column 0",
        ),
        (
            b"{",
            "the job is not valid JSON: EOF while parsing an object at line 1 column 1",
        ),
        (
            b"{\"language\":\"a\"} {}",
            "the job is not valid JSON: trailing characters at line 1 column 18",
        ),
        (
            b"{\"id\": nul}",
            "the job is not valid JSON: expected ident at line 1 column 11",
        ),
        (
            b"{\"language\": \"\xff\"}",
            "the job is not valid JSON: invalid unicode code point at line 1 column 15",
        ),
        (
            b"{\"language\": \"\\ud800\"}",
            "the job is not valid JSON: unexpected end of hex escape at line 1 column 21",
        ),
        (
            b"{\"language\": 1e999}",
            "the job is not valid JSON: number out of range at line 1 column 18",
        ),
    ];
    for (bytes, message) in cases {
        let rejection = refused(bytes);
        assert_eq!(
            (rejection.code, rejection.id),
            ("invalid_json", None),
            "{message}"
        );
        assert_eq!(rejection.message, message);
        assert_eq!(rejection.hint, "send one JSON object in UTF-8");
    }
    assert_eq!(refused(&b"[".repeat(100_000)).code, "wrong_type");
    let deep = [&br#"{"metadata":{"a":"#[..], &b"[".repeat(100_000)].concat();
    assert_eq!(refused(&deep).code, "wrong_type");
}

#[test]
fn a_large_message_is_refused_before_it_is_parsed() {
    let rejection = refused(&vec![b'['; 17 * 1024 * 1024]);
    assert_eq!((rejection.code, rejection.id), ("too_large", None));
    assert_eq!(
        rejection.message,
        "the job is too large: 17825792 bytes, at most 16777216 are read"
    );
    let mut fits = job_with(json!({ "stdin": "" }));
    fits.resize(MAX_JOB_BYTES, b' ');
    assert!(Job::parse(&fits).is_ok());
    fits.push(b' ');
    assert_eq!(refused(&fits).code, "too_large");
}

#[test]
fn unknown_fields_are_named_at_every_level() {
    let (code, message, hint) = refused_with(json!({ "language": null, "langauge": "python" }));
    assert_eq!(code, "unknown_field");
    assert_eq!(
        message,
        r#"unknown field "langauge"; did you mean "language"?"#
    );
    assert_eq!(hint, r#"rename it to "language""#);

    let cases = [
        (
            json!({ "limits": { "walltime": 1 } }),
            r#"unknown field "walltime" in limits; did you mean "wall_ms"?"#,
        ),
        (
            json!({ "files": [{ "path": "a", "content": "", "mode": 1 }] }),
            r#"unknown field "mode" in files[0]"#,
        ),
        (
            json!({ "tests": [{ "name": "a", "expected": "" }] }),
            r#"unknown field "expected" in tests[0]; did you mean "expected_stdout"?"#,
        ),
        (
            json!({ "expiresAt": 1 }),
            r#"unknown field "expiresAt"; did you mean "expires_at"?"#,
        ),
        (
            json!({ "x`, expected `y": 1 }),
            r#"unknown field "x`, expected `y""#,
        ),
        (json!({ "": 1 }), r#"unknown field """#),
    ];
    for (fields, message) in cases {
        check(fields, "unknown_field", message);
    }
    let (_, _, hint) = refused_with(json!({ "tests": [{ "name": "a", "zzz": "" }] }));
    assert_eq!(
        hint,
        "remove it; the fields here are name, stdin, args, expected_stdout, compare, tolerance"
    );
}

#[test]
fn wrong_types_are_named_with_their_path() {
    let cases = [
        (
            json!({ "language": 3 }),
            "language: expected a string, found integer `3`",
        ),
        (
            json!({ "args": "a" }),
            r#"args: expected a list, found string "a""#,
        ),
        (
            json!({ "args": ["a", 1] }),
            "args[1]: expected a string, found integer `1`",
        ),
        (
            json!({ "env": [] }),
            "env: expected an object of strings, found a list",
        ),
        (
            json!({ "env": { "A": 1 } }),
            "env.A: expected a string, found integer `1`",
        ),
        (
            json!({ "stream": "yes" }),
            r#"stream: expected a boolean, found string "yes""#,
        ),
        (
            json!({ "files": [{ "path": "a", "content": "" }, []] }),
            "files[1]: expected an object, found a list",
        ),
        (
            json!({ "files": [{ "path": ["a"], "content": "" }] }),
            "files[0].path: expected a string, found a list",
        ),
        (
            json!({ "limits": [] }),
            "limits: expected an object, found a list",
        ),
        (
            json!({ "limits": { "wall_ms": "1s" } }),
            r#"limits.wall_ms: expected a positive whole number, found string "1s""#,
        ),
        (
            json!({ "limits": { "wall_ms": 1.5 } }),
            "limits.wall_ms: expected a positive whole number, found floating point `1.5`",
        ),
        (
            json!({ "network": { "proxy": {} } }),
            "network: expected a string, found an object",
        ),
        (
            json!({ "version": "1" }),
            r#"version: expected a whole number, found string "1""#,
        ),
    ];
    for (fields, message) in cases {
        check(fields, "wrong_type", message);
    }
    let (_, _, hint) = refused_with(json!({ "limits": { "wall_ms": "1s" } }));
    assert_eq!(hint, "write limits.wall_ms as a positive whole number");
    assert_eq!(
        refused(b"[1]").message,
        "the job: expected an object, found a list"
    );
    assert_eq!(
        refused(b"null").message,
        "the job: expected an object, found null"
    );
}

#[test]
fn fields_are_named_once_and_none_is_missing() {
    let twice = br#"{"id":"job-1","language":"a","language":"b","code":""}"#;
    assert_eq!(refused(twice).message, r#"duplicate field "language""#);
    assert_eq!(refused(twice).id.unwrap().as_str(), "job-1");
    let nested = br#"{"id":"job-1","language":"a","code":"","env":{"A":"1","A":"2"}}"#;
    assert_eq!(
        (refused(nested).code, &*refused(nested).message),
        ("duplicate_field", r#"duplicate field "A" in env"#)
    );
    let ids = br#"{"id":"a","id":"b","language":"a","code":""}"#;
    assert_eq!(
        (refused(ids).code, refused(ids).id),
        ("duplicate_field", None)
    );

    check(
        json!({ "language": null }),
        "missing_field",
        r#"missing field "language""#,
    );
    check(
        json!({ "files": [{ "path": "a" }] }),
        "missing_field",
        r#"missing field "content" in files[0]"#,
    );
    check(
        json!({ "code": null }),
        "missing_field",
        r#"the job has neither "code" nor "files""#,
    );
    assert_eq!(
        refused(br#"{"language":"a","code":""}"#).message,
        r#"missing field "id""#
    );
    assert!(Job::parse_submission(br#"{"language":"a","code":""}"#).is_ok());
}

#[test]
fn other_versions_are_refused_whatever_else_they_hold() {
    let message = "version: this Glovebox reads a job of version 1, found 2";
    check(json!({ "version": 2 }), "unsupported_version", message);
    check(
        json!({ "version": 2, "brand_new": [], "limits": 7 }),
        "unsupported_version",
        message,
    );
    assert_eq!(
        refused_with(json!({ "version": 0 })).0,
        "unsupported_version"
    );
    assert_eq!(
        refused_with(json!({ "version": u64::MAX })).0,
        "unsupported_version"
    );
    assert_eq!(refused_with(json!({ "version": -1 })).0, "invalid_value");
}
