//! Each limit ends what exceeds it, in time, names itself, and leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_tests::run::{Outcome, Run};
use serde_json::{Value, json};

/// No cell lives that long after its limit, however busy the host is.
const PROMPT_MS: f64 = 8_000.0;
const MIB: u64 = 1 << 20;

/// Runs a Python program that is expected to be ended by the warden for `limit`.
fn ends_by(limit: &str, run: &Run) -> Outcome {
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
fn fails_by(limit: &str, run: &Run, last_line: &str) {
    let outcome = run.result();
    let stderr = outcome.result.stderr.clone();
    let last = stderr.lines().last().unwrap_or_default();
    assert!(last.contains(last_line), "{stderr}");
    outcome.expect(
        json!({"status": "limit_exceeded", "limit": limit, "exit_code": 1, "stderr": stderr}),
    );
}

fn wall_ms(outcome: &Outcome) -> f64 {
    outcome.result.usage.unwrap().wall_ms
}

fn cpu_ms(outcome: &Outcome) -> f64 {
    let usage = outcome.result.usage.unwrap();
    usage.cpu_user_ms + usage.cpu_system_ms
}

// ---- time

#[test]
fn an_endless_loop_ends_at_the_wall_limit() {
    let run = Run::python("while True: pass").limit("wall_ms", 800);
    let outcome = ends_by("wall_time", &run);
    assert!(wall_ms(&outcome) >= 800.0);
    assert!(cpu_ms(&outcome) > 100.0, "{:?}", outcome.result.usage);

    let outcome = Run::node("while (true);").limit("wall_ms", 800).result();
    outcome.expect(json!({"status": "limit_exceeded", "limit": "wall_time", "profile": "nodejs"}));
}

#[test]
fn an_endless_loop_ends_at_the_cpu_limit() {
    let run = Run::python("while True: pass").limit("cpu_ms", 300);
    let outcome = ends_by("cpu_time", &run);
    assert!(
        (300.0..2_000.0).contains(&cpu_ms(&outcome)),
        "{:?}",
        outcome.result.usage
    );
}

#[test]
fn cpu_time_is_that_of_all_processes() {
    let code = "import os\nfor _ in range(5):\n    if os.fork() == 0: break\nwhile True: pass";
    let outcome = ends_by("cpu_time", &Run::python(code).limit("cpu_ms", 500));
    assert!(cpu_ms(&outcome) >= 500.0);
    // Short-lived children count as well as those that are still there.
    let code = "import os\nwhile True:\n    if os.fork() == 0:\n        for _ in range(10**6): pass\n        os._exit(0)\n    os.wait()";
    ends_by("cpu_time", &Run::python(code).limit("cpu_ms", 500));
}

#[test]
fn cpu_time_is_bounded_by_the_profiles_bandwidth() {
    let code = "import os\nfor _ in range(3): os.fork()\nwhile True: pass";
    let outcome = ends_by("wall_time", &Run::python(code).limit("wall_ms", 1500));
    let usage = outcome.result.usage.unwrap();
    // One processor; the kernel hands out bandwidth in periods of 100 ms.
    assert!(cpu_ms(&outcome) <= usage.wall_ms + 300.0, "{usage:?}");
}

#[test]
fn a_sleeper_ends_at_the_wall_limit() {
    let outcome = ends_by(
        "wall_time",
        &Run::python("import time; time.sleep(600)").limit("wall_ms", 300),
    );
    assert!(wall_ms(&outcome) >= 300.0);
    assert!(cpu_ms(&outcome) < 300.0, "{:?}", outcome.result.usage);
    let outcome = Run::node("setTimeout(() => {}, 600000)")
        .limit("wall_ms", 300)
        .result();
    outcome.expect(json!({"status": "limit_exceeded", "limit": "wall_time", "profile": "nodejs"}));
}

#[test]
fn what_was_printed_before_a_time_limit_is_kept() {
    let code = "import sys, time; print('out'); print('err', file=sys.stderr); time.sleep(600)";
    Run::python(code)
        .limit("wall_ms", 400)
        .result()
        .expect(json!({
            "status": "limit_exceeded", "limit": "wall_time", "stdout": "out\n", "stderr": "err\n",
        }));
}

#[test]
fn nothing_that_a_program_does_to_itself_keeps_it_alive() {
    for code in [
        // signals ignored
        "import signal, time\nfor n in signal.valid_signals() - {9, 19}: signal.signal(n, signal.SIG_IGN)\ntime.sleep(600)",
        // signals blocked
        "import signal, time; signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()); time.sleep(600)",
        // stopped
        "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
        // without output streams
        "import os, time\nfor n in range(3): os.close(n)\ntime.sleep(600)",
        // with every descriptor closed, in another session
        "import os, time\nif os.fork(): time.sleep(600)\nos.setsid(); os.closerange(0, 100); time.sleep(600)",
        // waiting for what never comes
        "import os; r, w = os.pipe(); os.read(r, 1)",
        // a stopped child that the program waits for
        "import os, signal\npid = os.fork()\nif pid == 0: os.kill(os.getpid(), signal.SIGSTOP)\nos.waitpid(pid, 0)",
        // vfork: the parent sleeps uninterruptibly until the child execs or ends
        "import subprocess; subprocess.run(['/bin/sleep', '600'])",
        // everybody killed but itself
        "import os, time\nif os.fork() == 0: time.sleep(600)\nos.kill(-1, 9); time.sleep(600)",
    ] {
        ends_by("wall_time", &Run::python(code).limit("wall_ms", 500));
    }
}

#[test]
fn the_smallest_limits_are_limits_not_failures() {
    ends_by(
        "wall_time",
        &Run::python("import time; time.sleep(600)").limit("wall_ms", 1),
    );
    ends_by(
        "cpu_time",
        &Run::python("while True: pass").limit("cpu_ms", 1),
    );
    ends_by("memory", &Run::python("print(1)").limit("memory_bytes", 1));
    Run::python("print(1)")
        .limit("processes", 1)
        .result()
        .expect(json!({"stdout": "1\n"}));
    let outcome = Run::python("print(1)\nimport time; time.sleep(600)")
        .limit("output_bytes", 1)
        .result();
    outcome.expect(json!({
        "status": "limit_exceeded", "limit": "output", "stdout": "1", "stdout_truncated": true,
    }));
}

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
