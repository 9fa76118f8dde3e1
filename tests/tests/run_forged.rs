//! What a program prints or leaves is its output, whatever it looks like: it never becomes the verdict.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_tests::cli::Cli;
use glovebox_tests::run::{HINT, MEASURED, Run};
use serde_json::{Value, json};

/// A result as somebody would forge it.
const FORGED: &str = r#"{"version":1,"id":"test","status":"succeeded","exit_code":0,"stdout":"owned","files":[{"path":"x","content":"y","encoding":"utf-8","size":1}]}"#;

#[test]
fn a_printed_result_is_text() {
    let printed = format!("{FORGED}\n");
    for stream in ["stdout", "stderr"] {
        let code = format!("import sys\nprint('''{FORGED}''', file=sys.{stream})\nsys.exit(3)");
        let mut expected = json!({"status": "failed", "exit_code": 3});
        expected[stream] = printed.clone().into();
        Run::python(&code).result().expect(expected);
    }
}

#[test]
fn a_result_written_to_every_descriptor_reaches_nobody() {
    let code = format!(
        "import os
written = []
for fd in range(3, 1024):
    try: os.write(fd, b'''{FORGED}'''); written.append(fd)
    except OSError: pass
print(written); os._exit(3)"
    );
    Run::python(&code)
        .result()
        .expect(json!({"status": "failed", "exit_code": 3, "stdout": "[]\n"}));
}

#[test]
fn a_result_left_as_a_file_is_a_file() {
    let code = format!("open('result.json', 'w').write('''{FORGED}''')\nraise SystemExit(3)");
    let content = json!([{"path": "result.json", "content": FORGED, "encoding": "utf-8", "size": FORGED.len()}]);
    Run::python(&code)
        .with("outputs", json!(["result.json"]))
        .result()
        .expect(json!({"status": "failed", "exit_code": 3, "files": content, "stderr": ""}));
}

#[test]
fn text_that_ends_a_document_early_is_quoted() {
    let text = "\"}\n{\"status\":\"succeeded\"}\u{2028}\u{feff}</script>\\\"\u{7f}\0end";
    let code = format!(
        "import sys; sys.stdout.buffer.write(bytes({:?})); sys.exit(3)",
        text.as_bytes()
    );
    Run::python(&code)
        .result()
        .expect(json!({"status": "failed", "exit_code": 3, "stdout": text}));
}

#[test]
fn terminal_sequences_do_not_reach_a_readers_terminal() {
    // Clears the screen, sets the title, asks the terminal to type its answer.
    let code = r"print('\x1b[2J\x1b]0;owned\x07\x1b[6n\x1bP$q\x1b\\')";
    let ended = Cli::new(&["run", "--json", "a.py"])
        .file("a.py", code)
        .finish();
    assert_eq!(ended.code(), 0, "{ended}");
    let control = |byte: &&u8| byte.is_ascii_control() && **byte != b'\n';
    assert_eq!(ended.stdout().iter().find(control), None);
    let document: Value = serde_json::from_slice(ended.stdout()).unwrap();
    assert_eq!(
        document["stdout"],
        json!("\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}[6n\u{1b}P$q\u{1b}\\\n")
    );
}

#[test]
fn a_name_with_terminal_sequences_is_quoted_too() {
    let code = "open('\\x1b[2J', 'w').close(); open('line\\nbreak', 'w').close()";
    Run::python(code)
        .with("outputs", json!(["*[!y]"]))
        .result()
        .expect(json!({"files": [
            {"path": "\u{1b}[2J", "content": "", "encoding": "utf-8", "size": 0},
            {"path": "line\nbreak", "content": "", "encoding": "utf-8", "size": 0},
        ]}));
}

#[test]
fn bytes_that_are_no_text_come_as_they_are() {
    Run::python("import sys; sys.stdout.buffer.write(b'\\xff\\xfe\\x00{')")
        .result()
        .expect(json!({"stdout": "//4Aew==", "encoding": "base64"}));
}

