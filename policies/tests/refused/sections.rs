//! Mistakes about compiling, the network, environments, and arguments that nobody may allow.

use crate::{GOOD, check, load, message};

/// A profile with every section.
const FULL: &str = include_str!("full.toml");

#[test]
fn a_profile_with_everything_is_taken() {
    let catalog = load(&[("profiles/lua.toml", FULL)]).expect("a good profile");
    let lua = catalog.find("lua").expect("lua");
    assert_eq!(lua.suffixes, ["lua", "luau"]);
    let (compile, proxy) = (lua.compile.as_ref().unwrap(), lua.proxy.as_ref().unwrap());
    assert!(compile.exec_workdir, "unless it is switched off");
    let sources = ["-b.lua", "main.lua", "x.c"].map(str::to_owned);
    assert_eq!(
        compile.command_line("main.lua", &sources)[3..],
        ["main.lua", "./-b.lua"]
    );
    assert_eq!(
        lua.command("main.lua", &["-x".to_owned()]),
        ["/work/program", "-x"]
    );

    let environment = lua.environment.as_ref().unwrap();
    assert_eq!(environment.command("a.lua", &[]), ["/env/bin/lua", "a.lua"]);
    assert!(environment.env.contains_key("LUA_PATH") && environment.env.len() == 1);
    assert!(environment.install_env.contains_key("QUIET") && environment.install_env.len() == 1);
    assert!(proxy.env.contains_key("HTTP_PROXY"), "of its group");
    assert!(!lua.env.contains_key("HTTP_PROXY"));

    // The network's calls are the proxy's and the installer's, and not the compiler's; the profile's own are everywhere but there.
    let inet = [2, 1, 0, 0, 0, 0];
    for (part, syscalls) in lua.parts() {
        let online = ["proxy", "install"].contains(&part);
        assert_eq!(syscalls.allows("socket", &inet), online, "{part}");
        assert_eq!(
            syscalls.allows("openat", &[0; 6]),
            part != "compile",
            "{part}"
        );
    }
    let certificates = std::path::Path::new("/etc/ssl/certs");
    assert!(proxy.root.optional.iter().any(|path| path == certificates));
    assert!(!lua.root.optional.iter().any(|path| path == certificates));
}

#[test]
fn mistakes_in_sections_are_named_where_they_are() {
    check(FULL, CASES);
}

