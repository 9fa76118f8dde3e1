//! Too much of anything, and texts that are written to harm whoever reads the message.

use glovebox_schemas::job::caps::{MAX_ARG_BYTES, MAX_FILES};
use serde_json::{Value, json};

use crate::{check, job_with, refused, refused_with};

#[test]
fn there_is_not_too_much_of_anything() {
    let files: Vec<_> = (0..=MAX_FILES)
        .map(|i| json!({ "path": format!("f{i}"), "content": "" }))
        .collect();
    check(
        json!({ "files": files }),
        "too_many",
        "files: too many, expected at most 1000 items",
    );
    check(
        json!({ "args": vec![""; 1_001] }),
        "too_many",
        "args: too many, expected at most 1000 items",
    );
    check(
        json!({ "outputs": vec!["a"; 101] }),
        "too_many",
        "outputs: too many, expected at most 100 items",
    );
    let tests: Vec<_> = (0..1_001)
        .map(|i| json!({ "name": i.to_string() }))
        .collect();
    check(
        json!({ "tests": tests }),
        "too_many",
        "tests: too many, expected at most 1000 items",
    );
    let metadata: Value = (0..65)
        .map(|i| (i.to_string(), json!("")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    check(
        json!({ "metadata": metadata }),
        "too_many",
        "metadata: too many, expected at most 64 entries",
    );

    let over = "x".repeat(MAX_ARG_BYTES + 1);
    check(
        json!({ "args": [over] }),
        "too_long",
        "args[0]: 102401 bytes, at most 102400 are allowed",
    );
    check(
        json!({ "env": { "A": over } }),
        "too_long",
        "env.A: 102403 bytes, at most 102400 are allowed",
    );
    let half = "x".repeat(64 * 1024);
    let message = "args: 131076 bytes together with env, at most 131072 are allowed";
    check(
        json!({ "args": [half], "env": { "A": half } }),
        "too_long",
        message,
    );
    let message = "tests[0].args: 131074 bytes together with env, at most 131072 are allowed";
    check(
        json!({ "tests": [{ "name": "a", "args": [half, half] }] }),
        "too_long",
        message,
    );
    check(
        json!({ "metadata": { "a": "x".repeat(16 * 1024) } }),
        "too_long",
        "metadata: 16385 bytes, at most 16384 are allowed",
    );
}

#[test]
fn hostile_texts_are_never_echoed_whole() {
    let hostile = "\u{1b}]0;\u{7}\n\u{202e}\u{9b}".repeat(50_000);
    for fields in [
        json!({ (hostile.clone()): 1 }),
        json!({ "limits": { "wall_ms": hostile } }),
        json!({ "limits": { (hostile.clone()): 1 } }),
        json!({ "env": { (hostile.clone()): 1 } }),
        json!({ "env": { (hostile.clone()): "" } }),
        json!({ "metadata": { (hostile.clone()): [] } }),
        json!({ "network": hostile }),
        json!({ "language": hostile }),
        json!({ "expires_at": hostile }),
        json!({ "tests": [{ "name": hostile }] }),
        json!({ "files": [{ "path": hostile, "content": "" }] }),
        json!({ "stream": hostile }),
    ] {
        let (_, message, _) = refused_with(fields);
        assert!(
            message.chars().count() < 400 && !message.contains('\u{202e}'),
            "{message}"
        );
    }
    refused(&job_with(json!({ "id": hostile })));
    refused(format!("{{\"env\":{{{0:?}:\"\",{0:?}:\"\"}}}}", "x".repeat(10_000)).as_bytes());
}
