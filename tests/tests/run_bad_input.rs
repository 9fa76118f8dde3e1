//! A job that is wrong is refused before anything is started, by the name of its field, with the mend.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_tests::cli::Cli;
use glovebox_tests::run::{NOT_STARTED, Run};
use serde_json::{Value, json};

/// The exit code of wrong usage, and what stderr has to say.
fn refused(document: &str, says: &[&str]) {
    let ended = Cli::new(&["run", "--job", "-", "--json"])
        .stdin(document)
        .finish();
    assert_eq!(ended.code(), 2, "{document}: {ended}");
    assert_eq!(ended.stdout_text(), "", "{document}");
    let stderr = ended.stderr();
    assert!(stderr.starts_with("glovebox: "), "{document}: {stderr}");
    for text in says {
        assert!(
            stderr.contains(text),
            "{document} does not say {text:?}: {stderr}"
        );
    }
    assert!(stderr.contains("\n  mend: "), "{document}: {stderr}");
}

/// A good job with these fields laid over it.
fn job(differences: &Value) -> String {
    let mut job = json!({"language": "python", "code": "print(1)"});
    for (field, value) in differences.as_object().unwrap() {
        job[field] = value.clone();
    }
    job.to_string()
}

#[test]
fn what_is_no_json() {
    for (document, says) in [
        ("", "JSON"),
        ("{", "JSON"),
        ("null", "object"),
        ("[]", "object"),
        ("\"python\"", "object"),
        ("{\"language\": \"python\", \"code\": \"x\"} x", "JSON"),
        ("{\"language\": \"python\", \"code\": \"x\",}", "JSON"),
    ] {
        refused(document, &[says]);
    }
}

#[test]
fn what_is_no_text() {
    let ended = Cli::new(&["run", "--job", "-"])
        .stdin(b"{\"language\": \"\xff\"}".to_vec())
        .finish();
    assert_eq!(ended.code(), 2, "{ended}");
    assert!(ended.stderr().contains("UTF-8"), "{ended}");
}

#[test]
fn what_is_far_too_deep_or_long() {
    refused(
        &format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
        &[],
    );
    let ended = Cli::new(&["run", "--job", "-"])
        .stdin(job(&json!({"code": "x".repeat(17 << 20)})))
        .finish();
    assert_eq!(ended.code(), 2, "{ended}");
    assert!(
        ended.stderr().contains("larger than a job may be"),
        "{ended}"
    );
}

#[test]
fn a_field_that_is_not_known() {
    refused(
        &job(&json!({"langauge": "python"})),
        &["\"langauge\"", "\"language\""],
    );
    refused(
        &job(&json!({"limits": {"wall": 1}})),
        &["limits", "\"wall\"", "wall_ms"],
    );
    refused(
        &job(&json!({"files": [{"path": "x", "text": ""}]})),
        &["files[0]", "\"text\""],
    );
    refused(
        &job(&json!({"tests": [{"name": "x", "expected": ""}]})),
        &["tests[0]", "\"expected\"", "expected_stdout"],
    );
}

#[test]
fn a_field_that_is_missing() {
    refused("{}", &["language"]);
    refused(
        &json!({"language": "python"}).to_string(),
        &["code", "files"],
    );
    refused(
        &job(&json!({"files": [{"path": "x"}]})),
        &["files[0]", "content"],
    );
}

#[test]
fn a_field_given_twice() {
    refused(
        "{\"language\": \"python\", \"language\": \"nodejs\", \"code\": \"\"}",
        &["language"],
    );
}

#[test]
fn a_field_of_the_wrong_type() {
    for (differences, field) in [
        (json!({"language": 3}), "language"),
        (json!({"code": ["print(1)"]}), "code"),
        (json!({"files": {}}), "files"),
        (json!({"args": "x"}), "args"),
        (json!({"args": [1]}), "args[0]"),
        (json!({"env": {"X": 1}}), "env.X"),
        (json!({"limits": {"wall_ms": "10s"}}), "limits.wall_ms"),
        (json!({"limits": {"wall_ms": 1.5}}), "limits.wall_ms"),
        (
            json!({"limits": {"memory_bytes": -1}}),
            "limits.memory_bytes",
        ),
        (json!({"limits": []}), "limits"),
        (json!({"stream": "yes"}), "stream"),
        (json!({"metadata": {"x": {}}}), "metadata.x"),
        (json!({"tests": "x"}), "tests"),
        (json!({"version": "1"}), "version"),
    ] {
        refused(&job(&differences), &[field]);
    }
}

#[test]
fn a_value_that_is_not_allowed() {
    for (differences, field) in [
        (json!({"version": 2}), "version"),
        (json!({"id": "a/b"}), "id"),
        (json!({"id": ""}), "id"),
        (json!({"id": "x".repeat(65)}), "id"),
        (json!({"id": "../x"}), "id"),
        (json!({"language": "py thon"}), "language"),
        (json!({"language": "../python"}), "language"),
        (json!({"network": "host"}), "network"),
        (json!({"lane": "UPPER"}), "lane"),
        (json!({"tenant": "a/b"}), "tenant"),
        (json!({"limits": {"cpu_ms": 0}}), "limits.cpu_ms"),
        (json!({"expires_at": "tomorrow"}), "expires_at"),
        (json!({"env": {"A=B": ""}}), "env"),
        (json!({"env": {"1A": ""}}), "env"),
        (json!({"args": ["\u{0}"]}), "args[0]"),
        (
            json!({"tests": [{"name": "x"}, {"name": "x"}]}),
            "tests[1].name",
        ),
        (
            json!({"tests": [{"name": "x", "compare": "fuzzy"}]}),
            "tests[0].compare",
        ),
        (json!({"tests": [{"name": "x"}], "stdin": "y"}), "stdin"),
        (
            json!({"files": [{"path": "x", "content": "", "encoding": "utf-16"}]}),
            "files[0].encoding",
        ),
    ] {
        refused(&job(&differences), &[field]);
    }
}

