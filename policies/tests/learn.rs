//! What refused calls teach: the lines that would allow them, and never one that nobody may write.

use glovebox_policies::{Arch, Catalog, Learned, Syscalls, learn, syscall_name};
use proptest::prelude::*;

fn python() -> Syscalls {
    let catalog = Catalog::load(None).expect("the built-in profiles");
    catalog.find("python").expect("python").syscalls.clone()
}

fn refused(call: &str, args: &[u64]) -> (String, [u64; 6]) {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    (call.to_owned(), all)
}

fn lines(lesson: &[Learned]) -> Vec<String> {
    lesson.iter().map(ToString::to_string).collect()
}

#[test]
fn a_call_that_is_nowhere_is_a_name() {
    let calls = [
        refused("shmget", &[1]),
        refused("shmget", &[2]),
        refused("sched_setscheduler", &[]),
    ];
    let lesson = learn(&python(), &calls);
    assert_eq!(lines(&lesson.add), ["\"shmget\"", "\"sched_setscheduler\""]);
    assert!(lesson.not_offered.is_empty());
}

#[test]
fn a_call_by_value_is_its_values() {
    let calls = [
        refused("ioctl", &[1, 0x1234 | 5 << 32, 7]),
        refused("ioctl", &[2, 0x5602, 7]),
        refused("prctl", &[5]),
    ];
    let lesson = learn(&python(), &calls);
    assert_eq!(
        lines(&lesson.add),
        [
            r#"{ call = "ioctl", arg = 1, bits = 32, is = [0x1234, 0x5602], why = "" }"#,
            r#"{ call = "prctl", arg = 0, bits = 32, is = [5], why = "" }"#,
        ]
    );
}

/// A call that has forbidden arguments is never offered by its bare name.
#[test]
fn a_call_of_which_some_is_forbidden_is_what_is_left() {
    let mut syscalls = python();
    for call in ["ioctl", "clone", "socket"] {
        syscalls.allow.remove(call);
    }
    let calls = [
        refused("ioctl", &[0, 0x5401]),
        refused("clone", &[0x0120_0011]),
        refused("socket", &[1, 0x80001]),
    ];
    let lesson = learn(&syscalls, &calls);
    assert_eq!(
        lines(&lesson.add),
        [
            r#"{ call = "ioctl", arg = 1, bits = 32, is = [0x5401], why = "" }"#,
            r#"{ call = "clone", arg = 0, bits = 32, mask = 0x7e020000, equals = 0x0, why = "" }"#,
            r#"{ call = "socket", arg = 0, bits = 32, is = [1], and = [{ arg = 1, bits = 32, mask = 0xf, equals = 0x1 }], why = "" }"#,
        ]
    );
    let extended = syscalls.with_lessons(&lesson.add);
    assert!(calls.iter().all(|(call, args)| extended.allows(call, args)));
}

#[test]
fn what_is_not_offered_says_why() {
    for (call, args, why) in [
        ("ptrace", &[0][..], "dangerous group"),
        (
            "socket",
            &[16, 3],
            "forbidden to every profile: exotic socket families",
        ),
        ("socket", &[2, 1], "ask for \"network\": \"proxy\""),
        ("ioctl", &[0, 0x5412], "forbidden to every profile: typing"),
        (
            "clone",
            &[0x1000_0000],
            "forbidden to every profile: new namespaces",
        ),
        ("mknodat", &[0, 0, 0o100_644], "single bits"),
        ("flock", &[], "the list \"enosys\" answers it on purpose"),
        ("sendfile", &[], "the list \"einval\" answers it on purpose"),
        ("clone3", &[], "the list \"fallback\" answers it on purpose"),
        ("x32_write", &[], "x32"),
        ("syscall_999", &[], "does not know the call"),
    ] {
        let lesson = learn(&python(), &[refused(call, args), refused(call, args)]);
        assert!(lesson.add.is_empty(), "{call}: {lesson:?}");
        assert!(
            lesson.not_offered.len() == 1 && lesson.not_offered[0].0 == call,
            "{lesson:?}"
        );
        assert!(lesson.not_offered[0].1.contains(why), "{call}: {lesson:?}");
    }
}

