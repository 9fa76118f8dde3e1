//! Each limit of what can be used up ends what exceeds it, names itself, and leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_tests::limits::{MIB, PROMPT_MS, ends_by, fails_by, wall_ms};
use glovebox_tests::run::Run;
use serde_json::{Value, json};

// ---- what is left behind

#[test]
fn a_daemon_does_not_outlive_the_program_nor_hold_it_up() {
    for code in [
        // keeps stdout open
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(600)\n    os._exit(0)\nos.wait(); print('done')",
        // ignores signals and prints for ever
        "import os, signal, time\nr, w = os.pipe()\nif os.fork() == 0:\n    os.setsid()\n    for n in (1, 2, 13, 15): signal.signal(n, signal.SIG_IGN)\n    os.write(w, b'x')\n    while True: time.sleep(600)\nos.read(r, 1); print('done')",
        // many, each in a session of its own
        "import os, time\nr, w = os.pipe()\nfor _ in range(25):\n    if os.fork() == 0:\n        os.setsid(); os.write(w, b'x'); time.sleep(600)\nfor _ in range(25): os.read(r, 1)\nprint('done')",
        // stopped
        "import os, signal, time\npid = os.fork()\nif pid == 0: os.kill(os.getpid(), signal.SIGSTOP)\nos.waitpid(pid, os.WUNTRACED); print('done')",
    ] {
        let outcome = Run::python(code).result();
        outcome.expect(json!({"stdout": "done\n"}));
        assert!(wall_ms(&outcome) < PROMPT_MS, "{code}");
    }
}

#[test]
fn a_flood_by_a_daemon_is_bounded_too() {
    let code = "import os\nif os.fork() == 0:\n    os.setsid()\n    while True: os.write(1, b'x' * 65536)\nimport time; time.sleep(600)";
    let outcome = Run::python(code).result();
    outcome.expect(json!({
        "status": "limit_exceeded", "limit": "output", "stdout": "x".repeat(1 << 20), "stdout_truncated": true,
    }));
}

// ---- memory

#[test]
fn usage_is_measured() {
    let code = "x = b'x' * 50_000_000\nimport os\nif os.fork() == 0: os._exit(0)\nos.wait()\nfor _ in range(5 * 10**6): pass";
    let outcome = Run::python(code).result();
    outcome.expect(json!({}));
    let usage = outcome.result.usage.unwrap();
    assert!(
        (50_000_000..100_000_000).contains(&usage.memory_peak_bytes),
        "{usage:?}"
    );
    assert_eq!(usage.processes_peak, 2);
    assert!(usage.cpu_user_ms > 20.0, "{usage:?}");
    assert!(usage.wall_ms >= usage.cpu_user_ms, "{usage:?}");
}

#[test]
fn a_memory_bomb_is_a_matter_of_memory() {
    let outcome = ends_by(
        "memory",
        &Run::python("x = []\nwhile True: x.append(b'x' * 1000000)"),
    );
    let peak = outcome.result.usage.unwrap().memory_peak_bytes;
    assert!((200 * MIB..=256 * MIB).contains(&peak), "{peak}");
    ends_by(
        "memory",
        &Run::python("x = bytearray(1 << 30)\nfor i in range(0, 1 << 30, 4096): x[i] = 1"),
    );

    for code in [
        "const x = []; while (true) x.push(Buffer.alloc(1 << 20, 1));",
        "const x = []; while (true) x.push({a: x.length, b: 'b' + x.length});",
    ] {
        ends_by("memory", &Run::node(code).limit("memory_bytes", 128 * MIB));
    }
}

#[test]
fn memory_is_that_of_all_processes() {
    let code = "import os, time\nfor _ in range(6):\n    if os.fork() == 0:\n        x = b'x' * 30_000_000\n        time.sleep(600)\nos.wait()\nwhile True: time.sleep(600)";
    ends_by(
        "memory",
        &Run::python(code).limit("memory_bytes", 100 * MIB),
    );
}

