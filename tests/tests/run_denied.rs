//! What the policy forbids is refused, and named in the result.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_arch = "x86_64")]

use glovebox_schemas::result::Status;
use glovebox_tests::run::{HINT, Run};
use serde_json::{Value, json};

/// A call by its number, as nobody's library makes it.
const SYSCALL: &str = "
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(nr, *args):
    ctypes.set_errno(0)
    got = libc.syscall(ctypes.c_long(nr), *[ctypes.c_long(a) for a in args])
    return 'ok' if got >= 0 else os.strerror(ctypes.get_errno())
";

fn python(code: &str) -> Run {
    Run::python(&format!("{SYSCALL}{code}"))
}

fn denied(syscall: &str, count: u64) -> Value {
    json!({"syscall": syscall, "count": count, "hint": HINT})
}

#[test]
fn a_dangerous_call_ends_the_job_and_is_named() {
    for (number, name) in [
        (101, "ptrace"),
        (155, "pivot_root"),
        (161, "chroot"),
        (165, "mount"),
        (166, "umount2"),
        (167, "swapon"),
        (169, "reboot"),
        (175, "init_module"),
        (246, "kexec_load"),
        (248, "add_key"),
        (250, "keyctl"),
        (272, "unshare"),
        (298, "perf_event_open"),
        (304, "open_by_handle_at"),
        (308, "setns"),
        (310, "process_vm_readv"),
        (321, "bpf"),
        (323, "userfaultfd"),
        (428, "open_tree"),
        (430, "fsopen"),
    ] {
        python(&format!(
            "print('before', flush=True)\ncall({number}, 0, 0, 0, 0, 0)\nprint('after')"
        ))
        .result()
        .expect(json!({
            "status": "denied", "stdout": "before\n", "denied": [denied(name, 1)],
        }));
    }
}

#[test]
fn a_dangerous_call_of_a_child_or_a_thread_ends_the_job_too() {
    for start in [
        "if os.fork() == 0: call(101, 0, 0, 0, 0)",
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: call(101, 0, 0, 0, 0)",
        "import threading; threading.Thread(target=call, args=(101, 0, 0, 0, 0)).start()",
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0)'])",
    ] {
        python(&format!("{start}\nimport time; time.sleep(600)"))
            .result()
            .expect(json!({"status": "denied", "denied": [denied("ptrace", 1)]}));
    }
}

#[test]
fn an_ordinary_refusal_is_named_and_the_program_goes_on() {
    let code = "
import socket
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_INET):
    try: socket.socket(family)
    except PermissionError as error: print(error)
";
    let outcome = python(code).result();
    outcome.expect(json!({
        "stdout": "[Errno 1] Operation not permitted\n".repeat(3), "denied": [denied("socket", 3)],
    }));
    let hint = &outcome.result.denied.first().unwrap().hint;
    assert!(hint.contains("no network"), "{hint}");

    let code = "require('http').get('http://127.0.0.1/').on('error', e => console.log(e.code))";
    let outcome = Run::node(code).result();
    let count = outcome.result.denied.first().map(|denied| denied.count);
    outcome.expect(json!({
        "stdout": "EPERM\n", "denied": [denied("socket", count.unwrap_or_default())], "profile": "nodejs",
    }));
}

/// "Name or service not known" alone would not tell that there is a network to ask for.
#[test]
fn looking_a_name_up_without_a_network_tells_how_to_get_one() {
    let python = "
import socket
try: socket.getaddrinfo('example.com', 443)
except socket.gaierror: print('unknown')
";
    let node =
        "require('dns').lookup('example.com', error => console.log(error ? 'unknown' : 'found'))";
    for outcome in [Run::python(python).result(), Run::node(node).result()] {
        let result = &outcome.result;
        assert_eq!(result.stdout, "unknown\n", "{result:#?}");
        let hint = result.denied.first().map(|denied| denied.hint.as_str());
        let wanted = "ask for \"network\": \"proxy\"";
        assert!(
            hint.is_some_and(|hint| hint.contains(wanted)),
            "{result:#?}"
        );
    }
}

#[test]
fn a_refusal_that_the_program_does_not_survive_is_named_too() {
    let outcome =
        Run::python("import socket; socket.create_connection(('127.0.0.1', 80))").result();
    let stderr = outcome.result.stderr.clone();
    assert!(
        stderr.ends_with("PermissionError: [Errno 1] Operation not permitted\n"),
        "{stderr}"
    );
    outcome.expect(json!({
        "status": "failed", "exit_code": 1, "stderr": stderr, "denied": [denied("socket", 1)],
    }));
}

