//! `glovebox policy`: what it tells about languages, and what it says of policies that are wrong.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use glovebox_tests::cli::{Cli, Ended};
use serde_json::Value;
use tempfile::TempDir;

const LUA: &str = include_str!("../../policies/profiles/lua.toml");

/// A policy directory with this in place of the built-in Lua.
fn policies(lua: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("profiles")).unwrap();
    std::fs::write(dir.path().join("profiles/lua.toml"), lua).unwrap();
    dir
}

fn policy(args: &[&str], policies: Option<&Path>) -> Ended {
    let cli = Cli::new(&[&["policy"], args].concat());
    match policies {
        Some(dir) => cli.env("GLOVEBOX_POLICIES", dir.to_str().unwrap()).finish(),
        None => cli.finish(),
    }
}

/// The list's entry of a language.
fn listed(ended: &Ended, name: &str) -> Value {
    assert_eq!(ended.code(), 0, "{ended}");
    let list: Vec<Value> = serde_json::from_slice(ended.stdout()).unwrap();
    list.into_iter().find(|one| one["name"] == name).unwrap()
}

#[test]
fn every_language_is_listed_with_its_version() {
    let ended = policy(&["list"], None);
    assert_eq!(ended.code(), 0, "{ended}");
    let text = ended.stdout_text();
    for word in [
        "language",
        "also called",
        "version",
        "python3, py",
        "Python 3.",
        "none, proxy",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let ended = policy(&["list", "--json"], None);
    let list: Vec<Value> = serde_json::from_slice(ended.stdout()).unwrap();
    assert_eq!(list.len(), 15);
    for language in &list {
        let name = &language["name"];
        assert_eq!(language["here"], "present", "{language}");
        let version = language["version"].as_str().unwrap();
        assert!(
            version.contains(|c: char| c.is_ascii_digit()),
            "{name}: {version}"
        );
    }
    let python = listed(&ended, "python");
    assert_eq!(python["package"], "python3");
    assert_eq!(python["environments"], true);
    assert_eq!(python["network"], serde_json::json!(["none", "proxy"]));
    assert_eq!(listed(&ended, "c")["compiled"], true);
}

#[test]
fn an_absent_language_is_listed_with_its_package() {
    let dir = policies(&LUA.replace("/usr/bin/lua5.4", "/usr/bin/lua9"));
    let lua = listed(&policy(&["list", "--json"], Some(dir.path())), "lua");
    assert_eq!(lua["here"], "absent");
    assert_eq!(lua["missing"], "/usr/bin/lua9");
    assert_eq!(lua["version"], Value::Null);
    let text = policy(&["list"], Some(dir.path())).stdout_text();
    assert!(text.contains("apt-get install lua5.4"), "{text}");
    let doctor = Cli::new(&["doctor"])
        .env("GLOVEBOX_POLICIES", dir.path().to_str().unwrap())
        .finish();
    let text = doctor.stdout_text();
    assert!(
        text.contains("apt-get install lua5.4") && text.contains("Python 3."),
        "{text}"
    );
}

/// Whatever a version command does: its first line counts, and nothing of it stays.
#[test]
fn a_version_command_that_goes_on_is_stopped() {
    let command =
        r#"["/bin/sh", "-c", "echo; echo \"v1 $HOME $SECRET\"; sleep 1000 & sleep 1000"]"#;
    let dir = policies(&LUA.replace(r#"["/usr/bin/lua5.4", "-v"]"#, command));
    let ended = Cli::new(&["policy", "list", "--json"])
        .env("GLOVEBOX_POLICIES", dir.path().to_str().unwrap())
        .env("SECRET", "hidden")
        .finish();
    assert_eq!(listed(&ended, "lua")["version"], "v1 /tmp");
}

#[test]
fn a_profile_is_shown_with_all_that_it_includes() {
    let ended = policy(&["show", "py"], None);
    assert_eq!(ended.code(), 0, "{ended}");
    let text = ended.stdout_text();
    for word in [
        "/usr/bin/python3 -s {entrypoint}",
        "present: Python 3.",
        "wall 10s, cpu 10s, memory 256 MiB",
        "Network: none, proxy",
        "requirements.txt",
        "Cell: run",
        "Cell: proxy",
        "Cell: install",
        " openat ",
        "socket: arg = 0, bits = 32, is = [1]",
        "AF_UNIX only: a profile without network",
        "AF_INET and AF_INET6 streams",
        "killed for      acct",
        " ptrace ",
        "nobody may",
        "ioctl: arg = 1, bits = 32, is = [0x5412",
    ] {
        assert!(text.contains(word), "{word}\n{text}");
    }
    let text = policy(&["show", "cpp"], None).stdout_text();
    assert!(
        text.contains("Cell: compile") && text.contains("artifacts     program"),
        "{text}"
    );
}

#[test]
fn an_unknown_language_is_not_shown() {
    let ended = policy(&["show", "pyhton"], None);
    assert_eq!(ended.code(), 2, "{ended}");
    assert_eq!(
        ended.stderr(),
        "glovebox: there is no language \"pyhton\"\n  mend: did you mean \"python\"?\n"
    );
}

#[test]
fn what_is_right_is_counted() {
    let ended = policy(&["check"], None);
    assert_eq!(ended.code(), 0, "{ended}");
    let said = ended.stdout_text();
    assert!(said.starts_with("15 profiles with 3"), "{said}");
    assert!(
        said.ends_with("compile for both architectures.\n"),
        "{said}"
    );
    assert_eq!(ended.stderr(), "");
}

#[test]
fn an_absent_language_is_only_noted() {
    let dir = policies(&LUA.replace("/usr/bin/lua5.4", "/usr/bin/lua9"));
    for ended in [
        policy(&["check"], Some(dir.path())),
        policy(&["check", dir.path().to_str().unwrap()], None),
    ] {
        assert_eq!(ended.code(), 0, "{ended}");
        assert_eq!(
            ended.stderr(),
            "glovebox: lua is absent here: /usr/bin/lua9 is missing; apt-get install lua5.4\n"
        );
    }
}

#[test]
fn what_is_wrong_is_named_where_it_is() {
    let wrong = LUA.replace("include = [", "include = [\"bsae\", ");
    let line = LUA
        .lines()
        .position(|line| line.starts_with("include"))
        .unwrap()
        + 1;
    let dir = policies(&wrong);
    let file = dir.path().join("profiles/lua.toml");
    let wanted = format!(
        "glovebox: {}:{line}: include: unknown group \"bsae\"; did you mean \"base\"?\n",
        file.display()
    );
    for ended in [
        policy(&["check"], Some(dir.path())),
        policy(&["check", dir.path().to_str().unwrap()], None),
        policy(&["check", file.to_str().unwrap()], None),
        policy(&["list"], Some(dir.path())),
    ] {
        assert_eq!(ended.code(), 2, "{ended}");
        assert_eq!(ended.stderr(), wanted);
        assert_eq!(ended.stdout_text(), "");
    }
    let nowhere = policy(&["check", "/nowhere"], None);
    assert_eq!(nowhere.code(), 2, "{nowhere}");
    assert!(nowhere.stderr().contains("/nowhere"), "{nowhere}");
}

/// A group is told from a profile by its folder.
#[test]
fn a_single_group_is_checked_in_every_profile() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("groups/jit.toml");
    std::fs::create_dir(dir.path().join("groups")).unwrap();
    std::fs::write(
        &file,
        "description = \"mine\"\n[syscalls]\nallow = [\"bpf\"]\n",
    )
    .unwrap();
    let ended = policy(&["check", file.to_str().unwrap()], None);
    assert_eq!(ended.code(), 2, "{ended}");
    let wanted = format!(
        "{}:3: syscalls.allow: \"bpf\" is in the dangerous group",
        file.display()
    );
    assert!(ended.stderr().contains(&wanted), "{ended}");
}

#[test]
fn a_root_that_is_not_there_is_an_error_where_the_language_is() {
    let root = "[root]\nread_only = [\"/nonexistent/lib\"]\n";
    let lua = LUA.replace("[root]\n", root);
    let line = 1 + lua
        .lines()
        .position(|line| line.starts_with("read_only"))
        .unwrap();
    let check = Cli::new(&["policy", "check", "lua.toml"]).file("lua.toml", lua);
    let ended = check.spawn().finish();
    assert_eq!(ended.code(), 2, "{ended}");
    assert_eq!(
        ended.stderr(),
        format!(
            "glovebox: lua.toml:{line}: root.read_only: /nonexistent/lib is not on this host; \
             mend the path, take it out, or list it as optional\n"
        )
    );
}

/// An operator without root sees that a runner could not show this to a cell.
#[test]
fn an_unreadable_root_is_an_error() {
    let secret = tempfile::tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(secret.path(), Permissions::from_mode(0o700)).unwrap();
    let root = format!("[root]\nread_only = [\"{}\"]\n", secret.path().display());
    let lua = LUA.replace("[root]\n", &root);
    let line = lua
        .lines()
        .position(|line| line.starts_with("read_only"))
        .unwrap()
        + 1;
    let check = Cli::new(&["policy", "check", "lua.toml"]).file("lua.toml", lua);
    let ended = check.as_user().finish();
    assert_eq!(ended.code(), 2, "{ended}");
    let wanted = format!(
        "lua.toml:{line}: root.read_only: {} can't be read here: Permission denied",
        secret.path().display()
    );
    assert!(ended.stderr().contains(&wanted), "{ended}");
}
