//! The section `[warm]`, and the filter of templates.

mod common;

use std::fs;

use common::{AARCH64, ALLOW, Call, INVALID, KILL_PROCESS, NO_SUCH_CALL, NOTIFY, X86_64, run};
use glovebox_policies::{Arch, Catalog, PolicyError, WarmMode, filter, template_filter};

/// SECCOMP_RET_TRACE, without its data.
const TRACE: u32 = 0x7ff0_0000;

/// The built-in Python profile with this section in place of its own.
fn with(section: &str) -> Result<Catalog, PolicyError> {
    let shipped = include_str!("../profiles/python.toml");
    let start = shipped.find("[warm]").expect("a section");
    let end = start
        + shipped[start..]
            .find("\n[proxy]")
            .expect("the next section");
    let text = format!("{}[warm]\n{section}{}", &shipped[..start], &shipped[end..]);
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("profiles")).expect("a folder");
    fs::write(dir.path().join("profiles/python.toml"), text).expect("a profile");
    Catalog::load(Some(dir.path()))
}

#[test]
fn what_it_says_is_taken() {
    let text = "mode = \"fork\"\npreload = [\"json\"]\nmin = 2\nmax = 3\nforks = 9\nstart_env = [\"PYTHON*\", \"TZ\"]\n\
                environments = { data = [\"numpy\", \"os.path\"] }\n";
    let catalog = with(text).expect("it is right");
    let warm = catalog
        .find("python")
        .and_then(|one| one.warm.clone())
        .expect("it is warm");
    assert_eq!(warm.preload(None), ["json"]);
    assert_eq!(warm.preload(Some("web")), ["json"]);
    assert_eq!(warm.preload(Some("data")), ["json", "numpy", "os.path"]);
    assert_eq!(warm.mode, WarmMode::Fork);
    assert_eq!((warm.min, warm.max, warm.forks), (2, 3, 9));
    for (name, is) in [
        ("PYTHONPATH", true),
        ("TZ", true),
        ("TZDIR", false),
        ("MY_PYTHON", false),
    ] {
        assert_eq!(warm.is_read_at_start(name), is, "{name}");
    }
    assert_eq!(
        with("mode = \"off\"\n")
            .expect("it is right")
            .find("python")
            .and_then(|one| one.warm.clone()),
        None
    );
}

#[test]
fn one_that_is_started_ahead_has_modules_of_its_own() {
    let catalog =
        with("mode = \"ahead\"\npreload = [\"net\", \"fs/promises\"]\n").expect("it is right");
    let warm = catalog.find("python").and_then(|one| one.warm.clone());
    let warm = warm.expect("it is warm");
    assert_eq!(warm.mode, WarmMode::Ahead);
    assert_eq!(warm.preload(Some("any")), ["net", "fs/promises"]);
}

#[test]
fn mistakes_are_named_where_they_are() {
    for (section, wanted) in [
        ("", "warm.mode: missing"),
        ("mode = \"hot\"", "warm.mode: unknown mode \"hot\""),
        (
            "mode = \"fork\"\npreload = [\"a b\"]",
            "warm.preload: \"a b\" is not the name of a module",
        ),
        (
            "mode = \"fork\"\npreload = [\"a..b\"]",
            "is not the name of a module",
        ),
        (
            "mode = \"fork\"\nenvironments = { x = [\"1\"] }",
            "is not the name of a module",
        ),
        (
            "mode = \"fork\"\nmin = 4\nmax = 3",
            "warm.min: min is 4, above max, 3",
        ),
        (
            "mode = \"fork\"\nforks = 0",
            "warm.forks: 0 is out of range",
        ),
        ("mode = \"fork\"\nmaximum = 1", "unknown key \"maximum\""),
        ("mode = \"ahead\"\nforks = 9", "unknown key \"forks\""),
        (
            "mode = \"ahead\"\npreload = [\"os.path\"]",
            "\"os.path\" is not the name of a module",
        ),
    ] {
        let said = with(section).expect_err(section).to_string();
        assert!(
            said.contains(wanted) && said.contains(';'),
            "{section}\n said: {said}\nwanted: {wanted}"
        );
    }
}

/// Filters add up, and the kernel takes the stricter answer: the lower number (seccomp(2)).
#[test]
fn a_jobs_calls_are_answered_as_without_a_template() {
    let catalog = Catalog::load(None).expect("the built-in profiles");
    let python = catalog.find("python").expect("python");
    for (arch, audit) in [(Arch::X86_64, X86_64), (Arch::Aarch64, AARCH64)] {
        let own = filter("python", &python.syscalls, arch).expect("it compiles");
        let templates = template_filter("python", &python.syscalls, arch).expect("it compiles");
        let mut refused = 0;
        for nr in (0..600).chain([0x4000_0000, u32::MAX]) {
            for args in [
                [0; 6],
                [1; 6],
                [u64::MAX; 6],
                [0x7e02_0000; 6],
                [16, 0x5401, 0, 2, 4, 8],
            ] {
                let call = Call {
                    nr,
                    arch: audit,
                    args,
                };
                let (jobs, _) = run(&own.program, &call);
                let (other, _) = run(&templates.program, &call);
                assert!([ALLOW, NOTIFY, NO_SUCH_CALL, INVALID, KILL_PROCESS].contains(&jobs));
                assert_eq!(
                    jobs.min(other & 0xffff_0000),
                    jobs & 0xffff_0000,
                    "{arch:?}: {call:?}"
                );
                if jobs == NOTIFY {
                    refused += usize::from(other == TRACE | 0x6b0b || other == TRACE);
                } else {
                    assert!(jobs != ALLOW || other == ALLOW, "{arch:?}: {call:?}");
                }
            }
        }
        assert!(
            refused > 1000,
            "a template is refused nearly all that its jobs are: {refused}"
        );
    }
}