#[test]
fn the_last_word_is_the_first_process_own() {
    // A child says that all went well, after its parent has failed; and one that was to, never does.
    let code = "
import os, signal, sys
if os.fork() == 0:
    signal.pause()
    print('succeeded', flush=True)
    os._exit(0)
if os.fork() == 0: os._exit(0)
os.wait(); print('parent', flush=True); os._exit(5)";
    Run::python(code)
        .result()
        .expect(json!({"status": "failed", "exit_code": 5, "stdout": "parent\n"}));
    let code = "
import os, signal
if os.fork() == 0:
    os.setsid(); os.kill(os.getppid(), signal.SIGKILL); print('succeeded'); os._exit(0)
signal.pause()";
    let outcome = Run::python(code).result();
    let printed = outcome.result.stdout.clone();
    outcome.expect(json!({"status": "failed", "signal": "SIGKILL", "stdout": printed}));
}

#[test]
fn a_test_of_a_job_cannot_speak_for_another() {
    let code = "
import sys
print('second' if sys.argv[1] == 'first' else 'third')
open('/tmp/verdict', 'w').write('passed')";
    let tests = json!([
        {"name": "first", "args": ["first"], "expected_stdout": "first"},
        {"name": "second", "args": ["second"], "expected_stdout": "second"},
    ]);
    let outcome = Run::python(code).with("tests", tests).result();
    let passed: Vec<_> = outcome
        .result
        .tests
        .iter()
        .map(|test| test.ran.status)
        .collect();
    assert_eq!(format!("{passed:?}"), "[Failed, Failed]");
    assert_eq!(outcome.result.tests.len(), 2);
}

#[test]
fn devices_and_links_of_the_host_do_not_come_back_as_files() {
    let code = "
import os
for make in (
    lambda: os.mknod('memory.out', 0o020666, os.makedev(1, 1)), lambda: os.mknod('disk.out', 0o060666, os.makedev(254, 0)),
    lambda: os.link('/etc/passwd', 'passwd.out'), lambda: os.link('/proc/self/environ', 'environ.out'),
    lambda: os.link('/usr/bin/env', 'env.out'),
):
    try: make(); print('made')
    except OSError as error: print(type(error).__name__)
os.symlink('/dev/zero', 'zero.out'); os.symlink('loop.out', 'loop.out'); os.symlink('/proc/1/environ', 'init.out')
os.mkdir('real'); open('real/x.out', 'w').write('real'); os.symlink('real', 'linked')
";
    Run::python(code)
        .with("outputs", json!(["**/*.out"]))
        .result()
        .expect(json!({
            "stdout": "PermissionError\nPermissionError\nOSError\nOSError\nOSError\n",
            "denied": [{"syscall": "mknodat", "count": 2, "hint": HINT}],
            "files": [{"path": "real/x.out", "content": "real", "encoding": "utf-8", "size": 4}],
        }));
}

#[test]
fn a_file_and_a_link_that_change_places_give_the_file_or_nothing() {
    // Until the limit ends it, whatever is being done; the collector comes after that.
    let code = "
import os
open('a', 'w').write('own'); os.symlink('/etc/passwd', 'b')
while True: os.rename('a', 'c'), os.rename('b', 'a'), os.rename('c', 'b')
";
    let outcome = Run::python(code)
        .with("outputs", json!(["a", "b", "c"]))
        .limit("wall_ms", 300)
        .result();
    assert_eq!(outcome.result.files.len(), 1, "{:?}", outcome.result.files);
    assert_eq!(outcome.result.files.first().unwrap().content, "own");
}

#[test]
fn a_file_longer_than_the_disk_is_no_file() {
    let code = "
import os
file = os.open('big', os.O_CREAT | os.O_RDWR)
for length in (1 << 62, 1 << 40, 65 << 20):
    try: os.ftruncate(file, length)
    except OSError as error: print(error.errno)
";
    Run::python(code)
        .with("outputs", json!(["big"]))
        .result()
        .expect(json!({
            "stdout": "27\n27\n27\n", "usage": MEASURED,
            "files": [{"path": "big", "content": "", "encoding": "utf-8", "size": 0}],
        }));
}

#[test]
fn outputs_that_point_outside_are_no_job() {
    for glob in ["../*", "/etc/passwd", "a/../../x", "", "\u{0}"] {
        let run = Run::python("print('ran')").with("outputs", json!([glob]));
        let ended = run.spawn().finish();
        assert_eq!(ended.code(), 2, "{glob:?}: {ended}");
        assert_eq!(ended.stdout_text(), "");
        assert!(ended.stderr().contains("outputs[0]"), "{ended}");
    }
}
