//! One mistake in one value, and what holds for files as a whole.

use glovebox_policies::Catalog;

use crate::{GOOD, check, load, message};

/// Each case: what to replace, by what, and what has to be said.
const CASES: &[(&str, &str, &str)] = &[
    (
        "\"openat\",",
        "\"opnat\",",
        "profiles/lua.toml:33: syscalls.allow: unknown system call \"opnat\"; did you mean \"openat\"?",
    ),
    (
        "cpus =",
        "cpu =",
        "profiles/lua.toml:12: cpu: unknown key \"cpu\"; did you mean \"cpus\"?",
    ),
    (
        "memory = \"64MiB\"",
        "memroy = \"64MiB\"",
        "profiles/lua.toml:20: limits.default.memroy: unknown key \"memroy\"; did you mean \"memory\"?",
    ),
    ("wall = \"10s\"", "wall_ms = 10", "unknown key \"wall_ms\""),
    (
        "\"openat\",",
        "\"openat\", \"ptrace\",",
        "profiles/lua.toml:33: syscalls.allow: \"ptrace\" is in the dangerous group (policies/groups/dangerous.toml:",
    ),
    (
        "[\"base\",",
        "[\"bsae\",",
        "profiles/lua.toml:6: include: unknown group \"bsae\"; did you mean \"base\"?",
    ),
    (
        "[\"/usr/bin\"]",
        "[\"usr/bin\"]",
        "profiles/lua.toml:16: root.read_only: \"usr/bin\" is not an absolute path; begin it with /",
    ),
    ("[\"/usr/bin\"]", "[\"/usr/../etc\"]", "not a plain path"),
    ("[\"/usr/bin\"]", "[\"/\"]", "would show the whole host"),
    (
        "[\"/usr/bin\"]",
        "[\"/proc/1\"]",
        "made afresh for each cell",
    ),
    (
        ", \"{entrypoint}\"]",
        "]",
        "profiles/lua.toml:7: run: has to hold {entrypoint} (or {stem}) once",
    ),
    (
        "\"/usr/bin/lua5.4\"",
        "\"lua5.4\"",
        "run: does not begin with the absolute path of a program",
    ),
    (
        "memory = \"64MiB\"",
        "memory = \"2GiB\"",
        "profiles/lua.toml:20: limits.default.memory: is above the ceiling; lower it, or raise the same key of [limits.ceiling]",
    ),
    (
        "memory = \"64MiB\"",
        "memory = \"64MB\"",
        "unknown unit \"MB\" in \"64MB\"; write a size such as \"256MiB\" (units: B, KiB, MiB, GiB)",
    ),
    (
        "memory = \"64MiB\"",
        "memory = 64",
        "limits.default.memory: has no unit",
    ),
    (
        "memory = \"64MiB\"",
        "memory = \"99999999999GiB\"",
        "too large to count",
    ),
    (
        "wall = \"10s\"",
        "wall = \"10MiB\"",
        "limits.default.wall: unknown unit \"MiB\"",
    ),
    (
        "wall = \"10s\"",
        "wall = \"0s\"",
        "limits.default.wall: nothing could run with zero",
    ),
    (
        "wall = \"10s\"",
        "wall = \"s\"",
        "does not begin with a whole number",
    ),
    (
        "wall = \"10s\"\n",
        "",
        "profiles/lua.toml:17: limits.default.wall: missing; write wall = \"10s\"",
    ),
    (
        "processes = 4",
        "processes = 0",
        "limits.default.processes: nothing could run with zero",
    ),
    ("cpus = 0.5", "cpus = 0", "cpus: not a share of processors"),
    (
        "cpus = 0.5",
        "cpus = nan",
        "cpus: not a share of processors",
    ),
    (
        "name = \"lua\"",
        "name = \"luna\"",
        "profiles/lua.toml:1: name: \"luna\" is not the name of the file; write \"lua\"",
    ),
    ("[\"luajit\"]", "[\"js\"]", "is already a name in"),
    (
        "[\"luajit\"]",
        "[\"Lua JIT\"]",
        "cannot be a language's name",
    ),
    (
        "[\"none\"]",
        "[\"nome\"]",
        "network: unknown mode \"nome\"; did you mean \"none\"?",
    ),
    (
        "\"main.lua\"",
        "\"../main.lua\"",
        "source: \"../main.lua\" is not a plain file name",
    ),
    (", \"processes\"]", "]", "does not allow execve"),
    (
        "\"openat\",",
        "{ call = \"socket\", arg = 6, bits = 32, is = [1], why = \"x\" },",
        "syscalls.allow.arg: no system call has such an argument",
    ),
    (
        "\"openat\",",
        "{ call = \"socket\", arg = 0, bits = 32, is = [1] },",
        "syscalls.allow.why: missing",
    ),
    (
        "\"openat\",",
        "{ call = \"socket\", arg = 0, bits = 32, is = [1], why = \" \" },",
        "syscalls.allow.why: empty",
    ),
    (
        "\"openat\",",
        "{ call = \"socket\", arg = 0, is = [1], why = \"x\" },",
        "syscalls.allow.bits: missing; write bits = 32 where the kernel reads an int",
    ),
    (
        "\"openat\",",
        "{ call = \"socket\", arg = 0, bits = 32, is = [], why = \"x\" },",
        "an empty list says nothing",
    ),
    (
        "\"openat\",",
        "{ call = \"socket\", arg = 0, bits = 32, is = [0x100000001], why = \"x\" },",
        "0x100000001 does not fit in 32 bits",
    ),
    (
        "\"openat\",",
        "{ call = \"socket\", arg = 0, bits = 32, mask = 1, equals = 2, why = \"x\" },",
        "never true",
    ),
    (
        "\"openat\",",
        "{ call = \"socket\", arg = 0, bits = 32, mask = 0, equals = 0, why = \"x\" },",
        "a mask of 0 looks at nothing",
    ),
    (
        "\"openat\",",
        "{ call = \"socket\", arg = 0, bits = 32, mask = 1, why = \"x\" },",
        "does not say which values are meant",
    ),
    (
        "\"openat\",",
        "\"ioctl\",",
        "syscalls.allow: \"ioctl\" by its bare name allows arguments that are forbidden to every profile (policies/groups/dangerous.toml:",
    ),
    (
        "\"openat\",",
        "\"arch_prctl\",",
        "\"arch_prctl\" is allowed both with conditions and without (the other is at policies/groups/base.toml:",
    ),
    (
        "\"openat\",",
        "\"splice\",",
        "\"splice\" is in \"allow\" here and in \"enosys\" at policies/groups/base.toml:",
    ),
    ("name =", "name", "profiles/lua.toml:1: not TOML"),
    (
        "exec_workdir = false",
        "exec_workdir = \"no\"",
        "exec_workdir: not true or false",
    ),
];

