//! `glovebox run` as a command: what it prints, how it exits, and what is left when it is killed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_tests::cli::Cli;
use rustix::process::Signal;
use serde_json::json;

fn run(name: &str, program: &str) -> Cli {
    Cli::new(&["run", name]).file(name, program)
}

#[test]
fn its_output_and_exit_code_are_the_programs() {
    for (name, program, code, stdout, stderr) in [
        ("a.py", "print('hello')", 0, "hello\n", ""),
        (
            "a.js",
            "console.log('hello'); console.error('err')",
            0,
            "hello\n",
            "err\n",
        ),
        (
            "a.py",
            "import sys; print('err', file=sys.stderr); sys.exit(7)",
            7,
            "",
            "err\n",
        ),
        ("a.py", "import os; os._exit(255)", 255, "", ""),
        ("a.py", "import os; os.abort()", 134, "", ""),
        ("a.py", "import os; os.kill(os.getpid(), 9)", 137, "", ""),
        (
            "a.py",
            "import os; os.write(1, b'\\xff\\x00')",
            0,
            "\u{fffd}\0",
            "",
        ),
    ] {
        let ended = run(name, program).finish();
        assert_eq!(ended.code(), code, "{program}: {ended}");
        assert_eq!(ended.stdout_text(), stdout, "{program}");
        assert_eq!(ended.stderr(), stderr, "{program}");
    }
}

#[test]
fn what_ended_the_program_is_said() {
    for (program, limit, code, stderr) in [
        (
            "while True: pass",
            "wall_ms=300",
            3,
            "glovebox: stopped: the limit wall_time was reached\n",
        ),
        (
            "while True: pass",
            "cpu_ms=200",
            3,
            "glovebox: stopped: the limit cpu_time was reached\n",
        ),
        (
            "print('x' * 100, flush=True)\nwhile True: pass",
            "output_bytes=10",
            3,
            "glovebox: stopped: the limit output was reached\n",
        ),
        (
            "x = []\nwhile True: x.append(b'x' * 1000000)",
            "memory_bytes=50000000",
            3,
            "glovebox: stopped: the limit memory was reached\n",
        ),
    ] {
        let ended = run("a.py", program).args(&["--limit", limit]).finish();
        assert_eq!(ended.code(), code, "{program}: {ended}");
        assert_eq!(ended.stderr(), stderr, "{program}");
    }
    let ended = run(
        "a.py",
        "import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0)",
    )
    .finish();
    assert_eq!(ended.code(), 3, "{ended}");
    assert!(
        ended
            .stderr()
            .starts_with("glovebox: refused: ptrace (1×): debuggers "),
        "{ended}"
    );
    let ended = run(
        "a.py",
        "import socket\ntry: socket.socket()\nexcept OSError: print('none')",
    )
    .finish();
    assert_eq!(
        (ended.code(), ended.stdout_text().as_str()),
        (0, "none\n"),
        "{ended}"
    );
    assert!(
        ended
            .stderr()
            .starts_with("glovebox: refused: socket (1×): this profile has no network"),
        "{ended}"
    );
}

#[test]
fn output_comes_while_the_program_runs() {
    let mut running = run("a.py", "import time; print('early'); time.sleep(600)").spawn();
    assert_eq!(running.wait_for("early\n"), "early\n");
    running.signal(Signal::TERM);
    let ended = running.finish();
    assert_eq!(ended.code(), 3, "{ended}");
}

#[test]
fn several_limits_arguments_and_stdin() {
    let program = "import sys, resource; print(sys.stdin.read(), sys.argv[1:], resource.getrlimit(resource.RLIMIT_FSIZE)[1])";
    let ended = run("a.py", program)
        .file("in.txt", "from a file")
        .args(&[
            "--stdin",
            "in.txt",
            "--limit",
            "disk_bytes=5000000",
            "--limit",
            "wall_ms=5000",
            "--",
            "a",
            "--json",
            "-x",
        ])
        .finish();
    assert_eq!(
        ended.stdout_text(),
        "from a file ['a', '--json', '-x'] 5000000\n",
        "{ended}"
    );
    let ended = run("a.py", "import sys; print(sys.stdin.read())")
        .args(&["--stdin", "-"])
        .stdin("from the command's own")
        .finish();
    assert_eq!(ended.stdout_text(), "from the command's own\n", "{ended}");
}

