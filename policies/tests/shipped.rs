//! The built-in policy itself: what it offers, what it must never offer, and that no line of it is written twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use glovebox_policies::{Arch, Catalog, Profile, hint, syscall_name};

fn catalog() -> Catalog {
    Catalog::load(None).expect("the built-in profiles")
}

fn profile(language: &str) -> Profile {
    catalog()
        .find(language)
        .expect("a built-in language")
        .clone()
}

#[test]
fn languages_are_found_by_every_name() {
    let catalog = catalog();
    for (language, name) in [
        ("python3", "python"),
        ("py", "python"),
        ("node", "nodejs"),
        ("javascript", "nodejs"),
        ("js", "nodejs"),
    ] {
        assert_eq!(
            catalog.find(language).map(|profile| profile.name.as_str()),
            Some(name)
        );
    }
    assert!(catalog.find("cobol").is_none());
    assert_eq!(catalog.nearest("pyhton"), Some("python"));
    assert_eq!(catalog.nearest("NodeJS"), Some("nodejs"));
    assert_eq!(catalog.nearest("cobol"), None);
}

#[test]
fn a_command_names_the_program_and_its_arguments() {
    let args = ["--fast".to_owned(), "{entrypoint}".to_owned()];
    assert_eq!(
        profile("py").command("a/b.py", &args),
        ["/usr/bin/python3", "-s", "a/b.py", "--fast", "{entrypoint}"]
    );
    assert_eq!(
        profile("js").command("-e", &[]),
        ["/usr/bin/node", "./-e"],
        "a file is never an option"
    );
}

#[test]
fn an_absent_interpreter_is_named_with_its_package() {
    let mut python = profile("python");
    python.version[0] = "/nowhere/python3".to_owned();
    let absent = python.absent().expect("nothing is there");
    assert_eq!(
        (absent.path, absent.package.as_str()),
        (PathBuf::from("/nowhere/python3"), "python3")
    );
}

#[test]
fn what_must_never_be_allowed_is_not() {
    const NEVER: [&str; 22] = [
        "ptrace",
        "bpf",
        "mount",
        "setns",
        "unshare",
        "io_uring_setup",
        "clone3",
        "userfaultfd",
        "keyctl",
        "splice",
        "vmsplice",
        "sendfile",
        "flock",
        "inotify_init1",
        "inotify_add_watch",
        "seccomp",
        "pidfd_getfd",
        "setuid",
        "capset",
        "fanotify_init",
        "modify_ldt",
        "shmget",
    ];
    for profile in catalog().profiles() {
        for name in NEVER {
            assert!(
                !profile.syscalls.allow.contains_key(name),
                "{} allows {name}",
                profile.name
            );
        }
        let allows = |name: &str, args: &[u64]| {
            let mut all = [0; 6];
            all[..args.len()].copy_from_slice(args);
            profile.syscalls.allows(name, &all)
        };
        const UNIX: u64 = 1;
        for family in (0..64).filter(|family| *family != UNIX) {
            assert!(
                !allows("socket", &[family]) && !allows("socketpair", &[family]),
                "family {family}"
            );
        }
        assert!(
            allows("socket", &[UNIX]) && allows("socket", &[UNIX | 7 << 32]),
            "the kernel reads 32 bits"
        );
        for flag in [
            0x0002_0000,
            0x0200_0000,
            0x0400_0000,
            0x0800_0000,
            0x1000_0000,
            0x2000_0000,
            0x4000_0000,
        ] {
            assert!(!allows("clone", &[0x11 | flag]), "clone {flag:#x}");
        }
        assert!(allows("clone", &[0x003d_0f00]), "a thread");
        assert!(
            !allows("ioctl", &[0, 0x5412]) && !allows("ioctl", &[0, 0x5412 | 1 << 32]),
            "TIOCSTI"
        );
        assert!(
            allows("ioctl", &[0, 0x5401 | 1 << 32]),
            "TCGETS, with garbage above"
        );
        assert!(
            allows("mknodat", &[0, 0, 0o010_644])
                && !allows("mknodat", &[0, 0, 0o020_644])
                && !allows("mknodat", &[0, 0, 0o060_644])
        );
        assert!(
            !allows("prctl", &[22]) && !allows("prctl", &[35]),
            "PR_SET_SECCOMP, PR_SET_MM"
        );
        for (command, name) in [
            (8, "F_SETOWN"),
            (10, "F_SETSIG"),
            (15, "F_SETOWN_EX"),
            (1024, "F_SETLEASE"),
            (1025, "F_GETLEASE"),
            (1026, "F_NOTIFY"),
            (1036, "F_SET_RW_HINT"),
        ] {
            assert!(!allows("fcntl", &[0, command]), "{name}");
            assert!(!allows("fcntl", &[0, command | 1 << 32]), "{name}");
        }
        assert!(allows("fcntl", &[0, 6]) && allows("fcntl", &[0, 1030]));
        const CORE: u64 = 4;
        assert!(!allows("setrlimit", &[CORE]) && !allows("setrlimit", &[CORE | 1 << 32]));
        assert!(!allows("prlimit64", &[0, CORE, 0x1000]));
        assert!(!allows("prlimit64", &[0, CORE | 1 << 32, 1 << 32]));
        assert!(allows("prlimit64", &[0, CORE, 0]) && allows("prlimit64", &[0, 7, 0x1000]));
        assert!(allows("personality", &[0xffff_ffff]) && !allows("personality", &[0x0040_0000]));
    }
}

