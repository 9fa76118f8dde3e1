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
    let names: Vec<&str> = catalog
        .profiles()
        .iter()
        .map(|profile| &*profile.name)
        .collect();
    assert_eq!(
        names.join(" "),
        "bash c cpp go java lua nodejs perl php python r ruby rust sqlite typescript"
    );
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
    let catalog = catalog();
    let parts = catalog.profiles().iter().flat_map(|profile| {
        let parts = profile.parts().into_iter();
        parts.map(|(part, syscalls)| (&*profile.name, part, syscalls))
    });
    for (language, part, syscalls) in parts {
        for name in NEVER {
            assert!(
                !syscalls.allow.contains_key(name),
                "{language} ({part}) allows {name}"
            );
        }
        let allows = |name: &str, args: &[u64]| {
            let mut all = [0; 6];
            all[..args.len()].copy_from_slice(args);
            syscalls.allows(name, &all)
        };
        const UNIX: u64 = 1;
        // Java looks whether there are TCP sockets. It can make one that reaches nothing, and no others.
        let online = ["proxy", "install"].contains(&part) || language == "java";
        assert_eq!(
            allows("socket", &[2, 2]),
            ["proxy", "install"].contains(&part),
            "UDP"
        );
        for family in (0..64).filter(|family| *family != UNIX) {
            let inet = online && [2, 10].contains(&family);
            assert_eq!(allows("socket", &[family, 1]), inet, "family {family}");
            assert!(!allows("socketpair", &[family]), "family {family}");
        }
        if syscalls.allow.contains_key("socket") {
            assert!(
                allows("socket", &[UNIX]) && allows("socket", &[UNIX | 7 << 32]),
                "the kernel reads 32 bits"
            );
        }
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

#[test]
fn the_network_is_tcp_and_udp_and_nothing_else() {
    const STREAM: u64 = 1;
    const DATAGRAM: u64 = 2;
    const FLAGS: u64 = 0x80800; // SOCK_CLOEXEC | SOCK_NONBLOCK
    let catalog = catalog();
    let proxies: Vec<_> = catalog
        .profiles()
        .iter()
        .filter_map(|one| one.proxy.as_ref())
        .collect();
    assert_eq!(
        proxies.len(),
        catalog.profiles().len() - 1,
        "all but SQLite"
    );
    for proxy in proxies {
        let allows = |family, kind, protocol| {
            let args = [family, kind, protocol, 0, 0, 0];
            proxy.syscalls.allows("socket", &args)
        };
        for family in [2, 10] {
            for kind in 0..16 {
                for protocol in 0..300 {
                    let wanted = match kind {
                        STREAM => [0, 6].contains(&protocol),
                        DATAGRAM => [0, 17].contains(&protocol),
                        _ => false,
                    };
                    assert_eq!(
                        allows(family, kind, protocol),
                        wanted,
                        "{family} {kind} {protocol}"
                    );
                    assert_eq!(allows(family, kind | FLAGS, protocol), wanted, "with flags");
                    assert!(!allows(family, kind | 0x10, protocol), "an unknown flag");
                }
            }
        }
        for path in &proxy.root.optional {
            assert!(
                !path.starts_with("/etc/ssl/private")
                    && !"/etc/ssl/private".starts_with(&*path.to_string_lossy()),
                "{path:?}"
            );
        }
        assert!(
            !proxy
                .env
                .keys()
                .any(|name| name.eq_ignore_ascii_case("all_proxy"))
        );
        assert_eq!(proxy.env["GLOVEBOX_SOCKS5"], "127.0.0.1:1080");
    }
}

#[test]
fn a_compiled_program_sees_no_compiler_and_needs_one_here() {
    let mut c = profile("c");
    let seen = c.root.read_only.iter().chain(&c.root.optional);
    let compilers = ["/usr/bin/gcc", "/usr/lib/gcc"].map(std::path::Path::new);
    for path in seen {
        assert!(
            !compilers.iter().any(|one| one.starts_with(path)),
            "{path:?} shows a compiler"
        );
    }
    c.version = vec!["/bin/sh".to_owned()];
    let compile = c.compile.as_mut().expect("C is compiled");
    compile.command[0] = "/nowhere/gcc".to_owned();
    compile.root.read_only.clear();
    let absent = c.absent().expect("the compiler is not there");
    assert_eq!(
        (absent.path, absent.package.as_str()),
        (PathBuf::from("/nowhere/gcc"), "gcc")
    );
}

#[test]
fn for_one_program_only_its_own_profile_is_resolved() {
    use glovebox_policies::{Catalog, Program};
    for (program, expected) in [
        (Program::Language("c++"), vec!["cpp"]),
        (Program::Language("rust"), vec!["rust"]),
        (Program::Suffix("py"), vec!["python"]),
        (Program::Suffix("cc"), vec!["cpp"]),
        (Program::Language("cobol"), vec![]),
    ] {
        let catalog = Catalog::load_for(None, program).unwrap();
        let names: Vec<_> = catalog
            .profiles()
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        assert_eq!(names, expected, "{program:?}");
        assert_eq!(
            catalog.find_for(program).map(|one| one.name.as_str()),
            expected.first().copied()
        );
        let whole = Catalog::load(None).unwrap();
        assert_eq!(catalog.find_for(program), whole.find_for(program));
    }
}
