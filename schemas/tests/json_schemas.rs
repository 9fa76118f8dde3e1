//! The checked-in schemas are the generated ones, and they describe what the code takes and writes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use glovebox_schemas::callback::Notice;
use glovebox_schemas::control::{Cancel, Serve};
use glovebox_schemas::job::{Job, JobId};
use glovebox_schemas::json_schemas;
use glovebox_schemas::result::{
    Connection, Denied, ErrorInfo, JobResult, Limit, OutputFile, Ran, Status, TestResult, Times,
    Usage, Verdict, encode_output, millis,
};
use jsonschema::Validator;
use serde_json::{Value, json};

fn validator(name: &str) -> Validator {
    let (_, schema) = json_schemas()
        .into_iter()
        .find(|(file, _)| *file == name)
        .unwrap();
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&serde_json::from_str(&schema).unwrap())
        .unwrap()
}

#[test]
fn checked_in_schemas_are_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("json");
    for (name, generated) in json_schemas() {
        let checked_in = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(
            checked_in == generated,
            "schemas/json/{name} is not what the types say: run `cargo run -- schemas`, and read its difference \
             as a change of the contract"
        );
    }
}

#[test]
fn good_jobs_satisfy_the_schema() {
    let schema = validator("job.v1.json");
    let jobs = [
        json!({ "id": "a", "language": "python", "code": "print(1)" }),
        json!({ "version": 1, "id": "A-b_9", "language": "c++", "files": [{ "path": "src/a.cc", "content": "" }, { "path": "in.bin", "content": "/w==", "encoding": "base64" }], "entrypoint": "src/a.cc", "stdin": "1 2", "args": ["-v"], "env": { "LANG": "C.UTF-8" }, "limits": { "wall_ms": 1000, "processes": 4 }, "network": "proxy", "outputs": ["out/*.png"], "lane": "slow", "tenant": "a.b", "expires_at": "2030-01-31T12:00:00Z", "stream": true, "callback": { "url": "https://example.org/x?y", "headers": { "Authorization": "z" }, "include_result": false }, "metadata": { "user": "7" } }),
        json!({ "id": "b", "language": "nodejs", "code": "", "entrypoint": null, "tests": [{ "name": "one", "stdin": "1", "args": ["x"], "expected_stdout": "1\n", "compare": "tokens" }, { "name": "two" }] }),
        json!({ "id": "c", "language": "c", "code": "", "parallel": 2, "stop_on_failure": true, "tests": [{ "name": "one", "expected_stdout": "1", "compare": "floats", "tolerance": { "absolute": 0.5 } }, { "name": "two", "compare": "floats", "tolerance": { "relative": 1 } }, { "name": "three", "compare": "unordered_lines" }, { "name": "four", "compare": "checker" }], "checker": { "language": "python", "profile": "python:data", "code": "", "files": [{ "path": "a", "content": "" }], "limits": { "wall_ms": 1 } } }),
    ];
    for written in jobs {
        let job = Job::parse(written.to_string().as_bytes()).unwrap();
        let sent: Value = serde_json::from_slice(&job.to_wire_json()).unwrap();
        for document in [&written, &sent] {
            let flaws: Vec<_> = schema
                .iter_errors(document)
                .map(|flaw| flaw.to_string())
                .collect();
            assert!(flaws.is_empty(), "{document}: {flaws:?}");
        }
    }
}

#[test]
fn bad_jobs_satisfy_neither_the_schema_nor_the_parser() {
    let schema = validator("job.v1.json");
    let wrong = [
        ("id", json!("a/b")),
        ("version", json!(2)),
        ("language", json!("py thon")),
        ("langauge", json!("python")),
        ("code", json!(null)),
        ("files", json!([{ "path": "../x", "content": "" }])),
        ("files", json!([{ "path": "/x", "content": "" }])),
        ("files", json!([{ "path": "x/", "content": "" }])),
        ("files", json!([{ "path": "a\u{7f}", "content": "" }])),
        ("files", json!([{ "path": "x", "content": "", "mode": 1 }])),
        ("outputs", json!(["a/../b"])),
        ("entrypoint", json!("./a")),
        ("limits", json!({ "wall_ms": 0 })),
        ("limits", json!({ "wall_ms": 1.5 })),
        ("limits", json!({ "wall": 1 })),
        ("env", json!({ "A=B": "" })),
        ("env", json!({ "A": 1 })),
        ("lane", json!("Fast")),
        ("tenant", json!("")),
        ("network", json!("all")),
        ("expires_at", json!("tomorrow")),
        ("tests", json!([{ "stdin": "" }])),
        (
            "tests",
            json!([{ "name": "a", "compare": "floats", "tolerance": { "absolute": -1 } }]),
        ),
        (
            "tests",
            json!([{ "name": "a", "compare": "floats", "tolerance": 1 }]),
        ),
        ("parallel", json!(0)),
        ("stop_on_failure", json!("yes")),
        ("checker", json!({ "language": "python" })),
        ("checker", json!("true")),
        ("args", json!(vec![""; 1_001])),
        ("callback", json!({ "url": "ftp://example.org/" })),
        (
            "callback",
            json!({ "url": "https://a.b/", "headers": { "a b": "" } }),
        ),
        ("callback", json!({})),
    ];
    for (field, value) in wrong {
        let mut job = json!({ "id": "a", "language": "python", "code": "" });
        job[field] = value;
        assert!(
            Job::parse(job.to_string().as_bytes()).is_err(),
            "the parser takes {job}"
        );
        assert!(!schema.is_valid(&job), "the schema takes {job}");
    }
}