/// `open` and its like exist on x86_64 only. A new name in this list is a decision, not an accident.
#[test]
fn calls_absent_from_one_architecture_are_these() {
    let syscalls = profile("nodejs").syscalls;
    let lists = [
        &syscalls.enosys,
        &syscalls.fallback,
        &syscalls.einval,
        &syscalls.kill,
    ];
    let named: BTreeSet<&str> = lists
        .into_iter()
        .flatten()
        .chain(syscalls.allow.keys())
        .map(String::as_str)
        .collect();
    let absent = |arch: Arch| {
        named
            .iter()
            .copied()
            .filter(|name| arch.number(name).is_none())
            .collect::<Vec<_>>()
    };
    assert_eq!(absent(Arch::X86_64), ["fstatat"]);
    assert_eq!(absent(Arch::Aarch64).join(" "), ONLY_X86_64);
}

const ONLY_X86_64: &str = "\
    access alarm arch_prctl chmod chown creat dup2 epoll_create epoll_wait eventfd fork futimesat \
    getdents getpgrp inotify_init ioperm iopl lchown link lstat mkdir mknod newfstatat open pause pipe \
    poll readlink rename rmdir select signalfd stat symlink time unlink utime utimes vfork";

#[test]
fn no_call_is_written_twice() {
    let groups =
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/groups")).expect("the groups");
    // A call with conditions may have several rules, but not the same one twice.
    let mut seen: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in groups.map(|entry| entry.expect("an entry").path()) {
        let text = std::fs::read_to_string(&path).expect("a group");
        let group: toml::Table = text.parse().expect("TOML");
        let Some(syscalls) = group.get("syscalls").and_then(toml::Value::as_table) else {
            continue;
        };
        for rule in syscalls
            .values()
            .flat_map(|list| list.as_array().expect("a list"))
        {
            let mut rule = rule.clone();
            if let Some(table) = rule.as_table_mut() {
                table.remove("why");
            }
            if let Some(other) = seen.insert(rule.to_string(), path.clone()) {
                panic!("{rule} is in {} and in {}", other.display(), path.display());
            }
        }
    }
    assert!(seen.len() > 250, "only {} calls were seen", seen.len());
}

#[test]
fn every_file_of_the_folders_is_built_in() {
    let stems = |folder: &str| {
        let entries = std::fs::read_dir(format!("{}/{folder}", env!("CARGO_MANIFEST_DIR")))
            .expect("a folder");
        entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("a name")
            })
            .collect::<BTreeSet<_>>()
    };
    let list = include_str!("../src/embedded.rs");
    for file in stems("groups").iter().chain(&stems("profiles")) {
        let stem = file.strip_suffix(".toml").expect("only TOML lies here");
        assert!(
            list.contains(&format!("{stem:?}")),
            "{file} is not in src/embedded.rs"
        );
    }
}

#[test]
fn each_refused_call_has_a_hint_of_its_own() {
    for profile in catalog().profiles() {
        for name in profile.syscalls.kill.iter().chain(&profile.syscalls.enosys) {
            assert!(
                !hint(name, None).contains("allowlist"),
                "{name} cannot simply be added"
            );
        }
        for (name, _) in profile
            .syscalls
            .allow
            .iter()
            .filter(|(_, conditions)| !conditions.is_empty())
        {
            assert!(
                name == "arch_prctl" || !hint(name, None).contains("allowlist"),
                "{name} is allowed already, with conditions"
            );
        }
    }
    assert_eq!(syscall_name(Arch::X86_64, 41), "socket");
}

#[test]
fn defaults_are_the_documented_ones() {
    let (python, node) = (profile("python"), profile("nodejs"));
    assert_eq!(
        (
            python.defaults.wall.as_secs(),
            python.defaults.memory,
            python.defaults.output
        ),
        (10, 256 << 20, 1 << 20)
    );
    assert_eq!(
        (
            node.defaults.memory,
            node.defaults.processes,
            node.ceilings.memory
        ),
        (512 << 20, 32, 2 << 30)
    );
    assert!(!python.exec_workdir && python.network == ["none", "proxy"]);
}