#[test]
fn a_child_that_runs_out_of_memory_takes_the_job_with_it() {
    let code = "import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', 'x = []\\nwhile True: x.append(b\"x\" * 1000000)'])\ntime.sleep(600)";
    ends_by("memory", &Run::python(code).limit("memory_bytes", 64 * MIB));
}

#[test]
fn files_count_as_memory() {
    for folder in ["/work", "/tmp", "/dev/shm"] {
        let code = format!("f = open('{folder}/x', 'wb')\nwhile True: f.write(b'x' * 1000000)");
        let run = Run::python(&code)
            .limit("memory_bytes", 64 * MIB)
            .limit("disk_bytes", 512 * MIB);
        ends_by("memory", &run);
    }
    let code = "import os\nf = os.memfd_create('x')\nwhile True: os.write(f, b'x' * 1000000)";
    ends_by("memory", &Run::python(code).limit("memory_bytes", 64 * MIB));
}

#[test]
fn memory_that_is_not_touched_is_free() {
    Run::python("import mmap; x = mmap.mmap(-1, 8 << 30); print(len(x) >> 30)")
        .result()
        .expect(json!({"stdout": "8\n"}));
}

// ---- processes

#[test]
fn a_fork_bomb_is_a_matter_of_processes() {
    let code = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass";
    let outcome = ends_by("processes", &Run::python(code));
    assert_eq!(outcome.result.usage.unwrap().processes_peak, 32);
    // One that does not go on after the first refusal.
    let code = "import os, time\nwhile True:\n    if os.fork() == 0: time.sleep(600)";
    fails_by("processes", &Run::python(code), "BlockingIOError");
    let code = "import subprocess\nsubprocess.run(['/bin/sh', '-c', 'f() { f | f & }; f; while true; do :; done'])";
    ends_by("processes", &Run::python(code));
}

#[test]
fn a_thread_bomb_is_a_matter_of_processes() {
    let code = "import threading, time\nwhile True:\n    t = threading.Thread(target=time.sleep, args=(600,), daemon=True); t.start()";
    fails_by("processes", &Run::python(code), "can't start new thread");
    let code = "import threading, time\nwhile True:\n    try: threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n    except RuntimeError: pass";
    ends_by("processes", &Run::python(code));
}

#[test]
fn as_many_processes_as_the_limit_says_are_fine() {
    let code = "import os\nr, w = os.pipe()\nfor _ in range(31):\n    if os.fork() == 0: os.read(r, 1); os._exit(0)\nos.write(w, b'x' * 31)\nfor _ in range(31): os.wait()\nprint('done')";
    let outcome = Run::python(code).result();
    outcome.expect(json!({"stdout": "done\n"}));
    assert_eq!(outcome.result.usage.unwrap().processes_peak, 32);
}

#[test]
fn a_refused_fork_that_the_program_survives_is_no_failure() {
    let code = "import os, time\ntry:\n    while True:\n        if os.fork() == 0: time.sleep(600)\nexcept OSError: print('enough')";
    Run::python(code)
        .result()
        .expect(json!({"stdout": "enough\n"}));
}

// ---- output

#[test]
fn a_flood_is_cut_at_the_limit() {
    for (stream, name) in [(1, "stdout"), (2, "stderr")] {
        let code = format!(
            "import os\nfor _ in range(16384): os.write({stream}, b'0123456789abcdef' * 4096)"
        );
        let kept = "0123456789abcdef".repeat(1 << 16);
        let mut expected = json!({"status": "limit_exceeded", "limit": "output"});
        expected[name] = kept.into();
        expected[format!("{name}_truncated")] = true.into();
        let outcome = Run::python(&code).result();
        outcome.expect(expected);
        assert!(wall_ms(&outcome) < PROMPT_MS);
    }
}

