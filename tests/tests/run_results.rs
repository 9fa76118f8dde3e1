//! What a program does is in its result: output, exit code, signal, files, tests.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_schemas::result::Encoding;
use glovebox_tests::run::{HINT, MEASURED, Run};
use serde_json::{Value, json};

#[test]
fn hello_python() {
    Run::python("print('hello')")
        .result()
        .expect(json!({"stdout": "hello\n"}));
}

#[test]
fn hello_node() {
    Run::node("console.log('hello')")
        .result()
        .expect(json!({"stdout": "hello\n", "profile": "nodejs"}));
}

#[test]
fn aliases_are_languages_too() {
    for (alias, profile) in [("py", "python"), ("js", "nodejs")] {
        let code = "0 // 1";
        Run::new(alias)
            .with("code", code)
            .result()
            .expect(json!({"profile": profile}));
    }
}

#[test]
fn an_exit_code_is_the_programs_own() {
    Run::python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
        .result()
        .expect(json!({"status": "failed", "exit_code": 3, "stdout": "out\n", "stderr": "err\n"}));
    Run::node("process.exit(255)")
        .result()
        .expect(json!({"status": "failed", "exit_code": 255, "profile": "nodejs"}));
}

#[test]
fn a_traceback_names_file_and_line() {
    let outcome = Run::python("x = 1\nraise ValueError('no')\n").result();
    let stderr = outcome.result.stderr.clone();
    assert_eq!(
        stderr,
        "Traceback (most recent call last):\n  File \"/work/main.py\", line 2, in <module>\n    \
         raise ValueError('no')\nValueError: no\n"
    );
    outcome.expect(json!({"status": "failed", "exit_code": 1, "stderr": stderr}));

    let outcome = Run::node("const x = 1;\nthrow new Error('no');\n").result();
    let stderr = outcome.result.stderr.clone();
    assert!(stderr.starts_with("/work/main.js:2\n"), "{stderr}");
    assert!(stderr.contains("Error: no"), "{stderr}");
    outcome
        .expect(json!({"status": "failed", "exit_code": 1, "stderr": stderr, "profile": "nodejs"}));

    let outcome = Run::python("if True\n  pass").result();
    let stderr = outcome.result.stderr.clone();
    assert!(stderr.contains("main.py\", line 1"), "{stderr}");
    assert!(stderr.contains("SyntaxError: expected ':'"), "{stderr}");
    outcome.expect(json!({"status": "failed", "exit_code": 1, "stderr": stderr}));
}

