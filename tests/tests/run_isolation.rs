//! What a program can see and do in its cell. One probe tells all; each test asks for a part of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use glovebox_tests::cli::Cli;
use glovebox_tests::run::{Outcome, Run};
use rustix::process::Signal;
use serde_json::{Value, json};

const PROBE: &str = include_str!("../programs/probe.py");

struct Probed {
    facts: Value,
    outcome: Outcome,
    /// The ids that this run may have used.
    ids: std::ops::Range<u64>,
}

impl Probed {
    fn fact(&self, name: &str) -> Value {
        let fact = self.facts.get(name);
        fact.unwrap_or_else(|| panic!("no fact {name:?}")).clone()
    }
}

fn probe(section: &str) -> Probed {
    let running = Run::python(PROBE).with("args", json!([section])).spawn();
    let pid = u64::try_from(running.pid().as_raw_nonzero().get()).unwrap();
    let outcome = Outcome::of(running.finish());
    assert_eq!(outcome.result.stderr, "");
    let base = 0x7000_0000 + pid % 65_536 * 1024;
    Probed {
        facts: outcome.printed(),
        outcome,
        ids: base..base + 1024,
    }
}

// ---- identity

#[test]
fn its_ids_are_the_slots_own_and_not_the_hosts() {
    let probed = probe("self");
    let uids: Vec<u64> = serde_json::from_value(probed.fact("uids")).unwrap();
    let uid = *uids.first().unwrap();
    assert_eq!(uids, [uid; 6]);
    assert!(probed.ids.contains(&uid), "{uid:#x}");
    assert_eq!(probed.fact("groups"), json!([]));
    assert_eq!(
        probed.fact("user"),
        json!(format!("job:x:{uid}:{uid}::/work:/bin/sh\n"))
    );
}

#[test]
fn it_has_no_capability_and_can_gain_none() {
    let probed = probe("self");
    assert_eq!(
        probed.fact("capabilities"),
        Value::from(vec!["0000000000000000"; 5])
    );
    assert_eq!(probed.fact("no_new_privs"), json!("1"));
}

#[test]
fn setuid_programs_gain_nothing() {
    let probed = probe("programs");
    let programs = probed.fact("setuid");
    let programs = programs.as_object().unwrap();
    assert!(!programs.is_empty(), "the host has none below /usr/bin");
    let first = programs.values().next().unwrap()[0].clone();
    let id: u64 = first.as_str().unwrap().parse().unwrap();
    assert!(probed.ids.contains(&id));
    for (path, facts) in programs {
        assert_eq!(facts, &json!([first, first, first, first, "0"]), "{path}");
    }
}

#[test]
fn it_is_under_seccomp() {
    let probed = probe("self");
    assert_eq!(probed.fact("seccomp"), json!(["2", "1"]));
}

#[test]
fn it_is_under_landlock() {
    let probed = probe("landlock");
    // Without Landlock: ENOTTY.
    assert_eq!(probed.fact("device_ioctl"), json!("EACCES"));
}

// ---- processes

#[test]
fn it_sees_only_its_own_processes() {
    let probed = probe("self");
    let pid = probed.fact("pid");
    assert_eq!(probed.fact("pids"), json!([pid]));
    assert_eq!(probed.fact("namespace_pids"), json!([pid.to_string()]));
    assert_eq!(probed.fact("parent"), json!(1));
    assert_eq!(probed.fact("session"), pid);
    assert_eq!(probed.fact("tty"), json!("ENOENT"));
}

#[test]
fn the_cells_init_is_out_of_its_reach() {
    let probed = probe("self");
    assert_eq!(
        probed.fact("init"),
        json!({
            "stat": "ENOENT", "environ": "ENOENT", "mem": "ENOENT", "root": "ENOENT", "cwd": "ENOENT",
            "fd": "ENOENT", "maps": "ENOENT", "namespaces": "ENOENT",
        })
    );
    assert_eq!(probed.fact("kill"), Value::from(vec!["EPERM"; 3]));
    assert_eq!(probed.fact("kill_all"), json!("ESRCH"));
    assert_eq!(probed.fact("pidfd_init"), json!("EPERM"));
    assert_eq!(probed.fact("set_limit_of_init"), json!("EPERM"));
}

#[test]
fn its_cgroup_is_the_root_of_what_it_sees() {
    let probed = probe("self");
    assert_eq!(probed.fact("cgroups"), json!(["/"]));
}

#[test]
fn it_inherits_nothing() {
    let probed = probe("self");
    // The fourth is the one that lists them.
    assert_eq!(probed.fact("fds"), json!(["0", "1", "2", "3"]));
    assert_eq!(probed.fact("fd_kinds"), Value::from(vec!["pipe"; 3]));
    assert_eq!(
        probed.fact("signals"),
        Value::from(vec!["0000000000000000"; 3])
    );
    // Python itself ignores SIGPIPE and SIGXFSZ.
    assert_eq!(probed.fact("ignored"), json!([13, 25]));
    assert_eq!(probed.fact("cwd"), json!("/work"));
    assert_eq!(probed.fact("umask"), json!("0o22"));
    let keys = probed.fact("keys");
    assert!(keys == "" || keys == "ENOENT", "keys of the host: {keys}");
}