#[test]
fn exotic_sockets_are_refused() {
    // AF_AX25, AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK, AF_XDP; and a family with bits above the
    // 32 that the kernel reads.
    python("for family in (3, 16, 17, 38, 40, 44, 2 | 1 << 32): print(call(41, family, 3, 0))")
        .result()
        .expect(json!({
            "stdout": "Operation not permitted\n".repeat(7), "denied": [denied("socket", 7)],
        }));
    // Local ones with such bits are local ones.
    python("print(call(41, 1 | 1 << 32, 1, 0))")
        .result()
        .expect(json!({"stdout": "ok\n"}));
}

#[test]
fn refusals_are_listed_in_the_order_of_their_first_call() {
    let code = "
print(call(9999), call(41, 2, 1, 0), call(425, 1, 0), call(9999), call(133, 0, 0o020644, 259), call(306, 0))
";
    python(code).result().expect(json!({
        "stdout": "Operation not permitted Operation not permitted Function not implemented Operation not permitted Operation not permitted Function not implemented\n",
        "denied": [
            denied("syscall_9999", 2), denied("socket", 1), denied("io_uring_setup", 1),
            denied("mknod", 1), denied("syncfs", 1),
        ],
    }));
}

#[test]
fn what_a_library_tries_by_itself_is_not_reported() {
    // clone3, which each thread tries first, and mbind.
    python("print(call(435, 0, 0), call(237, 0, 0, 0, 0, 0, 0))")
        .result()
        .expect(json!({"stdout": "Function not implemented Function not implemented\n"}));
}

#[test]
fn arguments_that_weaken_are_refused() {
    for (what, name) in [
        // clone with CLONE_NEWUSER, and with all namespaces
        ("56, 0x10000000 | 17, 0, 0, 0, 0", "clone"),
        ("56, 0x7e020000 | 17, 0, 0, 0, 0", "clone"),
        // ioctl TIOCSTI, TIOCLINUX; and TIOCSTI with a bit that the kernel does not read
        ("16, 0, 0x5412, 0", "ioctl"),
        ("16, 0, 0x541c, 0", "ioctl"),
        ("16, 0, 0x5412 | 1 << 32, 0", "ioctl"),
        // prctl PR_SET_SECCOMP, PR_SET_MM, PR_CAP_AMBIENT; personality ADDR_NO_RANDOMIZE
        ("157, 22, 2, 0, 0, 0", "prctl"),
        ("157, 35, 1, 0, 0, 0", "prctl"),
        ("157, 47, 2, 0, 0, 0", "prctl"),
        ("135, 0x0040000", "personality"),
        // devices: a block, a character
        ("133, 0, 0o060644, 2048", "mknod"),
        ("259, -100, 0, 0o020644, 1281", "mknodat"),
        // ids, capabilities, groups
        ("105, 0", "setuid"),
        ("106, 0", "setgid"),
        ("116, 0, 0", "setgroups"),
        ("126, 0, 0", "capset"),
        // locks and memory of others
        ("312, 1, 1, 0, 0, 0", "kcmp"),
        ("438, 0, 0, 0", "pidfd_getfd"),
        ("317, 1, 0, 0", "seccomp"),
        // System V ipc and message queues, which a network namespace does not cover
        ("29, 1, 4096, 0o1600", "shmget"),
        ("68, 1, 0o1600", "msgget"),
        ("240, 0, 0, 0, 0", "mq_open"),
    ] {
        python(&format!("print(call({what}))"))
            .result()
            .expect(json!({
                "stdout": "Operation not permitted\n", "denied": [denied(name, 1)],
            }));
    }
}