#[test]
fn a_path_that_leads_elsewhere() {
    for path in [
        "../x",
        "/etc/passwd",
        "a/../../x",
        "a/../b",
        "a//b",
        "./a",
        "a/.",
        "a/",
        "",
        ".",
        "..",
        "a\u{0}b",
        "a\nb",
    ] {
        let file = json!({"files": [{"path": path, "content": ""}]});
        refused(
            &job(&file),
            &["files[0].path", "relative to the working folder"],
        );
        refused(
            &job(&json!({"outputs": [path]})),
            &["outputs[0]", "relative to the working folder"],
        );
        refused(
            &job(&json!({"entrypoint": path})),
            &["entrypoint", "relative to the working folder"],
        );
    }
    refused(
        &job(&json!({"files": [{"path": "x".repeat(256), "content": ""}]})),
        &["files[0].path"],
    );
    refused(
        &job(&json!({"files": [{"path": "x/".repeat(600) + "x", "content": ""}]})),
        &["files[0].path"],
    );
}

#[test]
fn files_that_stand_in_each_others_way() {
    let files = |one: &str, other: &str| {
        job(&json!({"files": [{"path": one, "content": ""}, {"path": other, "content": ""}]}))
    };
    refused(&files("a", "a"), &["files[1].path", "files[0]"]);
    refused(&files("a/b", "a"), &["files[0].path", "files[1]"]);
    refused(&files("a", "a/b/c"), &["files[1].path", "files[0]"]);
}

#[test]
fn content_that_is_no_base64() {
    for content in ["***", "QQ", "QQ==\n", "Q Q=", "_-8="] {
        let file = json!({"files": [{"path": "x", "content": content, "encoding": "base64"}]});
        refused(&job(&file), &["files[0].content", "base64"]);
    }
}

#[test]
fn too_much_of_something() {
    refused(&job(&json!({"args": vec!["x"; 1001]})), &["args"]);
    refused(
        &job(&json!({"args": ["x".repeat(200_000)]})),
        &["args[0]", "stdin"],
    );
    refused(&job(&json!({"outputs": vec!["x"; 101]})), &["outputs"]);
    refused(
        &job(&json!({"metadata": {"x": "y".repeat(20_000)}})),
        &["metadata"],
    );
    let files: Vec<_> = (0..1001)
        .map(|n| json!({"path": n.to_string(), "content": ""}))
        .collect();
    refused(&job(&json!({"files": files})), &["files"]);
}

// ---- what only the profile can tell: a result of its own

/// A result that says so.
fn rejected(run: &Run, code: &str, message: &str, hint: &str) {
    run.result().expect(json!({
        "status": "rejected", "profile": null, "usage": null, "times": NOT_STARTED,
        "error": {"code": code, "message": message, "hint": hint},
    }));
}

#[test]
fn what_the_profile_does_not_offer() {
    rejected(
        &Run::new("pyhton").with("code", ""),
        "unknown_language",
        "language: \"pyhton\" is not known here",
        "did you mean \"python\"?",
    );
    rejected(
        &Run::new("cobol").with("code", ""),
        "unknown_language",
        "language: \"cobol\" is not known here",
        "this runner knows: bash, c, cpp, go, java, lua, nodejs, perl, php, python, r, ruby, rust, sqlite, typescript",
    );
    rejected(
        &Run::new("sqlite").with("code", "").with("network", "proxy"),
        "network_not_offered",
        "network: the profile \"sqlite\" does not offer \"proxy\"",
        "use one of: none",
    );
    rejected(
        &Run::python("")
            .with("entrypoint", "other.py")
            .with("code", Value::Null)
            .file("main.py", ""),
        "missing_entrypoint",
        "entrypoint: no file \"other.py\" is in the job",
        "put it into `files`, or name another one in `entrypoint`",
    );
    rejected(
        &Run::python("").file("main.py", ""),
        "conflicting_fields",
        "code: it becomes the file \"main.py\", which \"main.py\" stands in the way of",
        "send the program either as `code` or as a file",
    );
}

#[test]
fn metadata_of_a_rejected_job_comes_back() {
    let outcome = Run::new("cobol")
        .with("code", "")
        .with("metadata", json!({"a": "b"}))
        .result();
    assert_eq!(
        outcome.result.metadata.get("a").map(String::as_str),
        Some("b")
    );
    assert_eq!(outcome.result.status.as_str(), "rejected");
}

#[test]
fn a_glob_that_is_none() {
    for glob in ["[", "a{b", "[z-a]"] {
        let outcome = Run::python("print(1)")
            .with("outputs", json!([glob]))
            .result();
        let result = &outcome.result;
        assert_eq!(result.status.as_str(), "rejected", "{glob}: {result:?}");
        assert!(
            result
                .error
                .as_ref()
                .unwrap()
                .message
                .contains("outputs[0]"),
            "{result:?}"
        );
    }
}

#[test]
fn a_job_that_came_too_late() {
    let run = Run::python("print(1)").with("metadata", json!({"a": "b"}));
    run.clone().with("expires_at", "2020-01-01T00:00:00Z").result().expect(json!({
        "status": "expired", "profile": null, "usage": null, "times": NOT_STARTED, "metadata": {"a": "b"},
    }));
    run.with("expires_at", "2099-01-01T00:00:00+02:00")
        .result()
        .expect(json!({
            "stdout": "1\n", "metadata": {"a": "b"},
        }));
}
