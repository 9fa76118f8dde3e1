//! What the toolchains of this host say of their versions.
//!
//! Profiles name the commands, and operators write profiles. They get an empty environment and little time, and nothing of
//! theirs is left running.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use glovebox_policies::{Catalog, Profile};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Longer than any toolchain takes, on a busy host too.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than any version's line.
const LONGEST: usize = 16 * 1024;

/// The version of each profile's toolchain, in the catalog's order; nothing where it is absent or says nothing.
pub(crate) fn versions(catalog: &Catalog) -> Vec<Option<String>> {
    let deadline = Instant::now() + PATIENCE;
    // All are started before the first is listened to: they answer side by side.
    let asked: Vec<_> = catalog.profiles().iter().map(ask).collect();
    let hear = |child: Option<Child>| answer(child?, deadline);
    asked.into_iter().map(hear).collect()
}

/// The first line that a profile's version command prints.
pub(crate) fn version(profile: &Profile) -> Option<String> {
    answer(ask(profile)?, Instant::now() + PATIENCE)
}

fn ask(profile: &Profile) -> Option<Child> {
    if profile.absent().is_some() {
        return None;
    }
    let (program, args) = profile.version.split_first()?;
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(&profile.env)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0);
    command.spawn().ok()
}

fn answer(mut child: Child, deadline: Instant) -> Option<String> {
    let bytes = child.stdout.take().and_then(|out| read(out, deadline));
    // It and whatever it started.
    if let Ok(group) = i32::try_from(child.id()) {
        killpg(Pid::from_raw(group), Signal::SIGKILL).unwrap_or_default();
    }
    child.wait().ok()?;
    first_line(&bytes?)
}

/// What is written until there is a line, or the pipe is closed; nothing when that takes too long.
fn read(mut out: ChildStdout, deadline: Instant) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    while bytes.len() < LONGEST {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).ok()?;
        let mut wanted = [PollFd::new(out.as_fd(), PollFlags::POLLIN)];
        if poll(&mut wanted, timeout).ok()? == 0 {
            return None;
        }
        match out.read(&mut chunk).ok()? {
            0 => break,
            read => bytes.extend_from_slice(chunk.get(..read)?),
        }
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        if first_line(bytes.get(..whole)?).is_some() {
            break;
        }
    }
    Some(bytes)
}

fn first_line(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let plain = line.chars().filter(|c| !c.is_control()).take(120);
    Some(plain.collect())
}

#[cfg(test)]
mod tests {
    use super::first_line;

    #[test]
    fn a_version_is_one_plain_line() {
        assert_eq!(
            first_line(b"\n  this is 1.0\nmore"),
            Some("this is 1.0".to_owned())
        );
        assert_eq!(first_line(b"\x1b[1m1.0"), Some("[1m1.0".to_owned()));
        assert_eq!(first_line(b" \n"), None);
    }
}
