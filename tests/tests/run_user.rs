//! An ordinary user may run jobs too: with fewer layers, which are named, and only if that is accepted.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_tests::cli::Cli;
use glovebox_tests::run::{HINT, Outcome, Run};
use serde_json::{Value, json};

const PROBE: &str = include_str!("../programs/probe.py");

fn probe(section: &str) -> Value {
    let outcome = Run::python(PROBE)
        .with("args", json!([section]))
        .as_user()
        .result();
    assert_eq!(outcome.result.stderr, "");
    outcome.printed()
}

fn run(code: &str) -> Run {
    Run::python(code).as_user()
}

/// Ended, or failed, for this limit.
fn reaches(limit: &str, run: &Run) -> Outcome {
    let outcome = run.result();
    let result = &outcome.result;
    let named = result.limit.map(|limit| limit.as_str());
    assert_eq!(named, Some(limit), "{} {}", result.status, result.stderr);
    outcome
}

#[test]
fn without_a_cgroup_it_is_refused_and_the_mend_is_said() {
    let ended = Cli::new(&["run", "a.py"])
        .file("a.py", "print(1)")
        .as_user()
        .finish();
    assert_eq!(ended.code(), 5, "{ended}");
    assert_eq!(ended.stdout_text(), "");
    let stderr = ended.stderr();
    assert!(
        stderr.contains("this host can't isolate: the layer cgroup is missing"),
        "{stderr}"
    );
    assert!(stderr.contains("--allow-missing cgroup"), "{stderr}");
}