#[test]
fn results_and_cancellations_satisfy_their_schemas() {
    let schema = validator("result.v1.json");
    let empty = JobResult::new(JobId::new_v7(), Status::Succeeded, "runner-1");
    let denied = vec![Denied {
        syscall: "socket".into(),
        count: 2,
        hint: "no network".into(),
    }];
    let usage = Some(Usage {
        wall_ms: millis(Duration::from_nanos(1_234_567)),
        ..Usage::default()
    });
    let (stdout, stderr, encoding) = encode_output(b"\xff", b"");
    let ran = Ran {
        status: Status::Failed,
        exit_code: None,
        signal: Some("SIGSEGV".into()),
        limit: None,
        stdout: stdout.clone(),
        stderr: stderr.clone(),
        stdout_truncated: false,
        stderr_truncated: true,
        encoding,
        denied: denied.clone(),
        usage,
    };
    let test = TestResult {
        name: "one".into(),
        ran: ran.clone(),
        diff: Some("- 1\n+ 2\n".into()),
        error: Some(ErrorInfo {
            code: "checker_failed".into(),
            message: "the checker ended with exit code 2".into(),
            hint: "mend it".into(),
        }),
    };
    let full = JobResult {
        limit: Some(Limit::Memory),
        exit_code: Some(137),
        times: Times {
            started_at: Some(jiff::Timestamp::now()),
            run_ms: Some(1.5),
            ..Times::default()
        },
        compile: Some(ran),
        connections: vec![Connection {
            host: "example.org".into(),
            port: 443,
            verdict: Verdict::ByteLimit,
            bytes_sent: 1,
            bytes_received: 2,
            hint: "ask for more".into(),
        }],
        files: vec![OutputFile::new("a.bin", b"\xff")],
        tests: vec![test],
        stdout,
        stderr,
        encoding,
        denied,
        usage,
        ..empty.clone()
    };
    assert_eq!(full.usage.unwrap().wall_ms, 1.235);
    for result in [empty, full.clone()] {
        let document: Value = serde_json::from_slice(&result.to_json()).unwrap();
        let flaws: Vec<_> = schema
            .iter_errors(&document)
            .map(|flaw| flaw.to_string())
            .collect();
        assert!(flaws.is_empty(), "{flaws:?}");
        let mut contract = [
            "version",
            "id",
            "status",
            "exit_code",
            "signal",
            "limit",
            "stdout",
            "stderr",
            "stdout_truncated",
            "stderr_truncated",
            "encoding",
            "denied",
            "usage",
            "times",
            "attempt",
            "earlier_attempts",
            "runner",
            "profile",
            "compile",
            "connections",
            "connections_omitted",
            "tests",
            "files",
            "error",
            "metadata",
        ];
        contract.sort_unstable();
        assert!(
            document.as_object().unwrap().keys().eq(contract),
            "fields are those of the contract"
        );
    }
    let notice = Notice::new(&Job::new("python"), &full, true);
    let notice = serde_json::to_value(notice).unwrap();
    assert!(validator("callback.v1.json").is_valid(&notice));
    let cancel = serde_json::from_slice(&Cancel::new(JobId::new_v7()).to_wire_json()).unwrap();
    assert!(validator("cancel.v1.json").is_valid(&cancel));
    let serve = serde_json::from_slice(&Serve::new("batch", "acme").to_wire_json()).unwrap();
    assert!(validator("serve.v1.json").is_valid(&serve));
}