#[test]
fn stdin_is_the_programs_only_when_it_is_asked_for() {
    let ended = run("a.py", "import sys; print(repr(sys.stdin.read()))")
        .stdin("secret")
        .finish();
    assert_eq!(ended.stdout_text(), "''\n", "{ended}");
}

#[test]
fn the_program_may_come_from_stdin() {
    let ended = Cli::new(&["run", "-", "--language", "python"])
        .stdin("print('hello')")
        .finish();
    assert_eq!(ended.stdout_text(), "hello\n", "{ended}");
}

#[test]
fn the_language_is_found_or_named() {
    let ended = run("a.txt", "print('hello')").finish();
    assert_eq!(ended.code(), 2, "{ended}");
    assert_eq!(ended.stdout_text(), "");
    assert!(
        ended.stderr().contains("a.txt") && ended.stderr().contains("--language"),
        "{ended}"
    );
    let ended = run("a.txt", "print('hello')")
        .args(&["-l", "python"])
        .finish();
    assert_eq!(
        (ended.code(), ended.stdout_text().as_str()),
        (0, "hello\n"),
        "{ended}"
    );
    let ended = run("a.py", "print('hello')")
        .args(&["--language", "pyton"])
        .finish();
    assert_eq!(ended.code(), 3, "{ended}");
    assert!(
        ended
            .stderr()
            .contains("language: \"pyton\" is not known here"),
        "{ended}"
    );
    assert!(
        ended.stderr().contains("mend: did you mean \"python\"?"),
        "{ended}"
    );
}

#[test]
fn wrong_usage_is_exit_code_2_and_says_what() {
    for (args, says) in [
        (vec!["run"], "<FILE>"),
        (
            vec!["run", "absent.py"],
            "absent.py: No such file or directory",
        ),
        (vec!["run", "."], "--language"),
        (
            vec!["run", "a.py", "--limit", "wall_ms"],
            "write NAME=VALUE",
        ),
        (
            vec!["run", "a.py", "--limit", "wall=3"],
            "wall_ms, cpu_ms, memory_bytes",
        ),
        (
            vec!["run", "a.py", "--limit", "wall_ms=ten"],
            "whole number",
        ),
        (vec!["run", "a.py", "--limit", "wall_ms=-1"], "whole number"),
        (
            vec!["run", "a.py", "--limit", "wall_ms=0"],
            "limits.wall_ms: zero would let nothing run",
        ),
        (
            vec!["run", "a.py", "--network", "all"],
            "possible values: none, proxy",
        ),
        (
            vec!["run", "a.py", "--stdin", "absent"],
            "absent: No such file or directory",
        ),
        (
            vec!["run", "a.py", "--job", "job.json"],
            "cannot be used with",
        ),
        (
            vec!["run", "a.py", "--allow-missing", "seccomp"],
            "possible values: cgroup, landlock",
        ),
        (vec!["run", "a.py", "--no-such-flag"], "--no-such-flag"),
        (vec!["fly"], "fly"),
    ] {
        let ended = Cli::new(&args).file("a.py", "print(1)").finish();
        assert_eq!(ended.code(), 2, "{args:?}: {ended}");
        assert!(
            ended.stderr().contains(says),
            "{args:?} does not say {says:?}: {ended}"
        );
        assert_eq!(ended.stdout_text(), "", "{args:?}");
    }
}

