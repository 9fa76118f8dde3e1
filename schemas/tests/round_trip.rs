//! What is sent is what arrives, and nothing that arrives makes a reader panic.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use glovebox_schemas::control::{Cancel, Control, Serve};
use glovebox_schemas::job::{
    Callback, Checker, Compare, Job, JobFile, JobId, LimitsRequest, Network, ProxyRequest,
    TestCase, Tolerance,
};
use glovebox_schemas::result::{Encoding, ErrorInfo, JobResult, Limit, Status};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

fn limits() -> impl Strategy<Value = LimitsRequest> {
    let limit = || option::of(1..=u64::MAX);
    (limit(), limit(), limit(), limit(), limit(), limit()).prop_map(
        |(wall_ms, cpu_ms, memory_bytes, disk_bytes, output_bytes, processes)| LimitsRequest {
            wall_ms,
            cpu_ms,
            memory_bytes,
            disk_bytes,
            output_bytes,
            processes,
        },
    )
}

fn proxy() -> impl Strategy<Value = ProxyRequest> {
    (
        vec("[a-z0-9.*:/-]{1,20}", 0..3),
        vec(1..=u16::MAX, 0..3),
        option::of(1..=u32::MAX),
        option::of(1..=u64::MAX),
        option::of("http://[a-z.]{1,9}:[0-9]{1,4}"),
    )
        .prop_map(
            |(hosts, ports, connections, bytes, upstream)| ProxyRequest {
                hosts,
                ports,
                connections,
                bytes,
                upstream,
            },
        )
}

fn callback() -> impl Strategy<Value = Callback> {
    (
        "https?://[a-z]{1,9}(:[1-9][0-9]{0,3})?/[!-\"$-\\[\\]-~]{0,20}",
        btree_map("x-[a-z]{1,9}", "([!-~]{1,9})?", 0..3),
        any::<bool>(),
    )
        .prop_map(|(url, headers, include_result)| Callback {
            url,
            headers,
            include_result,
        })
}

fn files() -> impl Strategy<Value = Vec<JobFile>> {
    // Each file in a folder of its own: two never conflict.
    vec(("[^/\\pC]{1,8}x", vec(any::<u8>(), 0..64)), 1..5).prop_map(|files| {
        let numbered = files.into_iter().enumerate();
        numbered
            .map(|(i, (name, content))| JobFile {
                path: format!("d{i}/{name}"),
                content,
            })
            .collect()
    })
}

fn tests() -> impl Strategy<Value = Vec<TestCase>> {
    let compare = prop_oneof![
        Just(Compare::Exact),
        Just(Compare::Trimmed),
        Just(Compare::Tokens),
        Just(Compare::UnorderedLines),
        Just(Compare::Floats),
        Just(Compare::Checker),
    ];
    let tolerance = (0.0..1e300, 0.0..1e-3);
    let test = (
        any::<String>(),
        vec("[^\0]{0,9}", 0..3),
        option::of(any::<String>()),
        compare,
        tolerance,
    );
    vec(test, 1..4).prop_map(|tests| {
        let numbered = tests.into_iter().enumerate();
        numbered
            .map(
                |(i, (stdin, args, expected_stdout, compare, (absolute, relative)))| TestCase {
                    name: format!("test {i}"),
                    stdin,
                    args,
                    expected_stdout,
                    compare,
                    tolerance: match compare {
                        Compare::Floats => Tolerance { absolute, relative },
                        _ => Tolerance::default(),
                    },
                },
            )
            .collect()
    })
}

/// What goes with these tests.
fn judged(
    (stdin, args, tests): (String, Vec<String>, Vec<TestCase>),
) -> impl Strategy<Value = Job> {
    let judges = tests.iter().any(|test| test.compare == Compare::Checker);
    let has_tests = !tests.is_empty();
    let checker = ("[a-z]{1,9}", any::<String>(), files(), limits());
    (checker, option::of(1..=u32::MAX), any::<bool>()).prop_map(
        move |((language, code, files, limits), parallel, stop_on_failure)| Job {
            stdin: stdin.clone(),
            args: args.clone(),
            tests: tests.clone(),
            checker: judges.then(|| Checker {
                profile: Some(format!("{language}:data")),
                language,
                code,
                files,
                limits,
            }),
            parallel: parallel.filter(|_| has_tests),
            stop_on_failure: stop_on_failure && has_tests,
            ..Job::new("any")
        },
    )
}

