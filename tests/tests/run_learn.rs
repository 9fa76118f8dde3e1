//! `glovebox policy learn`: what it prints makes the program work, and never what nobody may allow.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_schemas::result::Status;
use glovebox_tests::cli::{Cli, Ended};
use glovebox_tests::policies::{POLICIES, Policies};
use glovebox_tests::run::Run;

/// Calls that the shipped profile refuses, each needed by the next; one of them by its argument.
const NEEDS: &str = "
import ctypes, sys
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
def need(done, what):
    if not done: sys.exit('refused: ' + what)
here = libc.shmget(0, 4096, 0o1600)
need(here >= 0, 'shmget')
need(libc.shmat(here, None, 0) != ctypes.c_void_p(-1).value, 'shmat')
need(libc.shmctl(here, 0, None) == 0, 'shmctl')
need(libc.ioctl(1, ctypes.c_ulong(0x5452), ctypes.byref(ctypes.c_int(0))) == 0, 'ioctl')
open('program', 'w').write('#!/usr/bin/python3\\nprint(7)\\n')
__import__('os').chmod('program', 0o755)
print('done')
";

/// The lines that it needs, `why` to be filled in by a person.
const LINES: &str = r#"allow = [
    "shmget",
    "shmat",
    "shmctl",
    { call = "ioctl", arg = 1, bits = 32, is = [0x5452], why = "" },
]
"#;

fn learn(file: &str, code: &str) -> Cli {
    Cli::new(&["policy", "learn", file]).file(file, code)
}

/// The policy's lines, without what is only said.
fn lines(ended: &Ended) -> String {
    let text = ended.stdout_text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| format!("{line}\n")).collect()
}

/// As somebody who trusts each line would write them down.
fn trusted(ended: &Ended) -> String {
    lines(ended).replace("why = \"\"", "why = \"the test needs it\"")
}

#[test]
fn what_is_learned_makes_the_program_work() {
    let run = Run::python(NEEDS);
    let before = run.result().result;
    assert_eq!(before.stderr, "refused: shmget\n", "{before:#?}");

    let ended = learn("a.py", NEEDS).finish();
    assert_eq!(ended.code(), 0, "{ended}");
    assert_eq!(lines(&ended), format!("[syscalls]\n{LINES}"), "{ended}");
    assert!(
        ended
            .stdout_text()
            .starts_with("# for profiles/python.toml, after 5 runs"),
        "{ended}"
    );
    assert!(
        ended
            .stderr()
            .contains("with these lines the program succeeded"),
        "{ended}"
    );

    let shipped = include_str!("../../policies/profiles/python.toml");
    let policies = Policies::new().profile("python", &format!("{shipped}\n{}", trusted(&ended)));
    let after = run.variable(POLICIES, policies.path()).result().result;
    assert_eq!(
        (after.status, &*after.stdout),
        (Status::Succeeded, "done\n"),
        "{after:#?}"
    );
    assert_eq!(after.denied, []);

    // A line without a reason is not taken.
    let policies = Policies::new().profile("python", &format!("{shipped}\n{}", lines(&ended)));
    let unreasoned = Cli::new(&["policy", "check", policies.path()]).finish();
    assert_ne!(unreasoned.code(), 0, "{unreasoned}");
    assert!(unreasoned.stdout_text().contains("why") || unreasoned.stderr().contains("why"));
}