const CASES: &[(&str, &str, &str)] = &[
    // compile
    (
        "\"{sources}\"",
        "\"main.lua\"",
        "profiles/lua.toml:21: compile.command: has to hold {entrypoint} or {sources} once",
    ),
    (
        "\"{sources}\"",
        "\"{stem}\"",
        "compile.command: has to hold {entrypoint} or {sources} once",
    ),
    (
        "\"{sources}\"",
        "\"{sources}\", \"{entrypoint}\"",
        "compile.command: has to hold {entrypoint} or {sources} once",
    ),
    (
        "\"{sources}\"",
        "\"-I{sources}\"",
        "compile.command: \"-I{sources}\" has {sources} within a word",
    ),
    (
        "\"/usr/bin/luac5.4\"",
        "\"luac\"",
        "compile.command: does not begin with the absolute path",
    ),
    (
        "\"**/*.luac\"",
        "\"[\"",
        "profiles/lua.toml:22: compile.artifacts: \"[\" is not a glob",
    ),
    (
        "\"**/*.luac\"",
        "\"../*\"",
        "compile.artifacts: \"../*\" leaves the working folder",
    ),
    (
        "\"**/*.luac\"",
        "\"/tmp/*\"",
        "compile.artifacts: \"/tmp/*\" leaves the working folder",
    ),
    (
        "[\"program\", \"**/*.luac\"]",
        "[]",
        "compile.artifacts: hands nothing to the run",
    ),
    (
        "include = [\"base\", \"processes\"]\n",
        "include = [\"base\"]\n",
        "profiles/lua.toml:20: compile: does not allow execve",
    ),
    (
        "artifacts",
        "artefacts",
        "compile.artefacts: unknown key \"artefacts\"; did you mean \"artifacts\"?",
    ),
    // the commands
    (
        "run = [\"/work/program\"]",
        "run = [\"/work/program\", \"{sources}\"]",
        "run: has to hold {entrypoint} (or {stem}) once",
    ),
    (
        "version = [\"/usr/bin/lua5.4\", \"-v\"]\n",
        "",
        "profiles/lua.toml:1: version: missing; write version = ",
    ),
    (
        "\"-v\"",
        "\"{entrypoint}\"",
        "profiles/lua.toml:7: version: has to hold no placeholder",
    ),
    (
        "[\"luau\"]",
        "[\".luau\"]",
        "profiles/lua.toml:5: suffixes: \".luau\" is not a file's suffix",
    ),
    // proxy
    (
        "[\"none\", \"proxy\"]",
        "[\"none\"]",
        "profiles/lua.toml:25: proxy: opens a network that `network` does not offer",
    ),
    (
        "\"203.0.113.7\"",
        "\"203.0.113.700\"",
        "profiles/lua.toml:27: proxy.hosts: \"203.0.113.700\" is neither a host nor a network",
    ),
    (
        "\"198.51.100.0/24\"",
        "\"198.51.100.0/33\"",
        "\"198.51.100.0/33\" is neither a host nor a network",
    ),
    (
        "\"*.example.org\"",
        "\"*example.org\"",
        "\"*example.org\" is neither a host nor a network",
    ),
    (
        "\"*.example.org\"",
        "\"http://example.org\"",
        "\"http://example.org\" is neither a host nor a network",
    ),
    (
        "[80, 443]",
        "[80, 65536]",
        "profiles/lua.toml:28: proxy.ports: not a port",
    ),
    (
        "[80, 443]",
        "[]",
        "proxy.ports: an empty list opens nothing",
    ),
    (
        "\"10.1.0.0/16\"",
        "\"10.1.0.0:16\"",
        "profiles/lua.toml:29: proxy.intranet: \"10.1.0.0:16\" is neither",
    ),
    (
        "http://proxy.example.org:3128",
        "http://me:secret@proxy.example.org:3128",
        "proxy.upstream: ",
    ),
    (
        "http://proxy.example.org:3128",
        "socks5://proxy.example.org:1080",
        "is not the address of a proxy",
    ),
    (
        "connections = 10",
        "connections = 0",
        "proxy.connections: nothing could run with zero",
    ),
    ("bytes = \"1GiB\"", "bytes = 1", "proxy.bytes: has no unit"),
    (
        "hosts = ",
        "host = ",
        "proxy.host: unknown key \"host\"; did you mean \"hosts\"?",
    ),
    (
        "include = [\"sockets_proxy\"]",
        "include = [\"sockets_proxi\"]",
        "profiles/lua.toml:26: proxy.include: unknown group \"sockets_proxi\"; did you mean \"sockets_proxy\"?",
    ),
    // environment
    (
        "\"rocks.txt\"",
        "\"../rocks.txt\"",
        "profiles/lua.toml:35: environment.manifest: \"../rocks.txt\" is not a plain file name",
    ),
    (
        "[\"/usr/bin/luarocks\"]\n",
        "[\"luarocks\"]\n",
        "profiles/lua.toml:37: environment.needs: \"luarocks\" is not an absolute path",
    ),
    (
        "[[\"/usr/bin/luarocks\", \"install\"]]",
        "[]",
        "environment.install: installs nothing",
    ),
    (
        "[[\"/usr/bin/luarocks\", \"install\"]]",
        "[[\"luarocks\"]]",
        "environment.install: does not begin with the absolute path",
    ),
    (
        "[\"/env/bin/lua\", \"{entrypoint}\"]",
        "[\"/env/bin/lua\"]",
        "environment.run: has to hold {entrypoint}",
    ),
    (
        "\"/env/rocks\"",
        "\"/usr/lib\"",
        "environment.links./rocks: \"/rocks\" → \"/usr/lib\" is not a link into the environment",
    ),
    (
        "\"/env/rocks\"",
        "\"/env/../usr\"",
        "is not a link into the environment",
    ),
];

#[test]
fn a_network_needs_a_proxy_and_so_does_an_environment() {
    let said = message(load(&[(
        "profiles/lua.toml",
        &GOOD.replace("[\"none\"]", "[\"none\", \"proxy\"]"),
    )]));
    assert!(
        said.contains(
            "profiles/lua.toml:10: network: offers \"proxy\" without saying what it reaches"
        ),
        "{said}"
    );

    let start = FULL.find("[proxy]").expect("a section");
    let end = FULL.find("[environment]").expect("a section");
    let without = format!("{}{}", &FULL[..start], &FULL[end..]).replace(", \"proxy\"]", "]");
    let said = message(load(&[("profiles/lua.toml", &without)]));
    assert!(said.contains("environment: needs [proxy]"), "{said}");
}

