//! Callbacks that cannot be sent, or would say more than is meant.

use glovebox_schemas::job::Job;
use serde_json::{Value, json};

use crate::{check, job_with, refused_with};

fn with_url(url: &str) -> Value {
    json!({ "callback": { "url": url } })
}

#[test]
fn a_url_has_one_meaning() {
    for url in [
        "",
        "example.org/x",
        "//example.org/x",
        "ftp://example.org/",
        "file:///etc/passwd",
        "HTTP://example.org/",
        "http:/example.org/",
        "http:///x",
        "http://",
        "http://example.org:0/",
        "http://example.org:65536/",
        "http://[::1/",
        " http://example.org/",
        "http://example.org/\r\nX: 1",
        "http://exa mple.org/",
        "http://example.org\\@evil.org/",
        "http://bücher.example/",
    ] {
        check(
            with_url(url),
            "invalid_value",
            "callback.url: it is not an absolute URL of http or https",
        );
    }
    for url in ["http://127.0.0.1:8080/x?y=1", "https://[2001:db8::1]/"] {
        assert!(Job::parse(&job_with(with_url(url))).is_ok(), "{url}");
    }
}

#[test]
fn a_secret_is_in_no_url_and_in_no_refusal() {
    for (url, why) in [
        ("https://user@example.org/", "user or password"),
        ("https://user:s3cret@example.org/", "user or password"),
        ("https://:s3cret@example.org/", "user or password"),
        ("https://example.org/#s3cret", "fragment"),
        ("s3cret", "not an absolute URL"),
    ] {
        let (code, message, hint) = refused_with(with_url(url));
        assert_eq!(code, "invalid_value");
        assert!(message.contains(why), "{message}");
        assert!(!format!("{message} {hint}").contains("s3cret"), "{message}");
    }
    let long = format!("https://example.org/{}", "x".repeat(2_048));
    let message = "callback.url: 2068 bytes, at most 2048 are allowed";
    check(with_url(&long), "too_long", message);
}

#[test]
fn headers_are_few_and_never_those_of_the_connection() {
    let with =
        |headers: Value| json!({ "callback": { "url": "https://a.b/", "headers": headers } });
    for name in [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "Connection",
        "Keep-Alive",
        "TE",
        "Upgrade",
        "Proxy-Authorization",
        "Content-Type",
        "Glovebox-Signature",
    ] {
        let message = format!("callback.headers: {name:?} is not the job's to set");
        check(with(json!({ name: "1" })), "invalid_value", &message);
    }
    for name in ["", "a b", "a:b", "ä", "a\r\nb"] {
        let (code, message, _) = refused_with(with(json!({ name: "1" })));
        assert_eq!(code, "invalid_value");
        assert!(message.contains("cannot be a header's name"), "{message}");
    }
    for value in ["a\r\nb", "\t", " a", "a ", "ä", "\0"] {
        let message = r#"callback.headers: "X" has a value that cannot be sent"#;
        check(with(json!({ "X": value })), "invalid_value", message);
    }
    check(
        with(json!({ "X-A": "1", "x-a": "2" })),
        "invalid_value",
        r#"callback.headers: "x-a" is there twice"#,
    );
    let many: serde_json::Map<_, _> = (0..17).map(|n| (format!("x-{n}"), "1".into())).collect();
    assert_eq!(refused_with(with(many.into())).0, "too_many");
    let large = with(json!({ "x": "y".repeat(8 * 1024) }));
    assert_eq!(refused_with(large).0, "too_long");
    let fine = with(json!({ "Authorization": "Bearer x", "X-Empty": "" }));
    assert!(Job::parse(&job_with(fine)).is_ok());
}

#[test]
fn a_mistyped_field_is_named() {
    let fields = json!({ "callback": { "url": "https://a.b/", "header": {} } });
    let (code, message, _) = refused_with(fields);
    assert_eq!(code, "unknown_field");
    assert!(message.contains("callback"), "{message}");
    assert_eq!(refused_with(json!({ "callback": {} })).0, "missing_field");
    assert_eq!(
        refused_with(json!({ "callback": "https://a.b/" })).0,
        "wrong_type"
    );
}
