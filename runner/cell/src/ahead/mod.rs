//! What runs inside an interpreter that was started ahead of its job: it waits where the interpreter is ready to read
//! a program, takes the order, and lets it go on as if it had been started for that.
//!
//! Compiled into a library of its own (feature `ahead`), which the warden hands to the interpreter as a sealed memfd.
//! The process is a cold cell's in all but this: it is under every layer before the interpreter's first byte runs.
//! Entered once ([`crate::sys::environment`]). Must never return without an order, and keep no descriptor of ours.

use std::ffi::CString;
use std::os::fd::AsFd;

use rustix::io::Errno;

use crate::enter::{WORK, errno};
use crate::order::take_order;
use crate::protocol;
use crate::report::{Failure, at};
use crate::step::Step;
use crate::sys::fork::exit_now;
use crate::sys::{environment, v8};
use crate::warm::{Brief, Word};

/// Loads modules, and does once what every program will do.
const PREPARE: &str = include_str!("prepare.js");
/// Puts the job's words in the place of the interpreter's own.
const BEGIN: &str = include_str!("begin.js");

/// Waits for the job, and becomes it.
pub(crate) fn wait() {
    // The line to the warden is all three streams, so that nothing can be printed which is no word.
    let Ok(line) = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3) else {
        exit_now(1)
    };
    let begun = try_wait(line.as_fd());
    let word = match begun {
        Ok(()) => Word::Begun,
        Err(Failure { step, errno }) => Word::Failed {
            step,
            errno: errno.raw_os_error(),
        },
    };
    // If nobody is there to be told, the cell ends anyway.
    let told = protocol::send(line.as_fd(), &word, &[]);
    if begun.is_err() || told.is_err() {
        exit_now(127)
    }
}

fn try_wait(line: std::os::fd::BorrowedFd<'_>) -> Result<(), Failure> {
    let failed = at(Step::Summon);
    let refused = |error| failed(errno(error));
    let received = protocol::receive::<Brief>(line).map_err(refused)?;
    let (brief, _) = received.ok_or(failed(Errno::PIPE))?;
    v8::run(&call(PREPARE, &[array(&brief.preload)])).ok_or(failed(Errno::CANCELED))?;
    // For whoever looks at the host's processes; a job has the name back.
    let name = rustix::thread::name().unwrap_or_default();
    rustix::thread::set_name(c"glovebox-ready").unwrap_or_default();
    protocol::send(line, &Word::Ready, &[]).map_err(refused)?;
    let launch = take_order(line, brief.open_files, brief.cgroup)?;
    rustix::thread::set_name(&name).unwrap_or_default();
    let own_words = usize::from(brief.words).saturating_sub(1);
    let words = launch.argv.get(own_words..).unwrap_or_default();
    let mut words = words.iter().map(|word| word.to_string_lossy());
    let program = words.next().ok_or(failed(Errno::INVAL))?;
    let program = text(&format!("{}/{program}", WORK.to_string_lossy()));
    environment::replace(launch.env);
    v8::run(&call(BEGIN, &[program, array(words)])).ok_or(failed(Errno::CANCELED))
}

/// A call of the function that a script is.
fn call(script: &str, arguments: &[String]) -> CString {
    let source = format!("({})({})", script.trim_end(), arguments.join(","));
    // There is no NUL in any of them: arguments were C strings.
    CString::new(source).unwrap_or_default()
}

fn array<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> String {
    let texts: Vec<_> = texts.into_iter().map(|one| text(one.as_ref())).collect();
    format!("[{}]", texts.join(","))
}

/// A string as the language writes it (ECMA-262, "JSON.stringify").
fn text(value: &str) -> String {
    let mut written = String::from('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => written.extend(['\\', c]),
            '\0'..='\x1f' => written.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => written.push(c),
        }
    }
    written.push('"');
    written
}