#[test]
fn what_is_allowed_already_teaches_nothing() {
    let calls = [refused("read", &[]), refused("ioctl", &[0, 0x5401])];
    assert_eq!(learn(&python(), &calls), learn(&python(), &[]));
}

/// Every offered line is one that a profile may hold.
#[test]
fn offered_lines_are_taken_when_they_are_written() {
    let calls: Vec<_> = (0..462)
        .map(|nr| (syscall_name(Arch::X86_64, nr), [3; 6]))
        .collect();
    let lesson = learn(&python(), &calls);
    assert!(lesson.add.len() > 20, "{lesson:?}");
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("profiles")).expect("a folder");
    let shipped = include_str!("../profiles/python.toml");
    let lines = lines(&lesson.add)
        .join(",\n")
        .replace("why = \"\"", "why = \"learned\"");
    let text = shipped.replacen(
        "[limits.default]",
        &format!("[syscalls]\nallow = [\n{lines}\n]\n[limits.default]"),
        1,
    );
    std::fs::write(dir.path().join("profiles/python.toml"), text).expect("written");
    let catalog = Catalog::load(Some(dir.path())).expect("all of them may be written");
    let syscalls = &catalog.find("python").expect("python").syscalls;
    let left = calls
        .iter()
        .filter(|(call, args)| !syscalls.allows(call, args))
        .count();
    let skipped: Vec<_> = lesson.not_offered.iter().map(|(call, _)| call).collect();
    assert_eq!(left, skipped.len(), "{skipped:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever is refused and whatever is handed in as learned: nothing dangerous and nothing forbidden goes through.
    #[test]
    fn nothing_forbidden_is_ever_learned(
        numbers in proptest::collection::vec((0u32..470, proptest::array::uniform6(prop_oneof![0u64..64, any::<u64>(), Just(0x5412), Just(1 << 17)])), 1..40),
        forced in proptest::collection::vec(0u32..470, 0..20),
        removed in proptest::collection::vec(0usize..200, 0..20),
    ) {
        let mut syscalls = python();
        let names: Vec<String> = syscalls.allow.keys().cloned().collect();
        for index in removed {
            if let Some(name) = names.get(index) {
                syscalls.allow.remove(name);
            }
        }
        let calls: Vec<_> = numbers.iter().map(|(nr, args)| (syscall_name(Arch::X86_64, *nr), *args)).collect();
        let lesson = learn(&syscalls, &calls);
        let mut lessons = lesson.add;
        lessons.extend(forced.iter().map(|nr| Learned { call: syscall_name(Arch::X86_64, *nr), condition: None }));
        let extended = syscalls.with_lessons(&lessons);
        prop_assert!(extended.kill.iter().all(|call| !extended.allow.contains_key(call)));
        prop_assert_eq!(&extended.kill, &syscalls.kill);
        prop_assert_eq!(&extended.forbid, &syscalls.forbid);
        for (call, args) in &calls {
            let wrong = extended.forbids(call, args).is_some() && extended.allows(call, args);
            prop_assert!(!wrong, "{} {:x?}", call, args);
        }
        for (call, args) in tried(&syscalls) {
            let wrong = extended.forbids(&call, &args).is_some() && extended.allows(&call, &args);
            prop_assert!(!wrong, "{} {:x?}", call, args);
        }
    }
}

/// Arguments that are forbidden, of every rule.
fn tried(syscalls: &Syscalls) -> Vec<(String, [u64; 6])> {
    let mut tried = Vec::new();
    for call in syscalls.forbid.keys() {
        for first in [0u64, 1, 2, 4, 10, 16, 22, 38, 1 << 17, 1 << 28, 0x40000] {
            for second in [0u64, 3, 4, 10, 0x5412, 0x2000, 0x6000, 1026] {
                tried.push((call.clone(), [first, second, 1, 0, 0, 0]));
            }
        }
    }
    assert!(tried.len() > 500);
    tried
}
