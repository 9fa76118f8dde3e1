//! Calls that one architecture has and the other lacks: each is known by name, with what programs use there instead.

use std::collections::BTreeSet;

use glovebox_policies::{Arch, Catalog};

/// What only x86_64 has, and the call in its place on aarch64; nothing where there is no such thing to be done.
const ONLY_X86_64: &[(&str, Option<&str>)] = &[
    ("access", Some("faccessat")),
    ("alarm", Some("setitimer")),
    ("arch_prctl", None), // segment registers, which only x86 has
    ("chmod", Some("fchmodat")),
    ("chown", Some("fchownat")),
    ("creat", Some("openat")),
    ("dup2", Some("dup3")),
    ("epoll_create", Some("epoll_create1")),
    ("epoll_wait", Some("epoll_pwait")),
    ("eventfd", Some("eventfd2")),
    ("fork", Some("clone")),
    ("futimesat", Some("utimensat")),
    ("getdents", Some("getdents64")),
    ("getpgrp", Some("getpgid")),
    ("inotify_init", Some("inotify_init1")),
    ("ioperm", None), // ports, which only x86 has
    ("iopl", None),
    ("lchown", Some("fchownat")),
    ("link", Some("linkat")),
    ("lstat", Some("fstatat")),
    ("mkdir", Some("mkdirat")),
    ("mknod", Some("mknodat")),
    ("newfstatat", Some("fstatat")), // the same call under the name that our table has there
    ("open", Some("openat")),
    ("pause", Some("rt_sigsuspend")),
    ("pipe", Some("pipe2")),
    ("poll", Some("ppoll")),
    ("readlink", Some("readlinkat")),
    ("rename", Some("renameat")),
    ("rmdir", Some("unlinkat")),
    ("select", Some("pselect6")),
    ("signalfd", Some("signalfd4")),
    ("stat", Some("fstatat")),
    ("symlink", Some("symlinkat")),
    ("time", Some("gettimeofday")),
    ("unlink", Some("unlinkat")),
    ("utime", Some("utimensat")),
    ("utimes", Some("utimensat")),
    ("vfork", Some("clone")),
];

const ONLY_AARCH64: &[&str] = &["fstatat"];

/// A new name in these lists is a decision, not an accident.
#[test]
fn calls_absent_from_one_architecture_are_these() {
    let catalog = Catalog::load(None).expect("the built-in profiles");
    let mut named = BTreeSet::new();
    for (_, syscalls) in catalog
        .profiles()
        .iter()
        .flat_map(|profile| profile.parts())
    {
        let lists = [
            &syscalls.enosys,
            &syscalls.fallback,
            &syscalls.einval,
            &syscalls.kill,
        ];
        named.extend(lists.into_iter().flatten().cloned());
        named.extend(syscalls.allow.keys().chain(syscalls.forbid.keys()).cloned());
    }
    let absent = |arch: Arch| {
        let names = named.iter().map(String::as_str);
        names
            .filter(|name| arch.number(name).is_none())
            .collect::<Vec<_>>()
    };
    let known: Vec<&str> = ONLY_X86_64.iter().map(|(name, _)| *name).collect();
    assert_eq!(absent(Arch::Aarch64), known);
    assert_eq!(absent(Arch::X86_64), ONLY_AARCH64);
}

/// A program that may do a thing on x86_64 may do it on aarch64.
#[test]
fn what_takes_their_place_is_treated_alike() {
    let catalog = Catalog::load(None).expect("the built-in profiles");
    for profile in catalog.profiles() {
        for (part, syscalls) in profile.parts() {
            for (name, instead) in ONLY_X86_64 {
                let Some(instead) = instead else { continue };
                assert!(Arch::Aarch64.number(instead).is_some(), "{instead}");
                let alike =
                    |calls: &BTreeSet<String>| calls.contains(*name) == calls.contains(*instead);
                assert_eq!(
                    syscalls.allow.contains_key(*name),
                    syscalls.allow.contains_key(*instead),
                    "{} ({part}): {name} and {instead}",
                    profile.name
                );
                assert!(
                    alike(&syscalls.enosys) && alike(&syscalls.kill),
                    "{name} and {instead}"
                );
            }
        }
    }
}
