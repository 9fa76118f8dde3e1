//! What a job can hoard of the host besides its memory: the kernel's buffers, huge pages, the runner's descriptors.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_tests::cli::Cli;
use glovebox_tests::run::{HINT, Outcome, Run};
use serde_json::json;

const MIB: u64 = 1 << 20;

/// Fills the receive buffers of 900 sockets, then counts what is in them.
const HOARD_DATAGRAMS: &str = r#"
import socket
def new():
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setblocking(False)
    one.bind(("127.0.0.1", 0))
    return one
sockets, sender = [new() for _ in range(900)], new()
for one in sockets:
    for _ in range(30):
        try: sender.sendto(bytes(16_000), one.getsockname())
        except OSError: break
kept = 0
for one in sockets:
    try:
        while True: kept += len(one.recv(16_000))
    except BlockingIOError: pass
print(kept >> 20)
"#;

#[test]
fn what_waits_in_sockets_is_limited_as_memory_is() {
    let outcome = Run::python(HOARD_DATAGRAMS)
        .with("network", "proxy")
        .limit("memory_bytes", 64 * MIB)
        .result();
    let kept: u64 = outcome.result.stdout.trim().parse().unwrap();
    assert!((1..=64).contains(&kept), "{kept} MiB");
}

#[test]
fn huge_pages_of_the_host_are_nobodys() {
    let code = r#"
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
MAP_PRIVATE_ANONYMOUS, MAP_HUGETLB, MFD_HUGETLB = 0x22, 0x40000, 4
libc.mmap(None, 2 << 20, 3, MAP_PRIVATE_ANONYMOUS | MAP_HUGETLB, -1, 0)
print(errno.errorcode[ctypes.get_errno()])
print(libc.memfd_create(b"x", MFD_HUGETLB), errno.errorcode[ctypes.get_errno()])
print(libc.memfd_create(b"x", 0) > 0)
"#;
    let outcome = Run::python(code).result();
    outcome.expect(json!({
        "stdout": "EPERM\n-1 EPERM\nTrue\n",
        "denied": [
            {"syscall": "mmap", "count": 1, "hint": HINT},
            {"syscall": "memfd_create", "count": 1, "hint": HINT},
        ],
    }));
    for denied in &outcome.result.denied {
        assert!(denied.hint.contains("huge pages"), "{denied:?}");
    }
}

/// The soft limit that a service manager gives is low so that select(2) works, and is meant to be raised.
#[test]
fn the_runners_descriptors_suffice_for_all_connections_that_a_job_may_have() {
    let code = r#"
import socket
held = [socket.create_connection(("127.0.0.1", 1080)) for _ in range(60)]
for one in held: one.settimeout(5)
for one in held: one.sendall(b"\5\1\0")
print(sum(one.recv(2) == b"\5\0" for one in held))
"#;
    let run = Run::python(code).with("network", "proxy");
    let few = ["prlimit", "--nofile=48:"].map(str::to_owned);
    let ended = Cli::new(&["run", "--job", "-", "--json"])
        .stdin(run.document())
        .through(&few)
        .spawn()
        .finish();
    let outcome = Outcome::of(ended);
    assert_eq!(outcome.result.stdout, "60\n", "{outcome:?}");
}

/// The init of an ordinary user's cell has the job's uid: without descriptors it fails, and the host would be blamed.
#[test]
fn a_job_does_not_lower_the_limits_of_its_init() {
    let code = r#"
import resource, time
try: resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0))
except PermissionError as error: print(error.strerror)
print(resource.prlimit(0, resource.RLIMIT_NOFILE, (9, 9))[0] > 9)
"#;
    for run in [Run::python(code), Run::python(code).as_user()] {
        let outcome = run.result();
        assert_eq!(
            outcome.result.stdout, "Operation not permitted\nTrue\n",
            "{outcome:?}"
        );
    }
}