#[test]
fn exactly_as_much_output_as_the_limit_says_is_fine() {
    let code = "import os; os.write(1, b'x' * 1000); os.write(2, b'y' * 1000)";
    Run::python(code)
        .limit("output_bytes", 1000)
        .result()
        .expect(json!({"stdout": "x".repeat(1000), "stderr": "y".repeat(1000)}));
    let code = "import os, time; os.write(1, b'x' * 1001); time.sleep(600)";
    Run::python(code).limit("output_bytes", 1000).result().expect(json!({
        "status": "limit_exceeded", "limit": "output", "stdout": "x".repeat(1000), "stdout_truncated": true,
    }));
}

#[test]
fn output_of_the_largest_limit_comes_back_whole() {
    let code = "import os\nfor _ in range(16): os.write(1, b'x' * (1 << 20))";
    let code = format!("{code}\nimport sys; sys.exit(0)");
    let outcome = Run::python(&code).limit("output_bytes", 16 * MIB).result();
    assert_eq!(outcome.result.stdout.len() as u64, 16 * MIB);
    assert!(!outcome.result.stdout_truncated);
}

#[test]
fn a_flood_in_two_streams_at_once_keeps_the_limit_of_each() {
    let code = "import os\nif os.fork() == 0:\n    while True: os.write(2, b'y' * 4096)\nwhile True: os.write(1, b'x' * 4096)";
    let outcome = Run::python(code).limit("output_bytes", 10_000).result();
    let result = &outcome.result;
    assert!(result.stdout_truncated || result.stderr_truncated);
    for (text, truncated) in [
        (&result.stdout, result.stdout_truncated),
        (&result.stderr, result.stderr_truncated),
    ] {
        assert!(if truncated {
            text.len() == 10_000
        } else {
            text.len() <= 10_000
        });
    }
    assert_eq!(result.limit.map(|limit| limit.as_str()), Some("output"));
}

// ---- disk

#[test]
fn a_full_disk_is_a_matter_of_disk() {
    for folder in ["/work", "/tmp", "/dev/shm"] {
        let code =
            format!("f = open('{folder}/x', 'wb', 0)\nwhile True:\n    f.write(b'x' * 65536)");
        let run = Run::python(&code).limit("disk_bytes", 8 * MIB);
        let outcome = run.result();
        let stderr = outcome.result.stderr.clone();
        assert!(stderr.contains("OSError: [Errno"), "{stderr}");
        outcome.expect(json!({
            "status": "limit_exceeded", "limit": "disk", "exit_code": 1, "stderr": stderr,
        }));
    }
    let code = "const fs = require('fs'); const f = fs.openSync('/tmp/x', 'w'); while (true) fs.writeSync(f, Buffer.alloc(65536));";
    let outcome = Run::node(code).limit("disk_bytes", 8 * MIB).result();
    let (code, signal, stderr) = (
        outcome.result.exit_code,
        outcome.result.signal.clone(),
        outcome.result.stderr.clone(),
    );
    outcome.expect(json!({
        "status": "limit_exceeded", "limit": "disk", "exit_code": code, "signal": signal,
        "stderr": stderr, "profile": "nodejs",
    }));
}

#[test]
fn the_disk_is_one_for_all_folders() {
    let code = "for n, folder in enumerate(['/work', '/tmp', '/dev/shm'] * 4):\n    open(f'{folder}/{n}', 'wb').write(b'x' * (1 << 20))";
    fails_by(
        "disk",
        &Run::python(code).limit("disk_bytes", 8 * MIB),
        "No space left on device",
    );
}

#[test]
fn many_small_files_are_a_matter_of_disk() {
    let code = "for n in range(10**6): open(f'/tmp/{n}', 'w').close()";
    fails_by(
        "disk",
        &Run::python(code).limit("disk_bytes", 4 * MIB),
        "No space left on device",
    );
    let code = "import os\nfor n in range(10**6): os.symlink('x', f'/tmp/{n}')";
    fails_by(
        "disk",
        &Run::python(code).limit("disk_bytes", 4 * MIB),
        "No space left on device",
    );
}

