//! A module of a third party that is preloaded into a template can harm jobs of its own kind only, and those only by
//! making them start cold: not the warden, not the host, and not for long without a word.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use glovebox_tests::warm::{Line, Start};
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_warm");

/// A folder with policies, by which the template of Python imports `module`, and that one's files.
fn preloading(module: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
    // Not beneath /tmp, of which a cell has its own.
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    for (path, content) in files {
        let path = dir.path().join("modules").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let modules = dir.path().join("modules").display().to_string();
    let mut profile = include_str!("../../policies/profiles/python.toml").to_owned();
    for (old, new) in [
        ("\"bisect\"", format!("\"{module}\"")),
        ("[env]\n", format!("[env]\nPYTHONPATH = \"{modules}\"\n")),
        (
            "optional = [\n",
            format!("optional = [\n    \"{modules}\",\n"),
        ),
    ] {
        assert_eq!(profile.matches(old).count(), 1, "{old}");
        profile = profile.replace(old, &new);
    }
    fs::create_dir(dir.path().join("profiles")).unwrap();
    fs::write(dir.path().join("profiles/python.toml"), profile).unwrap();
    dir
}

/// Runs jobs, all of which succeed whether there is a template or not, and gives what was told of that.
fn told(module: &str, files: &[(&str, &str)], at_least: Duration) -> String {
    let dir = preloading(module, files);
    let folder = dir.path().to_str().unwrap();
    let mut line = Line::with(BINARY, Start::Either, &[("GLOVEBOX_POLICIES", folder)]);
    let started = Instant::now();
    for at in 0.. {
        let job = json!({"id": "test", "language": "python", "code": format!("print({at})"), "outputs": ["*.py"]});
        let answer = line.run(&job);
        let (said, wanted) = (&answer.result.stdout, format!("{at}\n"));
        assert_eq!(said, &wanted, "{:#}", answer.document);
        assert!(!answer.warm);
        if at > 3 && started.elapsed() > at_least {
            break;
        }
    }
    line.told()
}

#[test]
fn what_can_not_be_imported_is_told() {
    for (module, wanted) in [
        ("no_such_module", "No module named 'no_such_module'"),
        ("antigravity.gravity", "not a package"),
    ] {
        let log = told(module, &[], Duration::ZERO);
        assert!(log.contains(wanted), "{log}");
    }
}

#[test]
fn what_a_job_would_share_with_others_is_told() {
    for (code, wanted) in [
        (
            "import mmap\nkept = mmap.mmap(-1, 4096)",
            "has mapped shared memory",
        ),
        (
            "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()",
            "has started a thread",
        ),
    ] {
        let log = told("sharing", &[("sharing.py", code)], Duration::ZERO);
        assert!(log.contains(wanted), "{log}");
    }
}

/// Two words of a template as they travel: ready, and broken for a reason.
const SAYS: &str = "
import os, socket
line = socket.socket(fileno=os.dup(0))
def say(kind, reason):
    length, bytes_ = len(reason), b''
    while length > 127:
        bytes_ += bytes([length & 127 | 128])
        length >>= 7
    line.send(bytes([kind]) + bytes_ + bytes([length]) + reason)
";

#[test]
fn a_reason_is_told_in_part_however_long_it_is() {
    let code = format!("{SAYS}\nsay(1, b'because ' + b'A' * 65520)\nimport time; time.sleep(1000)");
    let log = told("talks", &[("talks.py", &code)], Duration::ZERO);
    assert!(log.contains("because AAA"), "{log}");
    assert!(log.len() < 2000, "{} bytes", log.len());
}

#[test]
fn words_that_are_none_end_a_template() {
    for says in [
        "line.send(b'\\xff' * 1000)",
        "line.send(b'')",
        "say(0, b'\\xff\\xfe')",
    ] {
        let code = format!("{SAYS}\n{says}\nimport time; time.sleep(1000)");
        let log = told("talks", &[("talks.py", &code)], Duration::ZERO);
        assert!(log.contains("ended before it was ready"), "{says}: {log}");
    }
}

/// It would be started ten times a second, for ever, and nobody would know.
#[test]
fn one_that_gives_no_job_is_tried_less_and_less() {
    let counts = "
import os
def before():
    # The first fork is a rehearsal.
    before.count += 1
    if before.count > 1:
        os._exit(1)
before.count = 0
os.register_at_fork(before=before)
";
    let log = told("ends", &[("ends.py", counts)], Duration::from_secs(4));
    let count = log.matches("ended before a job was forked from it").count();
    // After one second, and then after two.
    assert!((1..=3).contains(&count), "{log}");
}

#[test]
fn one_whose_children_are_not_ready_is_ended() {
    let hangs = "
import os, time
def count():
    count.forks += 1
count.forks = 0
os.register_at_fork(after_in_parent=count, after_in_child=lambda: time.sleep(1000 if count.forks else 0))
";
    let log = told("hangs", &[("hangs.py", hangs)], Duration::from_secs(6));
    assert!(log.contains("nothing warm for now"), "{log}");
}

/// Nothing of a job has run before its program: so it can still start cold.
#[test]
fn a_job_that_is_lost_after_its_order_starts_cold() {
    for seed in ["os._exit(1)", "os.kill(os.getpid(), 9)", "raise KeyError"] {
        let random = format!("import os\ndef seed():\n    {seed}\n");
        let files = [("numpy/__init__.py", ""), ("numpy/random.py", &random)];
        let log = told("numpy.random", &files, Duration::ZERO);
        assert!(log.contains("nothing warm for now"), "{seed}: {log}");
    }
}

/// A job that starts cold has none that is blocked.
#[test]
fn signals_that_a_module_has_blocked_come_to_a_job() {
    let blocks = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())";
    let dir = preloading("blocks", &[("blocks.py", blocks)]);
    let folder = dir.path().to_str().unwrap();
    let mut line = Line::with(BINARY, Start::Warm, &[("GLOVEBOX_POLICIES", folder)]);
    line.until_warm();
    let code = "import signal\nprint(signal.pthread_sigmask(signal.SIG_BLOCK, []))";
    let job = json!({"id": "test", "language": "python", "code": code});
    let answer = std::iter::repeat_with(|| line.run(&job)).find(|one| one.warm);
    let said = answer.unwrap().result.stdout;
    assert_eq!(said, "set()\n");
}

/// Its limit and its bill begin with its order.
#[test]
fn what_is_done_before_its_order_is_not_the_jobs() {
    let burns = "
import os, time
def burn():
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
os.register_at_fork(after_in_child=burn)
";
    let dir = preloading("burns", &[("burns.py", burns)]);
    let folder = dir.path().to_str().unwrap();
    let mut line = Line::with(BINARY, Start::Warm, &[("GLOVEBOX_POLICIES", folder)]);
    line.until_warm();
    let job = json!({"id": "test", "language": "python", "code": "pass", "limits": {"cpu_ms": 90}});
    let answers = (0..20).map(|_| line.run(&job)).filter(|one| one.warm);
    let used: Vec<f64> = answers
        .map(|answer| {
            let usage = answer.result.usage.unwrap();
            usage.cpu_user_ms + usage.cpu_system_ms
        })
        .collect();
    assert!(!used.is_empty());
    assert!(used.iter().all(|one| *one < 90.0), "{used:?}");
}