#[test]
fn each_mistake_is_named_where_it_is_with_its_mend() {
    check(GOOD, CASES);
}

#[test]
fn the_good_profile_is_taken() {
    let catalog = load(&[("profiles/lua.toml", GOOD)]).expect("a good profile");
    let lua = catalog.find("luajit").expect("by its alias");
    assert_eq!(
        (lua.name.as_str(), lua.defaults.memory, lua.cpus),
        ("lua", 64 << 20, 0.5)
    );
    assert_eq!(lua.defaults.cpu.as_millis(), 500);
    assert!(
        catalog.find("python").is_some(),
        "the built-in ones are still there"
    );
}

#[test]
fn groups_that_include_each_other_are_refused() {
    let group = |name: &str| format!("description = \"x\"\ninclude = [\"{name}\"]\n");
    let said = message(load(&[
        (
            "profiles/lua.toml",
            &GOOD.replace("\"base\"", "\"base\", \"one\""),
        ),
        ("groups/one.toml", &group("two")),
        ("groups/two.toml", &group("one")),
    ]));
    assert!(
        said.contains(
            "groups/two.toml:2: include: group \"one\" includes itself (one → two → one)"
        ),
        "{said}"
    );
}

#[test]
fn a_directory_replaces_by_name_but_cannot_take_from_the_dangerous_group() {
    let empty = "description = \"mine\"\n[syscalls]\nkill = [\"name_to_handle_at\"]\n";
    let catalog = load(&[("groups/dangerous.toml", empty)]).expect("more is dangerous");
    let kill = &catalog.find("python").expect("python").syscalls.kill;
    assert!(kill.contains("ptrace") && kill.contains("name_to_handle_at"));

    let jit = "description = \"mine\"\n[syscalls]\nallow = [\"sched_setscheduler\"]\n";
    let catalog = load(&[("groups/jit.toml", jit)]).expect("another jit");
    let allow = &catalog.find("nodejs").expect("nodejs").syscalls.allow;
    assert!(allow.contains_key("sched_setscheduler") && !allow.contains_key("pkey_alloc"));
}

#[test]
fn a_group_that_allows_a_dangerous_call_is_refused_there() {
    let jit = "description = \"mine\"\n[syscalls]\nallow = [\"bpf\"]\n";
    let said = message(load(&[("groups/jit.toml", jit)]));
    assert!(
        said.contains("groups/jit.toml:3: syscalls.allow: \"bpf\" is in the dangerous group"),
        "{said}"
    );
}

#[test]
fn a_directory_that_holds_no_policies_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(Catalog::load(Some(dir.path())).is_err(), "an empty one");
    let error = Catalog::load(Some(&dir.path().join("nowhere"))).expect_err("none at all");
    assert!(error.to_string().contains("nowhere"), "{error}");
}
