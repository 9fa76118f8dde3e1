//! The built-in profiles on the real kernel: ordinary programs run under the compiled filter and nothing is refused to them,
//! what is refused is named, what is dangerous dies.
//!
//! `jail.py` installs the filter, so that no unsafe code is needed here. A test is skipped where the interpreter is not
//! installed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use glovebox_policies::{Arch, Catalog, Refusal, sock_filter, syscall_name};

const PYTHON: &str = "/usr/bin/python3";

struct Ran {
    output: Output,
    /// Name and answer of each held call that is reported.
    denied: Vec<String>,
}

/// Runs a program of `tests/programs/` (or a text) as its profile says; nothing where the host cannot.
fn under(language: &str, program: &str) -> Option<Ran> {
    let arch = Arch::host()?;
    let catalog = Catalog::load(None).expect("the built-in profiles");
    let profile = catalog.find(language).expect("a built-in language");
    if profile.absent().is_some() || !Path::new(PYTHON).exists() {
        return None;
    }
    let filter =
        glovebox_policies::filter(&profile.name, &profile.syscalls, arch).expect("compiles");
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    fs::write(
        at("filter"),
        filter.program.iter().flat_map(raw).collect::<Vec<u8>>(),
    )
    .expect("written");
    let refusals: String = filter
        .refusals
        .iter()
        .map(|(nr, refusal)| format!("{nr} {refusal:?}\n"))
        .collect();
    fs::write(at("refusals"), refusals).expect("written");
    fs::create_dir(at("work")).expect("a folder");
    fs::write(at("work").join(&profile.source), program).expect("written");

    let output = Command::new(PYTHON)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/jail.py"))
        .args([at("filter"), at("refusals"), at("report")])
        .args(profile.command(&profile.source, &[]))
        .current_dir(at("work"))
        .env_clear()
        .envs(&profile.env)
        .env("TMPDIR", at("work"))
        .output()
        .expect("jail.py starts");
    let report =
        fs::read_to_string(at("report")).unwrap_or_else(|_| panic!("no report: {output:?}"));
    let denied = report.lines().map(|line| named(arch, line));
    Some(Ran {
        denied: denied.collect(),
        output,
    })
}

fn raw(one: &sock_filter) -> Vec<u8> {
    let mut bytes = one.code.to_le_bytes().to_vec();
    bytes.extend([one.jt, one.jf]);
    bytes.extend(one.k.to_le_bytes());
    bytes
}

