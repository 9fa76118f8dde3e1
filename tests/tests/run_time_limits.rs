//! Limits of time end what exceeds them, whatever it does.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_tests::limits::{cpu_ms, ends_by, wall_ms};
use glovebox_tests::run::Run;
use serde_json::json;

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
