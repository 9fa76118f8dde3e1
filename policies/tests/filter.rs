//! The compiled filter decides exactly what the data says: for every number, for arguments with garbage in the upper half,
//! for foreign architectures and conventions, on both architectures.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use common::{AARCH64, ALLOW, Call, INVALID, KILL_PROCESS, NO_SUCH_CALL, NOTIFY, X86_64, run};
use glovebox_policies::{
    Arch, Catalog, Filter, Profile, Refusal, Syscalls, Test, filter, syscall_name,
};
use proptest::prelude::*;

fn audit(arch: Arch) -> u32 {
    match arch {
        Arch::X86_64 => X86_64,
        Arch::Aarch64 => AARCH64,
    }
}

/// The system calls of one cell of a profile, compiled; `name` tells which.
struct Compiled {
    name: String,
    syscalls: Syscalls,
    arch: Arch,
    filter: Filter,
}

fn compiled() -> Vec<Compiled> {
    let catalog = Catalog::load(None).expect("the built-in profiles");
    let mut all = Vec::new();
    for profile in catalog.profiles() {
        for (part, syscalls) in profile.parts() {
            // Cells that allow the same are compiled alike: one of them says it all.
            if all
                .iter()
                .any(|other: &Compiled| other.syscalls == *syscalls)
            {
                continue;
            }
            for arch in Arch::ALL {
                all.push(Compiled {
                    name: format!("{} ({part}) on {arch}", profile.name),
                    syscalls: syscalls.clone(),
                    arch,
                    filter: filter(&profile.name, syscalls, arch).expect("compiles"),
                });
            }
        }
    }
    all
}

#[test]
fn every_cell_of_every_profile_compiles_for_both() {
    let catalog = Catalog::load(None).expect("the built-in profiles");
    let mut parts = BTreeSet::new();
    for profile in catalog.profiles() {
        for (part, syscalls) in profile.parts() {
            parts.insert(part);
            for arch in Arch::ALL {
                let filter = filter(&profile.name, syscalls, arch);
                assert!(
                    filter.is_ok(),
                    "{} ({part}) on {arch}: {filter:?}",
                    profile.name
                );
            }
        }
    }
    assert_eq!(
        parts,
        BTreeSet::from(["compile", "install", "proxy", "run"])
    );
}

/// What the data says, without the compiler: the oracle of these tests.
fn expected(syscalls: &Syscalls, arch: Arch, call: &Call) -> u32 {
    let name = syscall_name(arch, call.nr);
    if syscalls.allows(&name, &call.args) {
        ALLOW
    } else if syscalls.fallback.contains(&name) {
        NO_SUCH_CALL
    } else if syscalls.einval.contains(&name) {
        INVALID
    } else {
        NOTIFY
    }
}

/// Arguments that matter for a number: for each check the values it names and their neighbours, each with the other checks
/// of its rule fulfilled, and all of it with a dirty upper half.
fn telling(syscalls: &Syscalls, name: &str) -> Vec<[u64; 6]> {
    let mut telling = vec![[0; 6], [u64::MAX; 6]];
    for condition in syscalls.allow.get(name).into_iter().flatten() {
        let mut fulfilled = [0xdead_beef_dead_beef; 6];
        for check in &condition.checks {
            let (slot, value) = (usize::from(check.arg), values(&check.test));
            fulfilled[slot] = value[0];
        }
        for check in &condition.checks {
            for value in values(&check.test) {
                for near in [
                    value,
                    value.wrapping_add(1),
                    value.wrapping_sub(1),
                    value | 1 << 32,
                    value ^ 1 << 63,
                ] {
                    let mut args = fulfilled;
                    args[usize::from(check.arg)] = near;
                    telling.push(args);
                }
            }
        }
    }
    telling
}

/// Values around a test; the first fulfils it.
fn values(test: &Test) -> Vec<u64> {
    match test {
        Test::Is(values) => values.clone(),
        Test::Masked { mask, equals } => vec![
            *equals,
            *mask,
            *equals | !*mask,
            *mask & mask.wrapping_neg(),
        ],
        Test::Any { .. } | Test::Not(_) => panic!("only to forbid"),
    }
}

#[test]
fn every_number_is_decided_as_the_data_says() {
    for Compiled {
        name: cell,
        syscalls,
        arch,
        filter,
    } in compiled()
    {
        for nr in (0..=1024)
            .chain((0..=1024).map(|nr| nr | 0x4000_0000))
            .chain([u32::MAX, 0x8000_0000])
        {
            let name = syscall_name(arch, nr);
            for args in telling(&syscalls, &name) {
                let call = Call {
                    nr,
                    arch: audit(arch),
                    args,
                };
                let wanted = expected(&syscalls, arch, &call);
                assert_eq!(
                    run(&filter.program, &call).0,
                    wanted,
                    "{cell}: {name} {args:x?}"
                );
            }
        }
    }
}