fn named(arch: Arch, line: &str) -> String {
    let (number, rest) = line.split_once(' ').expect("number and verdict");
    format!(
        "{} {rest}",
        syscall_name(arch, number.parse().expect("a number"))
    )
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn ordinary_python_is_refused_nothing() {
    let Some(ran) = under("python", include_str!("programs/ordinary.py")) else {
        return;
    };
    let output = format!("{}{}", text(&ran.output.stdout), text(&ran.output.stderr));
    assert!(ran.denied.is_empty(), "refused {:#?}\n{output}", ran.denied);
    assert!(ran.output.status.success(), "{output}");
}

#[test]
fn ordinary_node_is_refused_nothing() {
    let Some(ran) = under("nodejs", include_str!("programs/ordinary.js")) else {
        return;
    };
    let output = format!("{}{}", text(&ran.output.stdout), text(&ran.output.stderr));
    assert!(ran.denied.is_empty(), "refused {:#?}\n{output}", ran.denied);
    assert!(ran.output.status.success(), "{output}");
}

#[test]
fn a_refused_call_is_named_and_the_program_goes_on() {
    let program = "
import os, socket
for attempt in (lambda: socket.socket(), lambda: os.setuid(1), lambda: os.mknod('n', 0o20600, 259), lambda: os.sync()):
    try: attempt()
    except PermissionError as error: print(error.errno)
print('went on')";
    let Some(ran) = under("python", program) else {
        return;
    };
    assert_eq!(text(&ran.output.stdout), "1\n1\n1\nwent on\n");
    let calls: Vec<&str> = ran
        .denied
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let made = if Arch::host() == Some(Arch::X86_64) {
        ["mknod", "mknodat"]
    } else {
        ["mknodat"; 2]
    };
    assert_eq!([calls[0], calls[1], calls[3]], ["socket", "setuid", "sync"]);
    assert!(made.contains(&calls[2]) && calls.len() == 4, "{calls:?}");
}

#[test]
fn dangerous_calls_kill_and_io_uring_does_not() {
    for (name, refusal) in [
        ("ptrace", Refusal::Kill),
        ("unshare", Refusal::Kill),
        ("io_uring_setup", Refusal::Enosys),
    ] {
        let nr = Arch::host()
            .and_then(|arch| arch.number(name))
            .unwrap_or_default();
        let program = format!(
            "import ctypes; print(ctypes.CDLL(None).syscall({nr}, 0, 0, 0, 0)); print('alive')"
        );
        let Some(ran) = under("python", &program) else {
            return;
        };
        assert_eq!(ran.denied, [format!("{name} {refusal:?} 0x0 0x0 0x0")]);
        assert_eq!(
            text(&ran.output.stdout).contains("alive"),
            refusal != Refusal::Kill,
            "{name}"
        );
    }
}

#[test]
fn the_upper_half_of_an_int_does_not_smuggle() {
    let nr = Arch::host()
        .and_then(|arch| arch.number("ioctl"))
        .unwrap_or_default();
    let program = format!(
        "import ctypes; libc = ctypes.CDLL(None); print(libc.syscall({nr}, 0, ctypes.c_ulong(0x5412 | 1 << 32), b'x'))"
    );
    let Some(ran) = under("python", &program) else {
        return;
    };
    assert_eq!(text(&ran.output.stdout), "-1\n");
    assert!(
        ran.denied.len() == 1 && ran.denied[0].starts_with("ioctl Eperm 0x0 0x100005412"),
        "{:?}",
        ran.denied
    );
}

/// What is refused because inodes of the shared root belong to every job and to the host.
#[test]
fn other_jobs_cannot_be_watched_or_locked_out() {
    let program = "
import fcntl, os
def attempt(name, *call):
    try: call[0](*call[1:])
    except OSError as error: print(name, error.errno)
shared = os.open('/usr/bin', os.O_RDONLY)
attempt('flock', fcntl.flock, shared, fcntl.LOCK_SH)
attempt('notify', fcntl.fcntl, shared, fcntl.F_NOTIFY, fcntl.DN_ACCESS)
attempt('lease', fcntl.fcntl, shared, fcntl.F_GETLEASE)
out, into = os.pipe()
attempt('sendfile', os.sendfile, into, os.open('/usr/bin/env', os.O_RDONLY), 0, 4)";
    let Some(ran) = under("python", program) else {
        return;
    };
    assert_eq!(
        text(&ran.output.stdout),
        "flock 38\nnotify 1\nlease 1\nsendfile 22\n"
    );
    let denied: Vec<&str> = ran.denied.iter().map(|line| words(line, 2)).collect();
    assert_eq!(denied, ["flock Enosys", "fcntl Eperm", "fcntl Eperm"]);

    let program = "
try { require('fs').watch('/usr/bin'); } catch (error) { console.log(error.code); }
require('fs').watchFile('main.js', () => {}), require('fs').unwatchFile('main.js');";
    let Some(ran) = under("nodejs", program) else {
        return;
    };
    assert_eq!(text(&ran.output.stdout), "ENOSYS\n");
    let denied: Vec<&str> = ran.denied.iter().map(|line| words(line, 2)).collect();
    assert_eq!(denied, ["inotify_init1 Enosys"]);
}

/// At 1 the kernel starts no core dump handler, at 0 it does.
#[test]
fn the_core_limit_is_read_but_not_lowered() {
    let program = "
import resource
core, before = resource.RLIMIT_CORE, resource.getrlimit(resource.RLIMIT_CORE)
for attempt in (lambda: resource.setrlimit(core, (0, 0)), lambda: resource.prlimit(0, core, (0, 0))):
    try: attempt()
    except (ValueError, PermissionError) as error: print(type(error).__name__)
print(resource.getrlimit(core) == before)";
    let Some(ran) = under("python", program) else {
        return;
    };
    let output = text(&ran.output.stdout);
    assert!(output.ends_with("True\n"), "{output}");
    let denied: Vec<&str> = ran.denied.iter().map(|line| words(line, 2)).collect();
    assert_eq!(denied, ["prlimit64 Eperm"; 2], "{output}");
}

/// The first words of a line.
fn words(line: &str, count: usize) -> &str {
    let end = line.match_indices(' ').nth(count - 1);
    &line[..end.map_or(line.len(), |(at, _)| at)]
}
