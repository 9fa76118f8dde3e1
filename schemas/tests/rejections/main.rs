//! Every way in which a job can be wrong, and what its sender is told.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod amounts;
mod callback;
mod document;
mod paths;
mod values;

use glovebox_schemas::job::{Job, Rejection};
use serde_json::{Value, json};

/// A good job with these fields put into it; `null` takes one away.
fn job_with(fields: Value) -> Vec<u8> {
    let mut job = json!({ "id": "job-1", "language": "python", "code": "print(1)" });
    for (name, value) in fields.as_object().unwrap() {
        if value.is_null() {
            job.as_object_mut().unwrap().remove(name);
        } else {
            job[name] = value.clone();
        }
    }
    serde_json::to_vec(&job).unwrap()
}

fn refused(bytes: &[u8]) -> Rejection {
    let rejection = Job::parse(bytes).expect_err("this job should be refused");
    for text in [&rejection.message, &rejection.hint] {
        assert!(
            !text.is_empty() && text.len() < 1_000,
            "{} bytes: {text}",
            text.len()
        );
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    rejection
}

/// The rejection of a good job with these fields put into it, which always knows the id.
fn refused_with(fields: Value) -> (&'static str, String, String) {
    let rejection = refused(&job_with(fields));
    assert_eq!(
        rejection.id.as_ref().map(ToString::to_string).as_deref(),
        Some("job-1"),
        "{rejection}"
    );
    (rejection.code, rejection.message, rejection.hint)
}

#[track_caller]
fn check(fields: Value, code: &str, message: &str) {
    let (found_code, found_message, _) = refused_with(fields);
    assert_eq!((found_code, found_message.as_str()), (code, message));
}
