//! How a job that exceeds a limit ends, in every test that has one.
//!
//! Must never let an end pass that names another limit, or none.

use serde_json::json;

use crate::run::{Outcome, Run};

/// No cell lives that long after its limit, however busy the host is.
pub const PROMPT_MS: f64 = 8_000.0;
/// Bytes.
pub const MIB: u64 = 1 << 20;

/// Runs a Python program that is expected to be ended by the warden for `limit`.
pub fn ends_by(limit: &str, run: &Run) -> Outcome {
    let outcome = run.result();
    let mut expected = json!({"status": "limit_exceeded", "limit": limit});
    // What was printed on the way is another matter.
    expected["stdout"] = outcome.result.stdout.as_str().into();
    expected["stderr"] = outcome.result.stderr.as_str().into();
    expected["profile"] = outcome.result.profile.as_deref().into();
    outcome.expect(expected);
    assert!(wall_ms(&outcome) < PROMPT_MS, "{:?}", outcome.result.usage);
    outcome
}

/// Runs a Python program that is expected to run into `limit` and to end by itself, badly.
pub fn fails_by(limit: &str, run: &Run, last_line: &str) {
    let outcome = run.result();
    let stderr = outcome.result.stderr.clone();
    let last = stderr.lines().last().unwrap_or_default();
    assert!(last.contains(last_line), "{stderr}");
    outcome.expect(
        json!({"status": "limit_exceeded", "limit": limit, "exit_code": 1, "stderr": stderr}),
    );
}

/// Milliseconds on the clock.
#[must_use]
pub fn wall_ms(outcome: &Outcome) -> f64 {
    outcome.result.usage.expect("it ran").wall_ms
}

/// Milliseconds on processors.
#[must_use]
pub fn cpu_ms(outcome: &Outcome) -> f64 {
    let usage = outcome.result.usage.expect("it ran");
    usage.cpu_user_ms + usage.cpu_system_ms
}
