//! How the tests of a job are judged: each mode of comparison, and checkers, good and bad ones.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_schemas::result::{JobResult, Status, TestResult};
use glovebox_tests::run::Run;
use serde_json::{Value, json};

const ECHO: &str = "import sys; sys.stdout.write(sys.stdin.read())";

const ECHO_IN_C: &str = r"
#include <stdio.h>
int main(void) { for (int c; (c = getchar()) != EOF;) putchar(c); return 0; }";

/// Accepts a number whose square is the one in the input; says what is wrong with another.
const ROOT: &str = r"
import sys
wanted, root = (float(open(name).read()) for name in sys.argv[1:3])
if abs(root * root - wanted) > 1e-9:
    print(f'{root} is no root of {wanted}', file=sys.stderr)
    sys.exit(1)";

fn judged(run: &Run, tests: Value) -> JobResult {
    run.clone().with("tests", tests).result().result
}

fn test<'a>(result: &'a JobResult, name: &str) -> &'a TestResult {
    let mut tests = result.tests.iter();
    tests.find(|test| test.name == name).unwrap()
}

fn statuses(result: &JobResult) -> Vec<(&str, Status)> {
    let of = |test: &'_ TestResult| test.ran.status;
    let tests = result.tests.iter();
    tests.map(|test| (test.name.as_str(), of(test))).collect()
}

/// A checker that is this program.
fn checker(language: &str, code: &str) -> Value {
    json!({ "language": language, "code": code })
}

/// One test, judged by this checker.
fn checked_by(checker: Value) -> JobResult {
    let tests =
        json!([{ "name": "one", "stdin": "4", "expected_stdout": "2", "compare": "checker" }]);
    judged(&Run::python(ECHO).with("checker", checker), tests)
}

// ---- comparison