#[test]
fn its_environment_is_exactly_the_profiles() {
    let probed = probe("self");
    assert_eq!(
        probed.fact("environ"),
        json!({
            "PATH": "/usr/bin:/bin", "HOME": "/tmp", "USER": "glovebox", "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
        })
    );
}

#[test]
fn its_limits_are_set_for_good() {
    let probed = probe("self");
    let limits = probed.fact("limits");
    // At 0 the kernel would still start a core dump handler on the host.
    assert_eq!(limits["CORE"], json!([1, 1]));
    assert_eq!(limits["NOFILE"], json!([1024, 1024]));
    assert_eq!(limits["FSIZE"], json!([64 << 20, 64 << 20]));
    assert_eq!(limits["MEMLOCK"], json!([65536, 65536]));
    assert_eq!(limits["MSGQUEUE"], json!([65536, 65536]));
    // The default of 10 s and a little; the cgroup is the first to see it.
    assert_eq!(limits["CPU"], json!([11, 12]));
    assert_eq!(probed.fact("nice"), json!("EACCES"));
}

// ---- files

#[test]
fn it_sees_what_the_profile_lists_and_nothing_else() {
    let probed = probe("files");
    assert_eq!(
        probed.fact("root"),
        json!([
            "bin", "dev", "etc", "lib", "lib64", "proc", "tmp", "usr", "work"
        ])
    );
    // Fonts are shown where the host has any.
    let Value::Array(mut etc) = probed.fact("etc") else {
        panic!("/etc is a list");
    };
    etc.retain(|name| name != "fonts");
    assert_eq!(
        Value::Array(etc),
        json!([
            "alternatives",
            "group",
            "hosts",
            "ld.so.cache",
            "nsswitch.conf",
            "passwd"
        ])
    );
    assert_eq!(
        probed.fact("dev"),
        json!([
            "fd", "full", "null", "random", "shm", "stderr", "stdin", "stdout", "urandom", "zero"
        ])
    );
    assert_eq!(
        probed.fact("own"),
        json!({"/work": ["main.py"], "/tmp": [], "/dev/shm": []})
    );
    for (path, found) in probed.fact("absent").as_object().unwrap() {
        assert_eq!(found, "ENOENT", "{path}");
    }
}

#[test]
fn it_can_write_to_its_own_folders_and_nowhere_else() {
    let probed = probe("walk");
    assert_eq!(
        probed.fact("writable_folders"),
        json!(["/dev/shm", "/tmp", "/work"])
    );
    assert_eq!(
        probed.fact("writable_files"),
        json!([
            "/dev/full",
            "/dev/null",
            "/dev/random",
            "/dev/urandom",
            "/dev/zero",
            "/work/main.py"
        ])
    );
    assert_eq!(
        probed.fact("remount_targets"),
        json!([
            // The root of the job's tmpfs, which /tmp covers.
            "/tmp rw,nosuid,nodev,noexec",
            "/dev/null rw,nosuid,noexec",
            "/dev/zero rw,nosuid,noexec",
            "/dev/full rw,nosuid,noexec",
            "/dev/random rw,nosuid,noexec",
            "/dev/urandom rw,nosuid,noexec",
            "/work rw,nosuid,nodev,noexec",
            "/dev/shm rw,nosuid,nodev,noexec",
            "/tmp rw,nosuid,nodev,noexec",
            // Masked by /dev/null: they tell of other jobs or of the host.
            "/proc/locks rw,nosuid,noexec",
            "/proc/keys rw,nosuid,noexec",
            "/proc/key-users rw,nosuid,noexec",
            "/proc/timer_list rw,nosuid,noexec",
            "/proc/kallsyms rw,nosuid,noexec"
        ])
    );
    assert_eq!(probed.fact("mounts_without_nosuid"), json!([]));
    for refused in ["remove", "rename", "chmod"] {
        assert!(
            ["EROFS", "EACCES", "EXDEV"].contains(&probed.fact(refused).as_str().unwrap()),
            "{refused}: {}",
            probed.fact(refused)
        );
    }
    assert!(["EXDEV", "EACCES", "EPERM"].contains(&probed.fact("hard_link_out").as_str().unwrap()));
}

#[test]
fn what_it_writes_cannot_be_executed() {
    let probed = probe("programs");
    let mut expected = json!({});
    for folder in ["/work", "/tmp", "/dev/shm"] {
        expected[folder] = "EACCES".into();
        expected[format!("{folder} by the loader")] = true.into();
    }
    assert_eq!(probed.fact("exec"), expected);
}