/// The kernel refuses these before a block is used, so that nobody can see that it was the disk.
#[test]
fn a_length_beyond_the_disk_is_refused_to_the_program() {
    for (code, says) in [
        ("open('x', 'w').truncate(1 << 40)", "File too large"),
        (
            "import os; os.posix_fallocate(os.open('x', os.O_CREAT | os.O_RDWR), 0, 64 << 20)",
            "OSError",
        ),
    ] {
        let outcome = Run::python(code).limit("disk_bytes", 8 * MIB).result();
        let result = &outcome.result;
        assert_eq!(result.status.as_str(), "failed", "{code}");
        assert!(result.stderr.contains(says), "{code}: {}", result.stderr);
    }
}

#[test]
fn a_full_disk_that_the_program_survives_is_no_failure() {
    let code = "import os\ntry:\n    f = open('x', 'wb')\n    while True: f.write(b'x' * 65536); f.flush()\nexcept OSError: os.remove('x'); print('enough')\nos._exit(0)";
    Run::python(code)
        .limit("disk_bytes", 4 * MIB)
        .result()
        .expect(json!({"stdout": "enough\n"}));
}

#[test]
fn files_of_the_job_that_do_not_fit_are_a_matter_of_disk() {
    let run = Run::python("print(1)")
        .file("data", &"x".repeat(2 << 20))
        .limit("disk_bytes", MIB);
    let outcome = run.result();
    let result = &outcome.result;
    assert_eq!(
        result.status.as_str(),
        "limit_exceeded",
        "{:?}",
        result.error
    );
    assert_eq!(result.limit.map(|limit| limit.as_str()), Some("disk"));
    assert_eq!(result.stdout, "");
}

#[test]
fn a_program_that_does_not_fit_is_a_matter_of_disk() {
    // Shorter than a page; more than one page, but not to the end of it; more files than inodes.
    let mut many = Run::python("print(1)").limit("disk_bytes", 4096);
    for n in 0..100 {
        many = many.file(&format!("f{n}"), "");
    }
    for run in [
        Run::python("print(1)").limit("disk_bytes", 1),
        Run::python("print(1)")
            .file("data", &"x".repeat(5000))
            .limit("disk_bytes", 4200),
        many,
    ] {
        let outcome = run.result();
        let result = &outcome.result;
        assert_eq!(
            result.status.as_str(),
            "limit_exceeded",
            "{:?}",
            result.error
        );
        assert_eq!(result.limit.map(|limit| limit.as_str()), Some("disk"));
    }
}

// ---- the ceiling

#[test]
fn a_limit_at_the_ceiling_is_granted() {
    let mut run = Run::python("print(1)");
    for (name, value) in ceilings() {
        run = run.limit(name, value);
    }
    run.result().expect(json!({"stdout": "1\n"}));
}

#[test]
fn a_limit_above_the_ceiling_is_refused_by_name() {
    for (name, ceiling) in ceilings() {
        let outcome = Run::python("print(1)").limit(name, ceiling + 1).result();
        let error: Value = json!({
            "code": "limit_above_ceiling",
            "message": format!("limits.{name}: {} is above the ceiling of the profile \"python\"", ceiling + 1),
            "hint": format!("ask for at most {ceiling}"),
        });
        outcome.expect(json!({
            "status": "rejected", "error": error, "profile": null, "usage": null, "times": "not started",
        }));
    }
}

fn ceilings() -> [(&'static str, u64); 6] {
    [
        ("wall_ms", 600_000),
        ("cpu_ms", 600_000),
        ("memory_bytes", 2 << 30),
        ("disk_bytes", 1 << 30),
        ("output_bytes", 16 * MIB),
        ("processes", 256),
    ]
}