/// What a program gets: either its own input and arguments, or tests that have them.
fn input() -> impl Strategy<Value = (String, Vec<String>, Vec<TestCase>)> {
    prop_oneof![
        (any::<String>(), vec("[^\0]{0,9}", 0..4)).prop_map(|(stdin, args)| (
            stdin,
            args,
            Vec::new()
        )),
        tests().prop_map(|tests| (String::new(), Vec::new(), tests)),
    ]
}

fn job() -> impl Strategy<Value = Job> {
    let program = (
        "[A-Za-z0-9_-]{1,64}",
        "[a-zA-Z0-9+#._-]{1,9}",
        option::of(any::<String>()),
        files(),
    );
    let strings = || btree_map("[A-Z_][A-Z0-9_]{0,8}", "[^\0]{0,9}", 0..4);
    let wishes = (
        strings(),
        limits(),
        (option::of(proxy()), option::of("[a-z0-9][a-z0-9._-]{0,63}")),
        (any::<bool>(), option::of(callback())),
        "[a-z0-9-]{1,32}",
        "[A-Za-z0-9_.-]{1,64}",
    );
    let ends = (
        option::of((0_i64..253_402_200_000, 0_i32..1_000_000_000)),
        strings(),
    );
    (program, input().prop_flat_map(judged), wishes, ends).prop_map(
        |((id, language, code, files), input, wishes, (expires_at, metadata))| {
            let (env, limits, (proxy, environment), (stream, callback), lane, tenant) = wishes;
            let expires_at = expires_at.map(|(s, ns)| jiff::Timestamp::new(s, ns).unwrap());
            let (network, proxy) = match proxy {
                Some(asked) => (Network::Proxy, asked),
                None => (Network::None, ProxyRequest::default()),
            };
            let profile = environment.map(|name| format!("{language}:{name}"));
            let id = id.parse().unwrap();
            let entrypoint = Some(files[0].path.clone());
            let outputs = vec!["**/*.png".into()];
            Job {
                id,
                code,
                files,
                entrypoint,
                env,
                limits,
                network,
                proxy,
                profile,
                outputs,
                lane,
                tenant,
                expires_at,
                stream,
                metadata,
                callback,
                language,
                ..input
            }
        },
    )
}

proptest! {
    #[test]
    fn a_job_arrives_as_it_was_sent(job in job()) {
        prop_assert_eq!(Job::parse(&job.to_wire_json()), Ok(job));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..256)) {
        prop_assert!(Job::parse(&bytes).is_err());
        prop_assert!(Cancel::parse(&bytes).is_err());
    }

    #[test]
    fn a_damaged_job_never_panics(job in job(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = job.to_wire_json();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(job) = Job::parse(&bytes) {
            prop_assert_eq!(job.checked(), Ok(job));
        }
    }

    #[test]
    fn ids_and_paths_in_a_job_are_safe_whatever_was_sent(id in any::<String>(), path in "[./a\0]{0,6}") {
        let document = serde_json::json!({ "id": id, "language": "a", "files": [{ "path": path, "content": "" }] });
        if let Ok(job) = Job::parse(document.to_string().as_bytes()) {
            prop_assert!(!job.id.as_str().contains(['/', ':', '.']));
            let normal = |c| matches!(c, std::path::Component::Normal(_));
            prop_assert!(std::path::Path::new(&job.files[0].path).components().all(normal));
        }
    }
}