/// Each case: an entry of `[syscalls] allow`, and what has to be said of it.
#[test]
fn forbidden_arguments_cannot_be_allowed() {
    for (entry, wanted) in [
        (
            "\"prctl\"",
            "\"prctl\" by its bare name allows arguments that are forbidden to every profile",
        ),
        ("\"socket\"", "by its bare name"),
        ("\"clone\"", "allow it by value: { call = \"clone\""),
        (
            r#"{ call = "ioctl", arg = 1, bits = 32, is = [0x1234, 0x5412], why = "x" }"#,
            "these arguments of \"ioctl\" are forbidden to every profile (policies/groups/dangerous.toml:",
        ),
        (
            r#"{ call = "ioctl", arg = 1, bits = 64, is = [0x1234], why = "x" }"#,
            "these arguments of \"ioctl\"",
        ),
        (
            r#"{ call = "ioctl", arg = 0, bits = 32, is = [1], why = "x" }"#,
            "these arguments of \"ioctl\"",
        ),
        (
            r#"{ call = "ioctl", arg = 1, bits = 32, mask = 0xff00, equals = 0x5400, why = "x" }"#,
            "these arguments of \"ioctl\"",
        ),
        (
            r#"{ call = "socket", arg = 0, bits = 32, is = [16], why = "x" }"#,
            "exotic socket families",
        ),
        (
            r#"{ call = "socket", arg = 0, bits = 32, is = [2], why = "x" }"#,
            "raw sockets",
        ),
        (
            r#"{ call = "socket", arg = 0, bits = 32, is = [2], and = { arg = 1, bits = 32, is = [0x80003] }, why = "x" }"#,
            "raw sockets",
        ),
        (
            r#"{ call = "clone", arg = 0, bits = 32, is = [0x10000011], why = "x" }"#,
            "new namespaces",
        ),
        (
            r#"{ call = "clone", arg = 0, bits = 32, mask = 0x20000, equals = 0, why = "x" }"#,
            "new namespaces",
        ),
        (
            r#"{ call = "fcntl", arg = 1, bits = 32, is = [1026], why = "x" }"#,
            "tell about other jobs",
        ),
        (
            r#"{ call = "personality", arg = 0, bits = 32, is = [0x40000], why = "x" }"#,
            "address-space layout",
        ),
        (
            r#"{ call = "prlimit64", arg = 1, bits = 32, is = [4], why = "x" }"#,
            "RLIMIT_CORE",
        ),
        (
            r#"{ call = "mmap", arg = 3, bits = 32, is = [0x40022], why = "x" }"#,
            "huge pages",
        ),
        (
            r#"{ call = "memfd_create", arg = 1, bits = 64, mask = 1, equals = 1, why = "x" }"#,
            "huge pages",
        ),
        // In the group base they are answered; a directory's own base can leave that out.
        (r#""clone3""#, "new namespaces"),
        (r#""io_uring_setup""#, "no filter sees"),
    ] {
        for bad in [
            (
                "profiles/lua.toml",
                GOOD.replace("\"openat\",", &format!("{entry},")),
            ),
            (
                "groups/jit.toml",
                format!("description = \"x\"\n[syscalls]\nallow = [{entry}]\n"),
            ),
        ] {
            let said = message(load(&[(bad.0, &bad.1)]));
            assert!(
                said.contains(wanted) && said.contains("syscalls.allow: "),
                "{entry}: {said}"
            );
            assert!(said.starts_with(bad.0) && said.contains(';'), "{said}");
        }
    }
}

#[test]
fn what_is_not_forbidden_can_be_allowed() {
    for entry in [
        r#"{ call = "ioctl", arg = 1, bits = 32, is = [0x1234], why = "x" }"#,
        r#"{ call = "socket", arg = 0, bits = 32, is = [2], and = { arg = 1, bits = 32, mask = 0xf, equals = 1 }, why = "x" }"#,
        r#"{ call = "prlimit64", arg = 1, bits = 32, is = [4], and = [{ arg = 2, bits = 64, is = [0] }], why = "x" }"#,
    ] {
        let text = GOOD.replace("\"openat\",", &format!("{entry},"));
        load(&[("profiles/lua.toml", &text)]).expect(entry);
    }
}

#[test]
fn a_directory_can_forbid_more_and_nothing_less() {
    let group = |rule: &str| format!("description = \"mine\"\n[syscalls]\nforbid = [{rule}]\n");
    let more =
        group(r#"{ call = "ioctl", arg = 1, bits = 32, is = [0x5401], why = "no terminals" }"#);
    let said = message(load(&[("groups/dangerous.toml", &more)]));
    assert!(said.contains("no terminals"), "{said}");
    let less = group(r#"{ call = "ioctl", arg = 1, bits = 32, is = [0x9999], why = "x" }"#);
    let catalog = load(&[("groups/dangerous.toml", &less)]).expect("more is forbidden");
    let syscalls = &catalog.find("python").expect("python").syscalls;
    assert!(
        syscalls
            .forbids("ioctl", &[0, 0x5412, 0, 0, 0, 0])
            .is_some()
    );
    assert!(
        syscalls
            .forbids("ioctl", &[0, 0x9999, 0, 0, 0, 0])
            .is_some()
    );
    let wrong = group(r#"{ call = "ioctl", arg = 1, bits = 32, any = 0, why = "x" }"#);
    let said = message(load(&[("groups/dangerous.toml", &wrong)]));
    assert!(
        said.contains("groups/dangerous.toml:3: syscalls.forbid.any: a mask of 0 looks at nothing"),
        "{said}"
    );
}

#[test]
fn only_a_ban_may_say_any_and_not() {
    for test in ["any = 1", "not = [1]"] {
        for entry in [
            format!(r#"{{ call = "socket", arg = 0, bits = 32, {test}, why = "x" }}"#),
            format!(
                r#"{{ call = "socket", arg = 0, bits = 32, is = [1], and = {{ arg = 1, bits = 32, {test} }}, why = "x" }}"#
            ),
        ] {
            let said = message(load(&[(
                "profiles/lua.toml",
                &GOOD.replace("\"openat\",", &entry),
            )]));
            assert!(said.contains("unknown key"), "{said}");
        }
    }
}