#[test]
fn a_signal_of_its_own_is_named() {
    for (code, signal) in [
        ("import os; os.abort()", "SIGABRT"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
        ("import os; os.kill(os.getpid(), 15)", "SIGTERM"),
    ] {
        Run::python(code)
            .result()
            .expect(json!({"status": "failed", "signal": signal}));
    }
}

#[test]
fn stdin_arrives_whole() {
    let text = "ünïcode line\n".repeat(40_000);
    Run::python("import sys; sys.stdout.write(sys.stdin.read())")
        .with("stdin", text.as_str())
        .result()
        .expect(json!({"stdout": text}));
}

#[test]
fn no_stdin_is_the_end_of_file() {
    Run::python("import sys; print(repr(sys.stdin.read()))")
        .result()
        .expect(json!({"stdout": "''\n"}));
}

#[test]
fn stdin_that_is_not_read_is_no_failure() {
    Run::python("print('done')")
        .with("stdin", "x".repeat(1 << 20))
        .result()
        .expect(json!({"stdout": "done\n"}));
}

#[test]
fn arguments_and_environment_arrive() {
    let args = json!(["one", "", "two words", "--help", "ü", "$HOME", "'\"\\"]);
    Run::python("import sys, os, json; print(json.dumps(sys.argv[1:]), os.environ['WHAT'], os.environ['LANG'])")
        .with("args", args)
        .with("env", json!({"WHAT": "ä b", "LANG": "C"}))
        .result()
        .expect(json!({
            "stdout": "[\"one\", \"\", \"two words\", \"--help\", \"\\u00fc\", \"$HOME\", \"'\\\"\\\\\"] ä b C\n",
        }));
}

#[test]
fn a_program_of_several_files() {
    Run::new("python")
        .file("app/start.py", "import sys; sys.path.insert(0, '/work')\nfrom lib.words import greet\nprint(greet(open('data/name.txt').read()))")
        .file("lib/__init__.py", "")
        .file("lib/words.py", "def greet(name): return f'hello {name}'")
        .file("data/name.txt", "wörld")
        .with("entrypoint", "app/start.py")
        .result()
        .expect(json!({"stdout": "hello wörld\n"}));
    Run::node("console.log(require('./helper').twice(21))")
        .file("helper.js", "exports.twice = x => 2 * x")
        .result()
        .expect(json!({"stdout": "42\n", "profile": "nodejs"}));
    Run::python("import helper; print(helper.X)")
        .file("helper.py", "X = 5")
        .result()
        .expect(json!({"stdout": "5\n"}));
    Run::new("nodejs")
        .file("main.js", "import { x } from './x.mjs'; console.log(x)")
        .file("x.mjs", "export const x = 7")
        .result()
        .expect(json!({"stdout": "7\n", "profile": "nodejs"}));
}

#[test]
fn files_may_be_binary_and_strangely_named() {
    Run::python("import os; print(open('bin', 'rb').read(), sorted(os.listdir()))")
        .with(
            "files",
            json!([
                {"path": "bin", "content": "AP8KgA==", "encoding": "base64"},
                {"path": "-rf *", "content": ""},
                {"path": "日本語 ü.txt", "content": ""},
                {"path": "empty/folder/x", "content": ""},
            ]),
        )
        .result()
        .expect(json!({
            "stdout": "b'\\x00\\xff\\n\\x80' ['-rf *', 'bin', 'empty', 'main.py', '日本語 ü.txt']\n",
        }));
}

#[test]
fn unicode_goes_both_ways() {
    Run::python("print('日本語 🐍 \\u0000 \\r\\n \\x1b[31m')")
        .result()
        .expect(json!({"stdout": "日本語 🐍 \u{0} \r\n \u{1b}[31m\n"}));
}

#[test]
fn output_that_is_no_text_is_base64() {
    Run::python("import os; os.write(1, b'\\xff\\x00'); os.write(2, b'plain')")
        .result()
        .expect(json!({"stdout": "/wA=", "stderr": "cGxhaW4=", "encoding": "base64"}));
    Run::python("import os; os.write(2, b'\\xc3')")
        .result()
        .expect(json!({"stdout": "", "stderr": "ww==", "encoding": "base64"}));
}

#[test]
fn metadata_comes_back_untouched() {
    Run::python("")
        .with("metadata", json!({"order": "17", "ключ": "\u{1F600} \n"}))
        .result()
        .expect(json!({"metadata": {"order": "17", "ключ": "\u{1F600} \n"}}));
}

#[test]
fn a_streamed_job_has_its_output_in_the_result_too() {
    Run::python("print('one', flush=True); print('two')")
        .with("stream", true)
        .result()
        .expect(json!({"stdout": "one\ntwo\n"}));
}

#[test]
fn child_processes_threads_and_pools_work() {
    let code = r#"
import asyncio, concurrent.futures, multiprocessing, subprocess, tempfile, threading
print(subprocess.run(['/bin/sh', '-c', 'echo from sh | tr a-z A-Z'], capture_output=True, text=True).stdout.strip())
t = threading.Thread(target=lambda: print('thread')); t.start(); t.join()
with concurrent.futures.ThreadPoolExecutor(4) as pool: print(sum(pool.map(abs, range(-5, 0))))
with concurrent.futures.ProcessPoolExecutor(2) as pool: print(sum(pool.map(abs, range(-5, 0))))
async def main():
    p = await asyncio.create_subprocess_exec('/bin/echo', 'asyncio', stdout=asyncio.subprocess.PIPE)
    print((await p.communicate())[0].decode().strip())
asyncio.run(main())
with tempfile.TemporaryFile() as f: f.write(b'x'); print('tempfile')
"#;
    Run::python(code)
        .result()
        .expect(json!({"stdout": "FROM SH\nthread\n15\n15\nasyncio\ntempfile\n"}));
}

// ---- tests

fn test_result(name: &str, differences: Value) -> Value {
    let mut expected = json!({
        "name": name, "status": "succeeded", "exit_code": 0, "signal": null, "limit": null,
        "stdout": "", "stderr": "", "stdout_truncated": false, "stderr_truncated": false,
        "encoding": "utf-8", "denied": [], "usage": MEASURED, "diff": null, "error": null,
    });
    for (field, value) in differences.as_object().unwrap() {
        expected[field] = value.clone();
    }
    expected
}

#[test]
fn tests_that_pass() {
    Run::python("import sys; print(sys.stdin.read().upper(), *sys.argv[1:])")
        .with("tests", json!([
            {"name": "trimmed", "stdin": "a", "args": ["x", "y"], "expected_stdout": "A x y"},
            {"name": "exact", "stdin": "b", "expected_stdout": "B\n", "compare": "exact"},
            {"name": "tokens", "stdin": "c\n\n d", "expected_stdout": "C D", "compare": "tokens"},
            {"name": "exit code only"},
        ]))
        .result()
        .expect(json!({"status": "succeeded", "tests": [
            test_result("trimmed", json!({"stdout": "A x y\n"})),
            test_result("exact", json!({"stdout": "B\n"})),
            test_result("tokens", json!({"stdout": "C\n\n D\n"})),
            test_result("exit code only", json!({"stdout": "\n"})),
        ]}));
}

#[test]
fn tests_that_do_not_pass() {
    let code = r"
import sys, time, os, socket
what = sys.stdin.read()
if what == 'wrong': print('first\nsecond')
if what == 'exit': sys.exit(4)
if what == 'loop': time.sleep(600)
if what == 'abort': os.abort()
if what == 'flood': print('x' * 5000); time.sleep(600)
if what == 'denied':
    import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0)
";
    Run::python(code)
        .limit("wall_ms", 1000)
        .limit("output_bytes", 100)
        .with(
            "tests",
            json!([
                {"name": "wrong", "stdin": "wrong", "expected_stdout": "first\nother"},
                {"name": "missing", "stdin": "", "expected_stdout": "something"},
                {"name": "exit", "stdin": "exit", "expected_stdout": ""},
                {"name": "loop", "stdin": "loop"},
                {"name": "abort", "stdin": "abort"},
                {"name": "flood", "stdin": "flood"},
                {"name": "denied", "stdin": "denied"},
                {"name": "fine", "stdin": "", "expected_stdout": ""},
            ]),
        )
        .result()
        .expect(json!({"status": "failed", "tests": [
            test_result("wrong", json!({
                "status": "failed", "stdout": "first\nsecond\n",
                "diff": "line 2: expected \"other\", got \"second\"\n--- expected\n+++ got\n@@ line 1 @@\n first\n-other\n+second",
            })),
            test_result("missing", json!({
                "status": "failed", "diff": "line 1: expected \"something\", got nothing",
            })),
            test_result("exit", json!({"status": "failed", "exit_code": 4})),
            test_result("loop", json!({
                "status": "limit_exceeded", "limit": "wall_time", "exit_code": null,
            })),
            test_result("abort", json!({
                "status": "failed", "signal": "SIGABRT", "exit_code": null,
            })),
            test_result("flood", json!({
                "status": "limit_exceeded", "limit": "output", "exit_code": null,
                "stdout": "x".repeat(100), "stdout_truncated": true,
            })),
            test_result("denied", json!({
                "status": "denied", "exit_code": null,
                "denied": [{"syscall": "ptrace", "count": 1, "hint": HINT}],
            })),
            test_result("fine", json!({})),
        ]}));
}

#[test]
fn a_test_meets_nothing_of_the_one_before() {
    let code = include_str!("../programs/leftovers.py");
    let tests: Vec<_> = (0..4)
        .map(|n| json!({"name": n.to_string(), "expected_stdout": "[]"}))
        .collect();
    let passed: Vec<_> = (0..4)
        .map(|n| test_result(&n.to_string(), json!({"stdout": "[]\n"})))
        .collect();
    Run::python(code)
        .with("tests", tests)
        .result()
        .expect(json!({
            "status": "succeeded", "tests": passed,
        }));
}

#[test]
fn a_cut_within_a_character_leaves_no_half() {
    let outcome = Run::python("print('é' * 1000)")
        .limit("output_bytes", 101)
        .result();
    assert_eq!(outcome.result.encoding, Encoding::Utf8);
    assert_eq!(outcome.result.stdout, "é".repeat(50));
    assert!(outcome.result.stdout_truncated);
}