#[test]
fn the_kernels_own_files_are_shut() {
    let probed = probe("walk");
    let kernel = probed.fact("kernel");
    for path in [
        "/proc/kcore",
        "/proc/kmsg",
        "/proc/sysrq-trigger",
        "/proc/slabinfo",
        "/proc/vmallocinfo",
    ] {
        assert!(kernel[path].is_string(), "{path}: {}", kernel[path]);
    }
}

// ---- network

#[test]
fn it_has_no_network() {
    let probed = probe("network");
    assert_eq!(probed.fact("interfaces"), json!(["lo"]));
    assert_eq!(probed.fact("addresses"), json!(""));
    assert_eq!(probed.fact("addresses6"), json!(""));
    assert_eq!(probed.fact("routes"), json!([]));
    assert_eq!(probed.fact("unix_sockets"), json!([]));
    assert_eq!(probed.fact("sysvipc"), json!([0, 0, 0]));
    assert_eq!(probed.fact("hostname"), json!(["cell", "cell"]));
}

#[test]
fn what_the_probe_was_refused_is_named() {
    let probed = probe("network");
    let denied: Vec<_> = probed
        .outcome
        .result
        .denied
        .iter()
        .map(|d| d.syscall.as_str())
        .collect();
    assert_eq!(denied, [""; 0]);
}

// ---- two at a time

/// Says what it is, leaves traces wherever it can, and stays.
const STAYS: &str = "
import os, socket, sys, time
for folder in ('/work', '/tmp', '/dev/shm'): open(f'{folder}/trace', 'w').write('secret')
s = socket.socket(socket.AF_UNIX); s.bind('\\0trace'); s.listen()
p = socket.socket(socket.AF_UNIX); p.bind('/tmp/socket'); p.listen()
import fcntl; mine = open('/work/trace', 'a'); fcntl.lockf(mine, fcntl.LOCK_EX)
print('here', os.getuid(), flush=True)
time.sleep(600)
";

const LOOKS: &str = "
import json, os, socket
def connect(address):
    s = socket.socket(socket.AF_UNIX)
    try: s.connect(address); return 'connected'
    except OSError as error: return type(error).__name__
print(json.dumps({
    'files': [f'{f}/{n}' for f in ('/work', '/tmp', '/dev/shm') for n in os.listdir(f)],
    'processes': [p for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()],
    'abstract': connect('\\0trace'), 'named': connect('/tmp/socket'),
    'sockets': open('/proc/net/unix').read().splitlines()[1:],
    'locks': open('/proc/locks').read(), 'uid': os.getuid(),
}))
";

#[test]
fn two_at_the_same_time_do_not_see_each_other() {
    let mut first = Cli::new(&["run", "stays.py"])
        .file("stays.py", STAYS)
        .spawn();
    let said = first.wait_for("\n");
    let uid: u64 = said.trim().strip_prefix("here ").unwrap().parse().unwrap();

    let outcome = Run::python(LOOKS).result();
    let mut seen = outcome.printed();
    let other = seen["uid"].take().as_u64().unwrap();
    assert_ne!(uid, other);
    assert_eq!(
        seen,
        json!({
            "files": ["/work/main.py"], "processes": [], "abstract": "ConnectionRefusedError",
            "named": "FileNotFoundError", "sockets": [], "locks": "", "uid": null,
        })
    );

    first.signal(Signal::TERM);
    assert_eq!(first.finish().code(), 3);
}

#[test]
fn node_is_isolated_alike() {
    let code = "
const fs = require('fs'), os = require('os');
const status = fs.readFileSync('/proc/self/status', 'utf8');
const field = name => status.match(new RegExp(`^${name}:\\\\s*(.*)$`, 'm'))[1];
const tried = f => { try { return String(f()); } catch (e) { return e.code; } };
console.log(JSON.stringify({
  root: fs.readdirSync('/'), env: process.env, seccomp: field('Seccomp'), privs: field('NoNewPrivs'),
  caps: field('CapBnd'), host: os.hostname(), interfaces: os.networkInterfaces === undefined,
  shadow: tried(() => fs.readFileSync('/etc/shadow')), write: tried(() => fs.writeFileSync('/usr/x', '')),
  pids: fs.readdirSync('/proc').filter(n => /^\\d+$/.test(n)).length, root_uid: process.getuid() === 0,
  kill: tried(() => process.kill(1, 'SIGKILL')),
}))";
    let outcome = Run::node(code).result();
    assert_eq!(
        outcome.printed(),
        json!({
            "root": ["bin", "dev", "etc", "lib", "lib64", "proc", "tmp", "usr", "work"],
            "env": {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "USER": "glovebox", "LANG": "C.UTF-8"},
            "seccomp": "2", "privs": "1", "caps": "0000000000000000", "host": "cell", "interfaces": false,
            "shadow": "ENOENT", "write": "EROFS", "pids": 1, "root_uid": false, "kill": "EPERM",
        })
    );
}
