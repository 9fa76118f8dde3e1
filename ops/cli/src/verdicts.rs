//! How the tests of a job went, for people: a line each, and of the first that failed what went wrong.
//!
//! What a program printed is a stranger's: nothing that a terminal would obey gets there.

use glovebox_schemas::result::{Encoding, Status, TestResult};

use crate::env_build::printable;
use crate::report::note;

/// Bytes of the end of a program's standard error that are shown.
const MOST_BYTES: usize = 2048;

/// Says what became of each test.
pub(crate) fn tell(tests: &[TestResult]) {
    for test in tests {
        note(&verdict(test));
    }
    let is_bad = |test: &&TestResult| test.ran.status != Status::Succeeded;
    if let Some(words) = tests.iter().find(is_bad).and_then(last_words) {
        note(&words);
    }
    if !tests.is_empty() {
        let passed = tests.len() - tests.iter().filter(is_bad).count();
        note(&format!("{passed} of {} tests succeeded", tests.len()));
    }
}

fn verdict(test: &TestResult) -> String {
    let ran = &test.ran;
    let mut text = format!("test {}: {}", test.name, ran.status);
    let ending = match (ran.limit, &ran.signal, ran.exit_code) {
        (Some(limit), _, _) => Some(limit.to_string()),
        (None, Some(signal), _) => Some(signal.clone()),
        (None, None, Some(code)) if code != 0 => Some(format!("exit code {code}")),
        _ => None,
    };
    if let Some(ending) = ending {
        text.push_str(&format!(" ({ending})"));
    }
    if let Some(diff) = &test.diff {
        text.push_str(&format!(": {}", indented(diff)));
    }
    if let Some(error) = &test.error {
        text.push_str(&format!(
            ": {}\n  mend: {}",
            indented(&error.message),
            error.hint
        ));
    }
    text
}

/// What the program itself had to say, if anything.
fn last_words(test: &TestResult) -> Option<String> {
    let stderr = match test.ran.encoding {
        Encoding::Utf8 => test.ran.stderr.trim_end(),
        Encoding::Base64 => return None,
    };
    let start = stderr.ceil_char_boundary(stderr.len().saturating_sub(MOST_BYTES));
    let end = stderr.get(start..).filter(|end| !end.is_empty())?;
    let cut = if start > 0 { "…" } else { "" };
    let end = printable(end.as_bytes());
    Some(format!("test {} says: {cut}{}", test.name, indented(&end)))
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n    ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use glovebox_schemas::result::Ran;

    fn test(status: Status) -> TestResult {
        TestResult {
            name: "one".to_owned(),
            ran: Ran {
                status,
                exit_code: Some(0),
                signal: None,
                limit: None,
                stdout: String::new(),
                stderr: String::new(),
                stdout_truncated: false,
                stderr_truncated: false,
                encoding: Encoding::Utf8,
                denied: Vec::new(),
                usage: None,
            },
            diff: None,
            error: None,
        }
    }

    #[test]
    fn a_verdict_says_why() {
        assert_eq!(verdict(&test(Status::Succeeded)), "test one: succeeded");
        let mut failed = test(Status::Failed);
        failed.ran.exit_code = Some(3);
        assert_eq!(verdict(&failed), "test one: failed (exit code 3)");
        let mut wrong = test(Status::Failed);
        wrong.diff = Some("line 1\n-a\n+b".to_owned());
        assert_eq!(verdict(&wrong), "test one: failed: line 1\n    -a\n    +b");
    }

    #[test]
    fn only_the_end_of_its_words_is_shown_and_nothing_to_obey() {
        let mut test = test(Status::Failed);
        test.ran.stderr = format!("{}\n\u{1b}[2Jend\n", "é".repeat(5000));
        let words = last_words(&test).unwrap_or_default();
        assert!(words.starts_with("test one says: …éé"), "{words}");
        assert!(words.ends_with("éé\n    [2Jend"), "{words}");
        assert!(words.len() < 2 * MOST_BYTES);
        test.ran.stderr = "\n".to_owned();
        assert_eq!(last_words(&test), None);
    }
}