#[test]
fn the_smallest_job_says_only_what_is_not_default() {
    let job = Job {
        id: "a".parse().unwrap(),
        code: Some("1".into()),
        ..Job::new("python")
    };
    let sent = String::from_utf8(job.to_wire_json()).unwrap();
    assert_eq!(
        sent,
        r#"{"version":1,"id":"a","language":"python","code":"1"}"#
    );
    assert_eq!(serde_json::to_string(&job).unwrap(), sent);
}

#[test]
fn a_job_that_was_built_wrong_is_found_out_before_it_is_sent() {
    let job = Job {
        code: Some(String::new()),
        lane: "No".into(),
        ..Job::new("python")
    };
    assert_eq!(
        job.checked().unwrap_err().message,
        r#"lane: "No" is not a valid name"#
    );
}

#[test]
fn a_result_is_read_back_and_unknown_fields_are_skipped() {
    let mut result = JobResult::new(JobId::new_v7(), Status::LimitExceeded, "runner-1");
    result.limit = Some(Limit::WallTime);
    result.encoding = Encoding::Base64;
    result.metadata = BTreeMap::from([("a".into(), "b".into())]);
    assert_eq!(JobResult::from_json(&result.to_json()).unwrap(), result);

    let mut newer: serde_json::Value = serde_json::from_slice(&result.to_json()).unwrap();
    newer["brand_new"] = serde_json::json!({ "a": [1] });
    newer["times"]["brand_new"] = 1.into();
    newer["version"] = 2.into();
    let read = JobResult::from_json(newer.to_string().as_bytes()).unwrap();
    assert_eq!(
        read,
        JobResult {
            version: 2,
            ..result
        }
    );

    let oldest = JobResult::from_json(br#"{"id":"a","status":"succeeded"}"#).unwrap();
    assert_eq!((oldest.version, oldest.status), (1, Status::Succeeded));
}

#[test]
fn a_rejection_becomes_a_result() {
    let rejection = Job::parse(br#"{"id":"a","langauge":"python"}"#).unwrap_err();
    let result = JobResult::rejected(rejection.id.clone().unwrap(), &rejection, "runner-1");
    assert_eq!(
        (result.status, &*result.runner),
        (Status::Rejected, "runner-1")
    );
    let error = ErrorInfo {
        code: "unknown_field".into(),
        message: r#"unknown field "langauge"; did you mean "language"?"#.into(),
        hint: r#"rename it to "language""#.into(),
    };
    assert_eq!(result.error, Some(error));
}

#[test]
fn cancellations_are_read_strictly() {
    let cancel = Cancel::new("a".parse().unwrap());
    assert_eq!(Cancel::parse(&cancel.to_wire_json()), Ok(cancel));
    let cases: [(&[u8], &str); 6] = [
        (br#"{"version":1}"#, "missing_field"),
        (br#"{"id":"a/b"}"#, "invalid_id"),
        (br#"{"id":"a","why":""}"#, "unknown_field"),
        (br#"{"version":2,"id":"a","why":""}"#, "unsupported_version"),
        (br#"["1","a"]"#, "wrong_type"),
        (&[b' '; 5_000], "too_large"),
    ];
    for (bytes, code) in cases {
        assert_eq!(Cancel::parse(bytes).unwrap_err().code, code);
    }
}

#[test]
fn a_control_message_is_a_cancellation_or_an_announcement() {
    let cancel = Cancel::new("a".parse().unwrap());
    let read = Control::parse(&cancel.to_wire_json());
    assert_eq!(read, Ok(Control::Cancel(cancel)));
    let serve = Serve::new("batch", "acme");
    let read = Control::parse(&serve.to_wire_json());
    assert_eq!(read, Ok(Control::Serve(serve)));
    for bytes in [
        &br#"{"lane":"batch"}"#[..],
        br#"{"lane":"a.b","tenant":"acme"}"#,
        br#"{"lane":"batch","tenant":"*"}"#,
        br#"{"lane":"batch","tenant":"acme","id":"a"}"#,
        br#"{"version":2,"lane":"batch","tenant":"acme"}"#,
    ] {
        assert!(Control::parse(bytes).is_err(), "{bytes:?}");
    }
}