#[test]
fn a_compiler_learns_for_itself() {
    let changes = [
        (
            r#"command = ["/usr/bin/gcc", "-O2", "-std=gnu17", "-o", "program", "{sources}", "-lm"]"#,
            r#"command = ["/usr/bin/python3", "{entrypoint}"]"#,
        ),
        (r#"include = ["libraries", "#, r#"include = ["debian", "#),
    ];
    let policies = Policies::changed("c", &changes);
    let ended = learn("a.c", NEEDS).env(POLICIES, policies.path()).finish();
    assert_eq!(ended.code(), 0, "{ended}");
    assert_eq!(
        lines(&ended),
        format!("[compile.syscalls]\n{LINES}"),
        "{ended}"
    );

    let section = trusted(&ended);
    let before = "[compile.root]";
    let changes = [
        changes[0],
        changes[1],
        (before, &*format!("{section}\n{before}")),
    ];
    let policies = Policies::changed("c", &changes);
    let run = Run::new("c")
        .with("code", NEEDS)
        .variable(POLICIES, policies.path());
    let after = run.result().result;
    assert_eq!(
        (after.status, &*after.stdout),
        (Status::Succeeded, "7\n"),
        "{after:#?}"
    );
}

#[test]
fn what_nobody_may_allow_is_never_a_line() {
    let asks = "
import ctypes, socket
libc = ctypes.CDLL(None)
for family, kind in [(16, 3), (17, 3), (38, 5), (40, 1), (2, 3), (10, 3), (2, 1), (10, 2)]:
    try: socket.socket(family, kind)
    except OSError: pass
for request in [0x5412, 0x541c, 0x5423]:
    libc.ioctl(0, ctypes.c_ulong(request), b'x')
    libc.ioctl(0, ctypes.c_ulong(request | 1 << 32), b'x')
for option in [22, 24, 28, 47, 35]: libc.prctl(option, 2, 0, 0, 0)
libc.inotify_init1(0)
";
    let deadly = [
        "libc.ptrace(0, 0, 0, 0)",
        "libc.unshare(0x10000000)",
        "libc.mount(b'x', b'/tmp', b'tmpfs', 0, 0)",
        "libc.syscall(321, 0, 0, 0)",
        "libc.syscall(250, 0, 0, 0)",
    ];
    for (call, name) in deadly
        .iter()
        .zip(["ptrace", "unshare", "mount", "bpf", "keyctl"])
    {
        let ended = learn("a.py", &format!("{asks}{call}\nprint('went on')")).finish();
        // With nothing to add the program is denied, as ever.
        assert_eq!(ended.code(), 3, "{ended}");
        assert_eq!(lines(&ended), "", "{ended}");
        assert!(
            ended
                .stderr()
                .contains("with these lines the program denied"),
            "{ended}"
        );
        for refused in ["socket", "ioctl", "prctl", "inotify_init1", name] {
            let said = format!("# not offered: {refused}: ");
            assert!(ended.stdout_text().contains(&said), "{refused}: {ended}");
        }
        let hint = "ask for \"network\": \"proxy\"";
        assert!(ended.stdout_text().contains(hint), "{ended}");
    }
}

#[test]
fn a_program_that_needs_nothing_is_told_so() {
    let ended = learn("a.py", "print('hello')").finish();
    let said = "# the profile \"python\" refuses this program nothing\n";
    assert_eq!((ended.code(), &*ended.stdout_text()), (0, said), "{ended}");
}

#[test]
fn its_exit_code_tells_of_the_program() {
    for (code, exit, words) in [
        ("raise SystemExit(4)", 3, "failed with exit code 4"),
        (
            "while True: print('x' * 10_000)",
            3,
            "limit_exceeded (output)",
        ),
    ] {
        let ended = learn("a.py", code).finish();
        assert_eq!(ended.code(), exit, "{ended}");
        assert!(ended.stderr().contains(words), "{ended}");
        assert_eq!(lines(&ended), "", "{ended}");
    }
    let unknown = learn("a.py", "").args(&["--language", "cobol"]).finish();
    assert_eq!(unknown.code(), 2, "{unknown}");
    let absent = Cli::new(&["policy", "learn", "b.py"]).finish();
    assert_eq!((absent.code(), &*absent.stdout_text()), (2, ""), "{absent}");
}

#[test]
fn an_ordinary_user_may_learn_too() {
    let ended = learn("a.py", NEEDS)
        .args(&["--allow-missing", "cgroup"])
        .as_user()
        .finish();
    assert_eq!(ended.code(), 0, "{ended}");
    assert_eq!(lines(&ended), format!("[syscalls]\n{LINES}"), "{ended}");
}