#[test]
fn with_the_flag_it_works_and_the_weaker_layers_are_named() {
    let ended = Cli::new(&["run", "a.py", "--allow-missing", "cgroup"])
        .file("a.py", "print('hello')")
        .as_user()
        .finish();
    assert_eq!(
        (ended.code(), ended.stdout_text().as_str()),
        (0, "hello\n"),
        "{ended}"
    );
    let stderr = ended.stderr();
    assert!(
        stderr.contains("glovebox: the layer permission is weaker: "),
        "{stderr}"
    );
    assert!(
        stderr.contains("glovebox: the layer cgroup is missing: "),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
}

#[test]
fn the_result_is_the_same_as_roots() {
    run("print('hello')")
        .result()
        .expect(json!({"stdout": "hello\n"}));
    Run::node("console.log('hello')")
        .as_user()
        .result()
        .expect(json!({"stdout": "hello\n", "profile": "nodejs"}));
    run("raise SystemExit(3)")
        .result()
        .expect(json!({"status": "failed", "exit_code": 3}));
    run("import os; os.abort()")
        .result()
        .expect(json!({"status": "failed", "signal": "SIGABRT"}));
    run("open('out', 'w').write('x')").with("outputs", json!(["*"])).result().expect(json!({"files": [
        {"path": "main.py", "content": "open('out', 'w').write('x')", "encoding": "utf-8", "size": 27},
        {"path": "out", "content": "x", "encoding": "utf-8", "size": 1},
    ]}));
}

#[test]
fn doctor_tells_what_is_missing() {
    let ended = Cli::new(&["doctor"]).as_user().finish();
    assert_eq!(ended.code(), 5, "{ended}");
    let said = ended.stdout_text();
    for (layer, state) in [
        ("namespaces", "full"),
        ("permission", "weaker"),
        ("cgroup", "missing"),
        ("landlock", "full"),
        ("seccomp", "full"),
    ] {
        let row = said
            .lines()
            .find(|line| line.trim_start().starts_with(layer));
        assert!(
            row.is_some_and(|row| row.contains(state)),
            "{layer}: {said}"
        );
    }
    let ended = Cli::new(&["doctor", "--allow-missing", "cgroup"])
        .as_user()
        .finish();
    assert_eq!(ended.code(), 0, "{ended}");
}

#[test]
fn it_is_isolated() {
    let facts = probe("self");
    assert_ne!(facts["uids"][0], 0);
    assert_eq!(
        facts["uids"],
        Value::from(vec![facts["uids"][0].clone(); 6])
    );
    assert_eq!(
        facts["capabilities"],
        Value::from(vec!["0000000000000000"; 5])
    );
    assert_eq!(facts["no_new_privs"], "1");
    assert_eq!(facts["seccomp"], json!(["2", "1"]));
    assert_eq!(facts["fds"], json!(["0", "1", "2", "3"]));
    assert_eq!(facts["namespace_pids"], json!([facts["pid"].to_string()]));
    assert_eq!(facts["environ"]["HOME"], "/tmp");
    assert_eq!(facts["environ"].get("SECRET_OF_THE_HOST"), None);
    for (what, got) in facts["init"].as_object().unwrap() {
        assert!(
            ["ENOENT", "EACCES", "EPERM", "ESRCH"].contains(&got.as_str().unwrap_or("")),
            "{what}: {got}"
        );
    }
    assert_eq!(probe("landlock")["device_ioctl"], "EACCES");
}

#[test]
fn killing_init_does_nothing() {
    run("import os\nfor n in (9, 15, 19): \n    try: os.kill(1, n)\n    except OSError: pass\nprint('alive')")
        .result()
        .expect(json!({"stdout": "alive\n"}));
}

#[test]
fn it_has_no_network() {
    let facts = probe("network");
    assert_eq!(facts["interfaces"], json!(["lo"]));
    assert_eq!(facts["addresses"], "");
    assert_eq!(facts["routes"], json!([]));
    assert_eq!(facts["unix_sockets"], json!([]));
    assert_eq!(facts["hostname"], json!(["cell", "cell"]));
    run("import socket\ntry: socket.socket()\nexcept PermissionError: print('no')")
        .result()
        .expect(json!({
            "stdout": "no\n", "denied": [{"syscall": "socket", "count": 1, "hint": HINT}],
        }));
}

#[test]
fn it_sees_and_writes_what_it_may_and_nothing_else() {
    let facts = probe("files");
    assert_eq!(
        facts["root"],
        json!([
            "bin", "dev", "etc", "lib", "lib64", "proc", "tmp", "usr", "work"
        ])
    );
    for (path, found) in facts["absent"].as_object().unwrap() {
        assert_eq!(found, "ENOENT", "{path}");
    }
    let facts = probe("walk");
    assert_eq!(
        facts["writable_folders"],
        json!(["/dev/shm", "/tmp", "/work"])
    );
    assert_eq!(
        facts["writable_files"],
        json!([
            "/dev/full",
            "/dev/null",
            "/dev/random",
            "/dev/urandom",
            "/dev/zero",
            "/work/main.py"
        ])
    );
    assert_eq!(facts["mounts_without_nosuid"], json!([]));
}

#[test]
fn what_it_writes_cannot_be_executed_and_setuid_gains_nothing() {
    let facts = probe("programs");
    for folder in ["/work", "/tmp", "/dev/shm"] {
        assert_eq!(facts["exec"][folder], "EACCES");
        assert_eq!(facts["exec"][format!("{folder} by the loader")], true);
    }
    for (path, ids) in facts["setuid"].as_object().unwrap() {
        assert_eq!(ids, &json!([ids[0], ids[0], ids[0], ids[0], "0"]), "{path}");
        assert_ne!(ids[0], "0", "{path}");
    }
}

#[test]
fn a_dangerous_call_ends_the_job() {
    run("print('before', flush=True)\nimport ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0)\nimport time; time.sleep(600)")
        .result()
        .expect(json!({
            "status": "denied", "stdout": "before\n",
            "denied": [{"syscall": "ptrace", "count": 1, "hint": HINT}],
        }));
}

#[test]
fn limits_hold() {
    reaches(
        "wall_time",
        &run("import time; time.sleep(600)").limit("wall_ms", 300),
    );
    reaches("wall_time", &run("while True: pass").limit("wall_ms", 500));
    reaches("cpu_time", &run("while True: pass").limit("cpu_ms", 1000));
    reaches(
        "output",
        &run("import os\nwhile True: os.write(1, b'x' * 65536)"),
    );
    reaches(
        "disk",
        &run("f = open('/tmp/x', 'wb', 0)\nwhile True: f.write(b'x' * 65536)")
            .limit("disk_bytes", 8 << 20),
    );
}

#[test]
fn processes_are_bounded() {
    let code = "import os, time\nn = 0\ntry:\n    while True:\n        if os.fork() == 0: time.sleep(600)\n        n += 1\nexcept OSError: print(n)";
    let outcome = run(code).limit("processes", 20).result();
    let count: u64 = outcome.result.stdout.trim().parse().unwrap();
    assert!((1..=20).contains(&count), "{count}");
}

#[test]
fn memory_is_bounded() {
    let outcome = run("x = []\nwhile True: x.append(b'x' * 1000000)")
        .limit("memory_bytes", 100 << 20)
        .result();
    let result = &outcome.result;
    assert_ne!(result.status.as_str(), "succeeded");
    assert!(
        result.stderr.contains("MemoryError") || result.limit.is_some(),
        "{result:?}"
    );
}

#[test]
fn nothing_is_left_of_what_it_leaves_behind() {
    let code = "import os, time\nr, w = os.pipe()\nfor _ in range(10):\n    if os.fork() == 0:\n        os.setsid(); os.write(w, b'x'); time.sleep(600)\nfor _ in range(10): os.read(r, 1)\nprint('done')";
    run(code).result().expect(json!({"stdout": "done\n"}));
}

#[test]
fn nothing_is_left_when_it_is_killed() {
    let code = "import os, signal, time\nfor n in signal.valid_signals() - {9, 19}: signal.signal(n, signal.SIG_IGN)\nif os.fork() == 0: os.setsid()\nprint('here', flush=True)\ntime.sleep(600)";
    let mut running = Cli::new(&["run", "a.py", "--allow-missing", "cgroup"])
        .file("a.py", code)
        .as_user()
        .spawn();
    running.wait_for("here");
    running.signal(rustix::process::Signal::KILL);
    assert_eq!(running.finish_killed().code(), 137);
}

#[test]
fn two_at_once_do_not_hinder_each_other() {
    // Processes are counted by uid where there is no cgroup, and both have the same.
    let code = "import os, sys, time\nr, w = os.pipe()\nfor _ in range(20):\n    if os.fork() == 0:\n        os.write(w, b'x'); time.sleep(600)\nfor _ in range(20): os.read(r, 1)\nprint('here', flush=True)\nif len(sys.argv) > 1: time.sleep(600)";
    let mut first = Cli::new(&["run", "a.py", "--allow-missing", "cgroup", "--", "stay"])
        .file("a.py", code)
        .as_user()
        .spawn();
    first.wait_for("here");
    run(code).result().expect(json!({"stdout": "here\n"}));
    first.signal(rustix::process::Signal::TERM);
    assert_eq!(first.finish().code(), 3);
}
