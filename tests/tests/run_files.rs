//! Files that a job asks for come back, and nothing else does.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_tests::run::Run;
use serde_json::{Value, json};

const LEAVES_FILES: &str = r#"
import os, socket
def put(path, content):
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    open(path, 'wb').write(content)
put('a.txt', 'grüße'.encode())
put('empty.txt', b'')
put('pic.png', b'\x89PNG\r\n\x1a\n\x00\xff')
put('deep/one/two.txt', b'2')
put('deep/one/not-asked.md', b'x')
put('not-asked.md', b'x')
os.link('a.txt', 'hard.txt')
os.symlink('/etc/passwd', 'link.txt')
os.symlink('a.txt', 'inner.txt')
os.symlink('/proc/self/environ', 'environ.txt')
os.symlink('/etc', 'deep/etc')
os.symlink('..', 'deep/up')
os.mkfifo('fifo.txt')
s = socket.socket(socket.AF_UNIX); s.bind('socket.txt')
put('secret.txt', b'x'); os.chmod('secret.txt', 0)
put('shut/in.txt', b'x'); os.chmod('shut', 0)
os.mkdir('folder.txt')
put('/tmp/elsewhere.txt', b'x')
"#;

#[test]
fn files_that_were_asked_for_come_back_and_nothing_else() {
    Run::python(LEAVES_FILES)
        .with(
            "outputs",
            json!(["*.txt", "*.png", "deep/**/*.txt", "shut/*", "no-such-file"]),
        )
        .result()
        .expect(json!({"files": [
            {"path": "a.txt", "content": "grüße", "encoding": "utf-8", "size": 7},
            {"path": "deep/one/two.txt", "content": "2", "encoding": "utf-8", "size": 1},
            {"path": "empty.txt", "content": "", "encoding": "utf-8", "size": 0},
            {"path": "hard.txt", "content": "grüße", "encoding": "utf-8", "size": 7},
            {"path": "pic.png", "content": "iVBORw0KGgoA/w==", "encoding": "base64", "size": 10},
        ]}));
}

#[test]
fn globs_mean_what_they_say() {
    let names = |globs: Value| {
        let outcome = Run::python(LEAVES_FILES).with("outputs", globs).result();
        outcome
            .result
            .files
            .iter()
            .map(|f| f.path.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(json!(["**/*.md"])),
        ["deep/one/not-asked.md", "not-asked.md"]
    );
    assert_eq!(
        names(json!(["deep/**"])),
        ["deep/one/not-asked.md", "deep/one/two.txt"]
    );
    assert_eq!(names(json!(["{a,b}.[tx]?t"])), ["a.txt"]);
    assert_eq!(names(json!(["main.py"])), ["main.py"]);
    assert_eq!(
        names(json!(["folder.txt", "link.txt", "fifo.txt", "socket.txt"])),
        [""; 0]
    );
}

#[test]
fn files_of_a_program_that_failed_or_was_ended_come_back() {
    let file = json!([{"path": "log", "content": "so far", "encoding": "utf-8", "size": 6}]);
    Run::python("open('log', 'w').write('so far'); raise SystemExit(1)")
        .with("outputs", json!(["log"]))
        .result()
        .expect(json!({"status": "failed", "exit_code": 1, "files": file}));
    Run::python("open('log', 'w').write('so far')\nimport time; time.sleep(600)")
        .with("outputs", json!(["log"]))
        .limit("wall_ms", 500)
        .result()
        .expect(json!({"status": "limit_exceeded", "limit": "wall_time", "files": file}));
}

#[test]
fn files_above_the_limit_are_left_out_and_said() {
    // The first that has no room stands for all that follow; a name takes room, too.
    let code =
        "for name, size in [('a', 600), ('b', 399), ('c', 1)]: open(name, 'w').write(name * size)";
    let a = json!({"path": "a", "content": "a".repeat(600), "encoding": "utf-8", "size": 600});
    let b = json!({"path": "b", "content": "b".repeat(399), "encoding": "utf-8", "size": 399});
    let c = json!({"path": "c", "content": "c", "encoding": "utf-8", "size": 1});
    for (limit, files, all) in [
        (1000, json!([a]), false),
        (1001, json!([a, b]), false),
        (1003, json!([a, b, c]), true),
    ] {
        let run = Run::python(code)
            .with("outputs", json!(["?"]))
            .limit("output_bytes", limit);
        let differences = if all {
            json!({"files": files})
        } else {
            json!({"status": "limit_exceeded", "limit": "output", "exit_code": 0, "files": files})
        };
        run.result().expect(differences);
    }
    let sparse = "f = open('big', 'w'); f.truncate(60 << 20)";
    Run::python(sparse)
        .with("outputs", json!(["big"]))
        .result()
        .expect(json!({"status": "limit_exceeded", "limit": "output", "exit_code": 0}));
}

#[test]
fn a_program_may_replace_the_whole_working_folder() {
    let code = "import os\nos.remove('main.py')\nfor i in range(300): os.mkdir('d'); os.chdir('d')\nopen('x', 'w').close()";
    Run::python(code)
        .with("outputs", json!(["**"]))
        .limit("disk_bytes", 16 << 20)
        .result()
        .expect(json!({}));
    for (count, limit) in [(1000, None), (1001, Some("output"))] {
        let many = format!("for i in range({count}): open(f'f{{i}}', 'w').close()");
        let outcome = Run::python(&many).with("outputs", json!(["f*"])).result();
        assert_eq!(outcome.result.files.len(), 1000);
        assert_eq!(outcome.result.limit.map(|limit| limit.as_str()), limit);
    }
}

#[test]
fn a_name_that_is_no_text_does_no_harm() {
    let outcome =
        Run::python("open(b'\\xff.bin', 'w').close(); open('new\\nline.bin', 'w').close()")
            .with("outputs", json!(["*.bin"]))
            .result();
    outcome.expect(json!({"files": [
        {"path": "new\nline.bin", "content": "", "encoding": "utf-8", "size": 0},
        {"path": "\u{fffd}.bin", "content": "", "encoding": "utf-8", "size": 0},
    ]}));
}