#[test]
fn each_mode_takes_what_it_forgives_and_nothing_else() {
    let of = |name: &str, stdin: &str, expected: &str, compare: Value| json!({ "name": name, "stdin": stdin, "expected_stdout": expected, "compare": compare });
    let close = |name: &str, stdin: &str, tolerance: Value| {
        let mut test = of(name, stdin, "100 nan", json!("floats"));
        test["tolerance"] = tolerance;
        test
    };
    let tests = json!([
        of("exact", "a \n", "a \n", json!("exact")),
        of("not exact", "a \n", "a\n", json!("exact")),
        of("trimmed", "a \r\n\n", "a", json!("trimmed")),
        of("not trimmed", " a", "a", json!("trimmed")),
        of("tokens", "a\n\tb ", "a b", json!("tokens")),
        of("not tokens", "ab", "a b", json!("tokens")),
        of("floats", "x 1.0000001 1e3", "x 1 1000", json!("floats")),
        of("not floats", "x 1.1", "x 1", json!("floats")),
        close("close", "101 NaN", json!({ "absolute": 1 })),
        close("not close", "101.5 nan", json!({ "absolute": 1 })),
        close("in part", "125 nan", json!({ "relative": 0.25 })),
        close("not in part", "126 nan", json!({ "relative": 0.25 })),
        of("unordered", "b\na \n\n", "a\nb\n", json!("unordered_lines")),
        of(
            "not unordered",
            "b\na\na",
            "a\nb\n",
            json!("unordered_lines")
        ),
    ]);
    for run in [Run::python(ECHO), Run::new("c").with("code", ECHO_IN_C)] {
        let result = judged(&run, tests.clone());
        assert_eq!(result.status, Status::Failed, "{result:#?}");
        assert_eq!(result.tests.len(), 14, "{result:#?}");
        for (name, status) in statuses(&result) {
            let expected = match name.starts_with("not ") {
                true => Status::Failed,
                false => Status::Succeeded,
            };
            assert_eq!(status, expected, "{:#?}", test(&result, name));
            let diff = &test(&result, name).diff;
            assert_eq!(diff.is_some(), name.starts_with("not "), "{diff:?}");
        }
        let first = test(&result, "not exact").diff.as_deref();
        let shown = "line 1: expected \"a\\n\", got \"a \\n\"\n--- expected\n+++ got\n@@ line 1 @@\n-a\n+a ";
        assert_eq!(first, Some(shown));
        let second = test(&result, "not trimmed").diff.as_deref();
        assert_eq!(second, Some(r#"line 1: expected "a", got " a""#));
    }
}

#[test]
fn hostile_output_is_compared_in_time_and_shown_short() {
    let code = r"
import sys
out = sys.stdout.buffer
what = sys.stdin.read()
if what == 'line': out.write(b'x' * (4 << 20))
if what == 'lines': out.write(b'\n'.join(b'%d' % n for n in range(1 << 18)))
if what == 'bytes': out.write(bytes(range(256)) * 1000)
if what == 'escapes': out.write(b'\x1b[2J\x1b]0;pwned\x07\r\x08' * 1000)";
    let tests: Vec<_> = ["line", "lines", "bytes", "escapes"]
        .into_iter()
        .flat_map(|what| {
            ["exact", "trimmed", "tokens", "floats", "unordered_lines"].map(|compare| {
                json!({ "name": format!("{what} {compare}"), "stdin": what, "expected_stdout": "x\ny\n", "compare": compare })
            })
        })
        .collect();
    let run = Run::python(code)
        .limit("output_bytes", 16 << 20)
        .limit("wall_ms", 60_000);
    let result = judged(&run, tests.into());
    for test in &result.tests {
        assert_eq!(test.ran.status, Status::Failed, "{}", test.name);
        let diff = test.diff.as_ref().unwrap();
        assert!(diff.len() < 8 << 10, "{}: {}", test.name, diff.len());
        let is_bad = |c: char| c.is_control() && c != '\n';
        assert!(!diff.contains(is_bad), "{}: {diff:?}", test.name);
    }
}

// ---- checkers

#[test]
fn a_checker_accepts_and_refuses_with_a_reason() {
    let code = "import math; x = float(input()); print(-math.sqrt(x) if x != 9 else 4)";
    let tests = json!([
        { "name": "four", "stdin": "4", "expected_stdout": "2", "compare": "checker" },
        { "name": "nine", "stdin": "9", "compare": "checker" },
        { "name": "other", "stdin": "16", "expected_stdout": "-4.0" },
    ]);
    let run = Run::python(code).with("checker", checker("python", ROOT));
    let result = judged(&run, tests);
    assert_eq!(result.status, Status::Failed, "{result:#?}");
    let expected = [
        ("four", Status::Succeeded),
        ("nine", Status::Failed),
        ("other", Status::Succeeded),
    ];
    assert_eq!(statuses(&result), expected, "{result:#?}");
    let nine = test(&result, "nine");
    assert_eq!(nine.diff.as_deref(), Some("checker: 4.0 is no root of 9.0"));
    // What became of the program itself is told as ever.
    assert_eq!((nine.ran.exit_code, &*nine.ran.stdout), (Some(0), "4\n"));
}

#[test]
fn a_checker_may_be_in_another_language_and_have_files_of_its_own() {
    let code = r#"
#include <stdio.h>
#include <string.h>
#include "judge.h"
int main(int n, char **name) {
    char text[3][64] = {0};
    for (int i = 0; i < 3; i++) fread(text[i], 1, 63, fopen(name[i + 1], "r"));
    printf("%d files: %s|%s|%s\n", n - 1, text[0], text[1], text[2]);
    return strcmp(text[1], WANTED) != 0;
}"#;
    let mut judge = checker("c", code);
    judge["files"] = json!([{ "path": "judge.h", "content": "#define WANTED \"in\"\n" }]);
    let tests = json!([
        { "name": "right", "stdin": "in", "expected_stdout": "out", "compare": "checker" },
        { "name": "wrong", "stdin": "an", "expected_stdout": "out", "compare": "checker" },
    ]);
    let result = judged(&Run::python(ECHO).with("checker", judge), tests);
    let expected = [("right", Status::Succeeded), ("wrong", Status::Failed)];
    assert_eq!(statuses(&result), expected, "{result:#?}");
    let said = test(&result, "wrong").diff.as_deref();
    assert_eq!(said, Some("checker: 3 files: an|an|out"));
    // The compile step that the result tells of is the program's.
    assert_eq!(result.compile, None);
}

#[test]
fn bytes_reach_the_checker_as_they_were_written() {
    let code = "import sys; sys.exit(open(sys.argv[2], 'rb').read() != bytes(range(256)))";
    let tests = json!([{ "name": "one", "compare": "checker" }]);
    let run = Run::python("import sys; sys.stdout.buffer.write(bytes(range(256)))");
    let result = judged(&run.with("checker", checker("python", code)), tests);
    assert_eq!(result.status, Status::Succeeded, "{result:#?}");
}

#[test]
fn what_is_too_much_to_keep_is_judged_all_the_same() {
    const MIB: usize = 1 << 20;
    let code = "import sys; sys.stdout.write('x' * (12 << 20) + sys.stdin.read())";
    let looks = "import os, sys; sys.exit(os.path.getsize('output.txt') != (12 << 20) + 1)";
    let tests: Vec<_> = (0..7)
        .map(|n| json!({ "name": n.to_string(), "stdin": "y".repeat(1 + n / 6), "compare": "checker" }))
        .collect();
    let run = Run::python(code)
        .limit("output_bytes", 16 << 20)
        .limit("wall_ms", 60_000);
    let result = judged(&run.with("checker", checker("python", looks)), tests.into());
    for (n, test) in result.tests.iter().enumerate() {
        let right = n < 6;
        assert_eq!(test.ran.status == Status::Succeeded, right, "{n}");
        assert_eq!(test.ran.limit, None);
    }
    let kept: usize = result.tests.iter().map(|test| test.ran.stdout.len()).sum();
    let cut = result.tests.iter().filter(|test| test.ran.stdout_truncated);
    // The same share for each, however many ran at a time.
    assert_eq!(
        (result.tests.len(), kept, cut.count()),
        (7, 64 * MIB / 7 * 7, 7)
    );
}

#[test]
fn a_refusal_is_told_whole_once_and_then_in_short() {
    let tests: Vec<_> = (0..2)
        .map(|n| json!({ "name": n.to_string(), "compare": "checker" }))
        .collect();
    let code = "import sys; sys.exit('\\x1b[2J' + 'é' * 5000 + '\\nmore')";
    let run = Run::python("").with("checker", checker("python", code));
    let result = judged(&run, tests.into());
    let [first, second] = [0, 1].map(|n| result.tests[n].diff.as_ref().unwrap());
    let start = r"checker: \u{1b}[2Jéé";
    assert!(
        first.starts_with(start) && second.starts_with(start),
        "{first}"
    );
    assert!((4000..4200).contains(&first.len()), "{}", first.len());
    assert!((450..520).contains(&second.len()), "{}", second.len());
    assert!(second.ends_with("é…"), "{second}");
}

#[test]
fn a_checker_meets_nothing_of_the_program() {
    let code = include_str!("../programs/leftovers.py");
    let looks = r"
import os, sys
found = [pid for pid in os.listdir('/proc') if pid.isdigit() and int(pid) != os.getpid()]
for folder in ['/work', '/tmp', '/dev/shm']: found += os.listdir(folder)
found += [name for name in os.environ if name.startswith('LEFT')]
found += open('/proc/net/unix').read().splitlines()[1:]
print(sorted(found)); sys.exit(1)";
    let tests: Vec<_> = (0..3)
        .map(|n| json!({ "name": n.to_string(), "compare": "checker" }))
        .collect();
    let run = Run::python(code).with("checker", checker("python", looks));
    for test in judged(&run, tests.into()).tests {
        // The program met nothing of the checker before it, either.
        assert_eq!(test.ran.stdout, "[]\n");
        let met = "checker: ['expected.txt', 'input.txt', 'main.py', 'output.txt']";
        assert_eq!(test.diff.as_deref(), Some(met));
    }
}

#[test]
fn a_program_that_fails_is_not_shown_to_the_checker() {
    let code = "import os; print('fine'); os._exit(3)";
    let tests = json!([{ "name": "one", "compare": "checker" }]);
    let run = Run::python(code).with("checker", checker("python", "import sys; sys.exit(2)"));
    let result = judged(&run, tests);
    assert_eq!(result.status, Status::Failed);
    let one = test(&result, "one");
    assert_eq!(
        (one.ran.exit_code, &one.diff, &one.error),
        (Some(3), &None, &None)
    );
}

#[test]
fn a_checker_that_fails_is_not_the_programs_fault() {
    let limited = |code: &str, name: &str, value: u64| {
        let mut checker = checker("python", code);
        checker["limits"] = json!({ name: value });
        checker
    };
    let plain = |code: &str| checker("python", code);
    for (checker, says) in [
        (
            plain("print('lost'); exit(2)"),
            "ended with exit code 2: lost",
        ),
        (plain("import os; os.abort()"), "was killed by SIGABRT"),
        (
            limited("while True: pass", "wall_ms", 500),
            "its time was over",
        ),
        (
            limited("x = bytearray(1 << 30)", "memory_bytes", 64 << 20),
            "reached the limit memory",
        ),
        (
            limited("while True: print('x' * 1000)", "output_bytes", 1000),
            "reached the limit output",
        ),
        (limited("", "disk_bytes", 4096), "reached the limit disk"),
        (
            plain("import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0)"),
            "was stopped (denied)",
        ),
    ] {
        let result = checked_by(checker);
        assert_eq!(result.status, Status::Rejected, "{says}: {result:#?}");
        let one = test(&result, "one");
        assert_eq!(
            (one.ran.status, one.ran.exit_code),
            (Status::Rejected, Some(0)),
            "{one:#?}"
        );
        assert_eq!((&*one.ran.stdout, &one.diff), ("4", &None));
        let error = one.error.as_ref().unwrap();
        assert!(error.message.contains(says), "{says}: {error:?}");
        assert_eq!(error.code, "checker_failed");
        let whole = result.error.as_ref().unwrap();
        assert!(
            whole.message.starts_with("test \"one\": the checker "),
            "{whole:?}"
        );
        assert!(whole.message.contains(says), "{says}: {whole:?}");
    }
}

#[test]
fn a_test_that_failed_is_sure_whatever_became_of_the_checker() {
    let tests = json!([
        { "name": "unknown", "stdin": "4", "compare": "checker" },
        { "name": "wrong", "stdin": "4", "expected_stdout": "5" },
    ]);
    let run = Run::python(ECHO).with("checker", checker("python", "exit(9)"));
    let result = judged(&run, tests);
    assert_eq!((result.status, &result.error), (Status::Failed, &None));
    let expected = [("unknown", Status::Rejected), ("wrong", Status::Failed)];
    assert_eq!(statuses(&result), expected);
}

#[test]
fn a_checker_that_cannot_be_compiled_is_the_jobs_mistake() {
    for (code, says) in [
        ("int main(void) { return missing; }", "‘missing’ undeclared"),
        ("#error \u{1b}[2Jno", r"\u{1b}[2Jno"),
    ] {
        let result = checked_by(checker("c", code));
        assert_eq!(result.status, Status::Rejected, "{result:#?}");
        assert_eq!(result.tests, []);
        let error = result.error.unwrap();
        assert_eq!(error.code, "checker_not_compiled");
        assert!(error.message.contains(says), "{error:?}");
        assert!(error.message.len() < 2000, "{error:?}");
    }
    // The program's own mistake comes first.
    let tests = json!([{ "name": "one", "compare": "checker" }]);
    let run = Run::new("c").with("code", "int main(void) { return mine; }");
    let result = judged(&run.with("checker", checker("c", "wrong")), tests);
    assert_eq!((result.status, &result.error), (Status::Failed, &None));
    assert!(result.stderr.contains("‘mine’ undeclared"), "{result:#?}");
}

#[test]
fn a_checker_that_is_not_to_be_had_is_rejected_by_field() {
    let mut greedy = checker("python", "");
    greedy["limits"] = json!({ "memory_bytes": 1_u64 << 40 });
    let mut hiding = checker("python", "");
    hiding["files"] = json!([{ "path": "output.txt/x", "content": "" }]);
    let mut environment = checker("python", "");
    environment["profile"] = "python:nowhere".into();
    for (checker, code, says) in [
        (
            checker("pithon", ""),
            "unknown_language",
            "checker.language: \"pithon\"",
        ),
        (
            greedy,
            "limit_above_ceiling",
            "checker.limits.memory_bytes: ",
        ),
        (
            hiding,
            "conflicting_fields",
            "checker.files: the checker is shown a file at \"output.txt\"",
        ),
        (environment, "unknown_environment", "checker.profile: "),
    ] {
        let result = checked_by(checker);
        let error = result.error.unwrap();
        assert_eq!((result.status, &*error.code), (Status::Rejected, code));
        assert!(error.message.starts_with(says), "{error:?}");
    }
}