#[test]
fn a_limit_above_the_ceiling_is_exit_code_3_and_says_the_ceiling() {
    let ended = run("a.py", "print(1)")
        .args(&["--limit", "memory_bytes=99999999999"])
        .finish();
    assert_eq!(ended.code(), 3, "{ended}");
    assert!(
        ended
            .stderr()
            .contains("limits.memory_bytes: 99999999999 is above the ceiling"),
        "{ended}"
    );
    assert!(
        ended.stderr().contains("mend: ask for at most 2147483648"),
        "{ended}"
    );
}

#[test]
fn a_job_document_may_be_a_file_and_shows_output_without_json() {
    let document =
        json!({"language": "python", "code": "print('hello'); raise SystemExit(4)"}).to_string();
    let ended = Cli::new(&["run", "--job", "job.json"])
        .file("job.json", document)
        .finish();
    assert_eq!(
        (ended.code(), ended.stdout_text().as_str()),
        (4, "hello\n"),
        "{ended}"
    );
}

#[test]
fn tests_are_told_one_a_line() {
    let document = json!({
        "language": "python", "code": "print(input())",
        "tests": [
            {"name": "good", "stdin": "1", "expected_stdout": "1"},
            {"name": "bad", "stdin": "1", "expected_stdout": "2"},
        ],
    });
    let ended = Cli::new(&["run", "--job", "-"])
        .stdin(document.to_string())
        .finish();
    assert_eq!(ended.code(), 3, "{ended}");
    assert!(
        ended.stderr().contains("glovebox: test good: succeeded"),
        "{ended}"
    );
    assert!(
        ended
            .stderr()
            .contains("glovebox: test bad: failed: line 1: expected \"2\", got \"1\"\n    --- expected\n    +++ got\n"),
        "{ended}"
    );
    let summary = "    -2\n    +1\nglovebox: 1 of 2 tests succeeded\n";
    assert!(ended.stderr().ends_with(summary), "{ended}");
}

#[test]
fn help_lists_the_exit_codes() {
    for args in [vec!["--help"], vec!["run", "--help"]] {
        let ended = Cli::new(&args).finish();
        assert_eq!(ended.code(), 0, "{ended}");
    }
    let help = Cli::new(&["--help"]).finish().stdout_text();
    for says in [
        "0 done",
        "2 usage",
        "3 the job was not `succeeded`",
        "4 a service is out of reach",
        "5 this host can't isolate",
        "128 + the number of its signal",
        "GLOVEBOX_UID_BASE",
        "GLOVEBOX_TLS_CA",
        "redis+sentinel://",
    ] {
        assert!(help.contains(says), "{says:?} is not in\n{help}");
    }
}

#[test]
fn doctor_tells_the_layers_and_tries_a_job() {
    let ended = Cli::new(&["doctor"]).finish();
    assert_eq!(ended.code(), 0, "{ended}");
    let said = ended.stdout_text();
    for layer in ["namespaces", "permission", "cgroup", "landlock", "seccomp"] {
        let row = said
            .lines()
            .find(|line| line.trim_start().starts_with(layer));
        assert!(
            row.is_some_and(|row| row.contains("full")),
            "{layer}: {said}"
        );
    }
    for language in ["python", "nodejs"] {
        let row = said
            .lines()
            .find(|line| line.trim_start().starts_with(language));
        assert!(
            row.is_some_and(|row| row.contains("present")),
            "{language}: {said}"
        );
    }
    assert!(said.contains("Trial: a python job ran"), "{said}");
    assert_eq!(ended.stderr(), "");
}

#[test]
fn a_uid_base_that_would_be_the_hosts_is_refused() {
    for base in ["0", "999", "-1", "x", "4294967295"] {
        let ended = run("a.py", "print(1)")
            .env("GLOVEBOX_UID_BASE", base)
            .finish();
        assert_eq!(ended.code(), 2, "{base}: {ended}");
        assert!(ended.stderr().contains("GLOVEBOX_UID_BASE"), "{ended}");
    }
    let ended = run("a.py", "import os; print(os.getuid())")
        .env("GLOVEBOX_UID_BASE", "300000")
        .finish();
    assert_eq!(ended.stdout_text(), "300016\n", "{ended}");
}