#[test]
fn foreign_architectures_die() {
    const I386: u32 = 0x4000_0003;
    const ARM: u32 = 0x4000_0028;
    for Compiled { arch, filter, .. } in compiled() {
        for foreign in [
            I386,
            ARM,
            0,
            if arch == Arch::X86_64 {
                AARCH64
            } else {
                X86_64
            },
        ] {
            for nr in 0..600 {
                let call = Call {
                    nr,
                    arch: foreign,
                    args: [0; 6],
                };
                assert_eq!(run(&filter.program, &call).0, KILL_PROCESS);
            }
        }
    }
}

#[test]
fn x32_calls_are_refused_by_name() {
    for Compiled {
        name: cell,
        arch,
        filter,
        ..
    } in compiled()
        .into_iter()
        .filter(|one| one.arch == Arch::X86_64)
    {
        let write = Call {
            nr: 1 | 0x4000_0000,
            arch: audit(arch),
            args: [0; 6],
        };
        assert_eq!(run(&filter.program, &write).0, NOTIFY, "{cell}");
        assert_eq!(filter.refusal(write.nr), Refusal::Eperm);
    }
}

#[test]
fn refusals_are_those_of_the_lists() {
    for Compiled {
        name: cell,
        syscalls,
        arch,
        filter,
    } in compiled()
    {
        let says =
            |name: &str| filter.refusal(arch.number(name).expect("both architectures have it"));
        assert_eq!(says("ptrace"), Refusal::Kill);
        assert_eq!(says("io_uring_setup"), Refusal::Enosys);
        assert_eq!(says("setuid"), Refusal::Eperm);
        let lists = [&syscalls.kill, &syscalls.enosys];
        let known = lists
            .into_iter()
            .flatten()
            .filter(|name| arch.number(name).is_some())
            .count();
        assert_eq!(filter.refusals.len(), known);
        for nr in filter.refusals.keys() {
            let call = Call {
                nr: *nr,
                arch: audit(arch),
                args: [0; 6],
            };
            assert_eq!(
                run(&filter.program, &call).0,
                NOTIFY,
                "{cell}: {} is refused and yet allowed",
                syscall_name(arch, *nr)
            );
        }
    }
}

#[test]
fn what_the_libc_tries_by_itself_is_answered_in_the_kernel() {
    for Compiled { arch, filter, .. } in compiled() {
        for (name, wanted) in [
            ("clone3", NO_SUCH_CALL),
            ("set_mempolicy", NO_SUCH_CALL),
            ("sendfile", INVALID),
        ] {
            let nr = arch.number(name).expect("both architectures have it");
            for args in [[0; 6], [u64::MAX; 6]] {
                let call = Call {
                    nr,
                    arch: audit(arch),
                    args,
                };
                assert_eq!(run(&filter.program, &call).0, wanted, "{name} on {arch}");
            }
            assert!(!filter.refusals.contains_key(&nr), "{name} is never held");
        }
    }
}

#[test]
fn a_filter_is_short_and_gives_no_other_answers() {
    for Compiled {
        name: cell, filter, ..
    } in compiled()
    {
        assert!(
            filter.program.len() < 900,
            "{cell}: {}",
            filter.program.len()
        );
        let answers: BTreeSet<u32> = filter
            .program
            .iter()
            .filter(|one| one.code == 0x06)
            .map(|one| one.k)
            .collect();
        assert_eq!(
            answers,
            BTreeSet::from([ALLOW, NO_SUCH_CALL, INVALID, NOTIFY, KILL_PROCESS])
        );
    }
}

#[test]
fn a_plain_call_takes_a_dozen_instructions() {
    for Compiled {
        name: cell,
        syscalls,
        arch,
        filter,
    } in compiled()
    {
        for name in syscalls
            .allow
            .iter()
            .filter(|(_, conditions)| conditions.is_empty())
            .map(|(name, _)| name)
        {
            if let Some(nr) = arch.number(name) {
                let (_, steps) = run(
                    &filter.program,
                    &Call {
                        nr,
                        arch: audit(arch),
                        args: [0; 6],
                    },
                );
                assert!(steps <= 12, "{cell}: {name}: {steps}");
            }
        }
    }
}