#[test]
fn what_reaches_others_through_shared_files_is_refused() {
    let enosys = "Function not implemented\n";
    let eperm = "Operation not permitted\n";
    for (what, name, said) in [
        ("294, 0", "inotify_init1", enosys),
        ("73, 0, 1", "flock", enosys),
        ("275, 0, 0, 1, 0, 1, 0", "splice", enosys),
        // fcntl F_SETLEASE, F_NOTIFY, F_SETOWN, F_SETSIG
        ("72, 0, 1024, 0", "fcntl", eperm),
        ("72, 0, 1026, 1", "fcntl", eperm),
        ("72, 0, 8, 1", "fcntl", eperm),
        ("72, 0, 10, 9", "fcntl", eperm),
        // RLIMIT_CORE to 0, at which a handler on the host would be started
        (
            "302, 0, 4, ctypes.addressof((ctypes.c_ulong * 2)()), 0",
            "prlimit64",
            eperm,
        ),
        (
            "160, 4, ctypes.addressof((ctypes.c_ulong * 2)())",
            "setrlimit",
            eperm,
        ),
    ] {
        python(&format!("print(call({what}))"))
            .result()
            .expect(json!({"stdout": said, "denied": [denied(name, 1)]}));
    }
}

#[test]
fn what_ordinary_programs_do_with_files_goes_on_without_a_refusal() {
    let code = "
import fcntl, os, resource, shutil, sqlite3
open('a', 'w').write('text'); shutil.copy2('a', '/tmp/b'); shutil.copytree('.', '/tmp/tree')
print(open('/tmp/b').read())
fcntl.lockf(open('a', 'a'), fcntl.LOCK_EX)
db = sqlite3.connect('x.db'); db.execute('create table t (x)'); db.execute('insert into t values (7)'); db.commit()
print(db.execute('select x from t').fetchone()[0])
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
print(resource.getrlimit(resource.RLIMIT_CORE)[0])
";
    Run::python(code)
        .result()
        .expect(json!({"stdout": "text\n7\n1\n"}));
    let code = "const fs = require('fs'); fs.copyFileSync('main.js', '/tmp/x'); console.log(fs.readFileSync('/tmp/x').length > 9)";
    Run::node(code)
        .result()
        .expect(json!({"stdout": "true\n", "profile": "nodejs"}));
}

#[test]
fn the_x32_convention_is_refused() {
    // write, getpid and ptrace by their x32 numbers
    python("print(call(0x40000001, 1, 0, 0), call(0x40000027), call(0x40000209, 0))")
        .result()
        .expect(json!({
            "stdout": "Operation not permitted Operation not permitted Operation not permitted\n",
            "denied": [denied("x32_write", 1), denied("x32_getpid", 1), denied("x32_syscall_521", 1)],
        }));
}

#[test]
fn a_32_bit_call_ends_the_job() {
    // mov eax, 20 (getpid of i386); int 0x80; ret
    let code = "
import mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3]))
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
print('before', flush=True)
print(ctypes.CFUNCTYPE(ctypes.c_int)(address)())
";
    python(code).result().expect(json!({
        "status": "denied", "stdout": "before\n", "signal": "SIGSYS",
        "denied": [denied("foreign_architecture", 1)],
    }));
}

#[test]
fn more_refusals_than_are_told_apart_do_no_harm() {
    let outcome = python("for nr in range(2000, 2100): call(nr)\nprint('done')").result();
    assert_eq!(outcome.result.stdout, "done\n");
    let names: Vec<_> = outcome
        .result
        .denied
        .iter()
        .map(|d| d.syscall.as_str())
        .collect();
    assert_eq!(names.len(), 64);
    assert_eq!(names.first(), Some(&"syscall_2000"));
}

#[test]
fn a_flood_of_refusals_is_counted_and_ends_at_a_limit() {
    let outcome = python("while True: call(9999)")
        .limit("wall_ms", 2000)
        .result();
    let denied = outcome.result.denied.first().unwrap().clone();
    assert_eq!(denied.syscall, "syscall_9999");
    assert!(denied.count > 100, "{denied:?}");
    // Whichever comes first on this machine: so many refusals end a cell, too.
    let limit = outcome.result.limit.map(|limit| limit.as_str());
    match outcome.result.status {
        Status::Denied => assert!(denied.count > 100_000, "{denied:?}"),
        _ => assert_eq!(limit, Some("wall_time")),
    }
}

#[test]
fn refusals_reach_whoever_is_not_the_first_process() {
    let code = "
for _ in range(3): os.fork()
os.write(1, call(9999).encode() + b'\\n')
while True:
    try: os.wait()
    except ChildProcessError: break
";
    python(code).result().expect(json!({
        "stdout": "Operation not permitted\n".repeat(8), "denied": [denied("syscall_9999", 8)],
    }));
}