/// The built-in Python profile with this `[syscalls]` in place of its groups.
fn profile_with(syscalls: &str) -> Profile {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("profiles")).expect("a folder");
    let shipped = include_str!("../profiles/python.toml");
    let text: String = shipped
        .lines()
        .filter(|line| !line.starts_with("include"))
        .map(|line| format!("{line}\n"))
        .collect();
    // What is kept warm needs calls of its own.
    let text = text.replace("mode = \"fork\"", "mode = \"off\"");
    let text = format!("{text}\n[syscalls]\n{syscalls}");
    fs::write(dir.path().join("profiles/python.toml"), text).expect("a profile");
    let catalog = Catalog::load(Some(dir.path())).expect("a profile that is right");
    catalog.find("python").expect("python").clone()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Any set of plain calls, of any shape of ranges, and random rules among them.
    #[test]
    fn any_profile_is_decided_as_its_data_says(
        plain in proptest::collection::btree_set(0u32..462, 0..300),
        answered in proptest::collection::btree_map(0u32..462, any::<bool>(), 0..40),
        rules in proptest::collection::btree_map(0u32..462, (0u64..6, any::<bool>(), any::<u32>(), 0u64..5, proptest::option::of((0u64..6, any::<u32>()))), 0..12),
        calls in proptest::collection::vec((0u32..500, any::<[u64; 6]>(), any::<bool>()), 60),
    ) {
        let shipped = Catalog::load(None).expect("the built-in profiles");
        let Syscalls { kill, forbid, .. } = &shipped.find("python").expect("python").syscalls;
        let usable = |nr: &u32| {
            let name = syscall_name(Arch::X86_64, *nr);
            (!name.starts_with("syscall_") && !kill.contains(&name) && !forbid.contains_key(&name)).then_some(name)
        };
        let mut allow = vec!["\"execve\"".to_owned()];
        let mut values = BTreeMap::new();
        for (nr, (arg, wide, value, kind, and)) in &rules {
            let Some(name) = usable(nr).filter(|name| name != "execve") else { continue };
            let (bits, value) = if *wide { (64, u64::from(*value) << 20) } else { (32, u64::from(*value)) };
            let test = match kind {
                0 if value != 0 => format!("mask = {value}, equals = {}", value & value.wrapping_neg()),
                1 if value != 0 => format!("mask = {value}, equals = 0"),
                _ => format!("is = [{}]", (0..=*kind).map(|step| (value ^ step).to_string()).collect::<Vec<_>>().join(", ")),
            };
            let second = and.map_or(String::new(), |(arg, value)| format!("and = {{ arg = {arg}, bits = 32, mask = 0xffffffff, equals = {value} }}, "));
            allow.push(format!("{{ call = \"{name}\", arg = {arg}, bits = {bits}, {test}, {second}why = \"random\" }}"));
            let slot = |arg: u64| usize::try_from(arg).expect("small");
            values.insert(*nr, (slot(*arg), value, and.map(|(arg, value)| (slot(arg), u64::from(value)))));
        }
        allow.extend(plain.iter().filter(|nr| !rules.contains_key(nr)).filter_map(usable).filter(|name| name != "execve").map(|name| format!("{name:?}")));
        let among = |list: bool| {
            let free = answered.iter().filter(|(nr, which)| **which == list && !plain.contains(nr) && !rules.contains_key(nr));
            free.filter_map(|(nr, _)| usable(nr)).filter(|name| name != "execve").map(|name| format!("{name:?}")).collect::<Vec<_>>().join(",")
        };
        let (allow, fallback, einval) = (allow.join(","), among(true), among(false));
        let profile = profile_with(&format!("allow = [{allow}]\nfallback = [{fallback}]\neinval = [{einval}]\n"));
        let syscalls = profile.syscalls.clone();
        for arch in Arch::ALL {
            let filter = filter("any", &syscalls, arch).expect("compiles");
            for (nr, args, x32) in &calls {
                let mut call = Call { nr: *nr | if *x32 { 0x4000_0000 } else { 0 }, arch: audit(arch), args: *args };
                prop_assert_eq!(run(&filter.program, &call).0, expected(&syscalls, arch, &call));
                for nr in answered.keys() {
                    let call = Call { nr: *nr, ..call };
                    prop_assert_eq!(run(&filter.program, &call).0, expected(&syscalls, arch, &call));
                }
                // The same with the very value that a rule names, and with its upper half kept random.
                for (rule, (arg, value, and)) in &values {
                    call.nr = *rule;
                    call.args = *args;
                    if let Some((arg, value)) = and {
                        call.args[*arg] = *value;
                    }
                    call.args[*arg] = *value;
                    prop_assert_eq!(run(&filter.program, &call).0, expected(&syscalls, arch, &call));
                    call.args[*arg] = value | (args[*arg] << 32);
                    prop_assert_eq!(run(&filter.program, &call).0, expected(&syscalls, arch, &call));
                }
            }
        }
    }
}
